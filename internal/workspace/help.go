package workspace

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// everywhere is the text of a variable that all commands read.
const everywhere = "all"

// Reads are the variables of a command alone, and those that it shares with all others. Every test reads those of the tests.
func Reads(command string) (own, shared []Variable) {
	for _, v := range Variables {
		switch {
		case v.For == everywhere:
			shared = append(shared, v)
		case slices.Contains(strings.Split(v.For, ", "), "`"+command+"`"), v.For == "tests" && strings.HasPrefix(command, "test"):
			own = append(own, v)
		}
	}
	return own, shared
}

// Help prints all variables for a terminal.
func Help(out io.Writer) {
	for _, v := range Variables {
		v.print(out, " ("+v.For+")")
	}
	fmt.Fprintln(out, switches)
}

// HelpOf prints what a command does and reads.
func HelpOf(out io.Writer, command, does string) {
	own, shared := Reads(command)
	fmt.Fprintf(out, "go tool mage %s\n    %s\n", command, cmp.Or(does, "does not exist"))
	if len(own) > 0 {
		fmt.Fprintln(out, "\nEnvironment variables that it reads:")
	}
	for _, v := range own {
		v.print(out, "")
	}
	if len(own) > 0 {
		fmt.Fprintln(out, switches)
	}
	fmt.Fprintln(out, "\nAll commands read these:")
	for _, v := range shared {
		v.print(out, "")
	}
}

const switches = "A switch is 1, true or yes, or 0, false or no."

var markdown = regexp.MustCompile("`|\\[([^]]*)\\]\\([^)]*\\)")

func (v Variable) print(out io.Writer, of string) {
	plain := func(text string) string { return markdown.ReplaceAllString(text, "$1") }
	fmt.Fprintf(out, "%s%s\n    %s\n", plain(v.Name), plain(of), plain(v.Value))
	if v.Unset != "" {
		fmt.Fprintf(out, "    not set: %s\n", plain(v.Unset))
	}
}
