package workspace

import (
	"fmt"
	"slices"
	"strings"
)

// Switches lists the variables that turn something on (1, true or yes); off is 0, false, no, or nothing.
var Switches = []string{"APPROVE", "FORCE", "QUOTAS", "UPLOAD"}

// settings lists the other variables that change what a command does and are long enough to recognize a typo.
var settings = []string{"CAMPAIGN", "FAULT", "MINUTES", "SKIP_CHECKS", "STACK_DIR", "TERRAFORM"}

// On tells whether a switch is on.
func (ws *Workspace) On(name string) bool {
	on, err := turned(ws.Getenv(name))
	return err == nil && on
}

func turned(value string) (bool, error) {
	switch strings.ToLower(value) {
	case "1", "true", "yes":
		return true, nil
	case "", "0", "false", "no":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither on (1, true, yes) nor off (0, false, no)", value)
}

// CheckSwitches refuses a switch of another value, and a variable whose name is almost that of a switch or setting: who types APROVE=1 has said yes
// and is not heard.
func CheckSwitches(env []string) error {
	for _, name := range Switches {
		if _, err := turned(Getenv(env, name)); err != nil {
			return fmt.Errorf("%s in the environment: %w", name, err)
		}
	}
	known := slices.Concat(Switches, settings)
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if right := Nearest(name, known); value != "" && right != "" && right != name {
			return fmt.Errorf("%s in the environment is not a variable of these commands: write %s, or unset it", name, right)
		}
	}
	return nil
}

// Nearest is the word that another one is probably a typo of: the same except for case, or with one or two letters wrong, missing,
// added or swapped. "" if none is near.
func Nearest(word string, words []string) string {
	best, least := "", 0
	for _, w := range words {
		most := 1 + len(w)/7
		if d := distance(strings.ToLower(word), strings.ToLower(w)); d <= most && (best == "" || d < least) {
			best, least = w, d
		}
	}
	return best
}

// distance is how many letters are to be changed, added, removed or swapped with the next one to make b of a (optimal string alignment).
func distance(a, b string) int {
	two, last, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range now {
		last[j] = j
	}
	for i := range len(a) {
		now[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			now[j+1] = min(last[j]+cost, last[j+1]+1, now[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				now[j+1] = min(now[j+1], two[j-1]+1)
			}
		}
		two, last, now = last, now, two
	}
	return last[len(b)]
}
