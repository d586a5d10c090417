package dashboardpage

import (
	"html"
	"html/template"
	"regexp"
	"strings"
)

var (
	heading = regexp.MustCompile(`^(#{1,6})\s+(.*)$`)
	strong  = regexp.MustCompile(`\*\*(.+?)\*\*`)
	code    = regexp.MustCompile("`([^`]+)`")
	link    = regexp.MustCompile(`\[([^\]]+)\]\((https://[^)\s]+|#[^)\s]*)\)`)
	item    = regexp.MustCompile(`^\s*[-*]\s+(.*)$`)
	divider = regexp.MustCompile(`^\s*\|?[\s:|-]+\|[\s:|-]*$`)
)

// markdown is what text widgets use of it: headings, paragraphs, lists, tables, bold, code and links.
func markdown(text string) template.HTML {
	var b strings.Builder
	open := "" // the element that the last line is in
	in := func(element string) {
		if open != "" && open != element {
			b.WriteString("</" + open + ">")
		}
		if element != "" && open != element {
			b.WriteString("<" + element + ">")
		}
		open = element
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			in("")
		case heading.MatchString(line):
			in("")
			m := heading.FindStringSubmatch(line)
			level := map[bool]string{true: "h2", false: "h3"}[len(m[1]) == 1]
			b.WriteString("<" + level + ">" + inline(m[2]) + "</" + level + ">")
		case item.MatchString(line):
			in("ul")
			b.WriteString("<li>" + inline(item.FindStringSubmatch(line)[1]) + "</li>")
		case strings.Contains(line, "|") && divider.MatchString(line):
			// between a table's head and its rows
		case strings.HasPrefix(line, "|") || open == "table" && strings.Contains(line, "|"):
			in("table")
			b.WriteString("<tr>")
			for _, cell := range strings.Split(strings.Trim(line, "|"), "|") {
				b.WriteString("<td>" + inline(strings.TrimSpace(cell)) + "</td>")
			}
			b.WriteString("</tr>")
		default:
			in("p")
			b.WriteString(inline(line) + "\n")
		}
	}
	in("")
	return template.HTML(b.String()) // #nosec G203 -- inline escapes every text
}

func inline(s string) string {
	s = html.EscapeString(s)
	s = link.ReplaceAllString(s, `<a href="$2" rel="noreferrer">$1</a>`)
	s = code.ReplaceAllString(s, "<code>$1</code>")
	return strong.ReplaceAllString(s, "<strong>$1</strong>")
}
