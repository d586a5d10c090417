package page

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

// Markdown writes the first page of the answer for a pull request or a design document.
func Markdown(w io.Writer, r *report.Results) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Run %s\n\n%s\n", cell(r.Run), cell(what(r)))
	line("**%s%s.** %s\n", upper(headline(&r.Verdict)), prefixed(" · ", finished(r)), cell(r.Verdict.Sentence))
	if r.Verdict.Next != "" {
		line("**Next:** %s\n", cell(r.Verdict.Next))
	}
	if all := cautions(r); len(all) > 0 {
		for _, c := range all {
			line("- %s", cell(c))
		}
		line("")
	}
	line("| figure | value | measured over |\n|---|---:|---|")
	for _, k := range report.Figures {
		if f, ok := figure(r, k.ID); ok && k.Tile && f.Value != nil {
			line("| %s | %s | %s |", cell(f.Label), amount(f.Value, f.Unit), window(f.Window))
		}
	}
	if len(r.Verdict.Segments) > 1 {
		line("\n| segment (UTC) | operations/s | limits | what ended it |\n|---|---:|---|---|")
		for _, s := range r.Verdict.Segments {
			line("| %s | %s | %s | %s |", span(s.Window), pace(s), cmp.Or(limits(&r.Verdict, s.Limits), "none"), cell(s.Ended))
		}
	}
	if rows := facts(r); len(rows) > 0 {
		line("")
		for _, f := range rows {
			line("- %s: %s", upper(f.Name), cell(f.Value))
		}
	}
	line("\nTimes are UTC. The charts and all else are in `report.html`.")
	_, err := io.WriteString(w, b.String())
	return err
}

// CompareMarkdown writes a comparison for a pull request or a design document: groups are named by letters, and the first is the reference.
func CompareMarkdown(w io.Writer, c *report.Comparison) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	of := letters(c)
	line("# %d runs, each against A\n", len(c.Runs))
	for _, caution := range c.Unsaid() {
		line("- **%s**", cell(caution))
	}
	for _, answer := range c.Answers {
		line("\n**%s**\n", cell(answer))
	}
	for i, run := range c.Runs {
		line("- %s: run %s", of[i], cell(run))
		if i < len(c.Verdicts) {
			line("  %s", cell(c.Verdicts[i]))
		}
	}
	if len(c.Differences) > 0 {
		line("\n| what differs | %s |\n|---|%s", strings.Join(of, " | "), strings.Repeat("---|", len(of)))
		for _, d := range c.Differences {
			var values []string
			for _, v := range d.Values {
				values = append(values, cell(v))
			}
			line("| %s | %s |", cell(d.Setting), strings.Join(values, " | "))
		}
	}
	line("\n| figure | | value | change | |\n|---|---|---:|---:|---|")
	for _, row := range c.Figures {
		for i, of := range row.Cells {
			label := ""
			if i == 0 {
				label = cell(row.Label)
			}
			line("| %s | %s | %s | %s | %s |", label, report.Letter(i), amount(of.Value, row.Unit), change(of, row.Unit), cell(judged(of, c.Reason(of))))
		}
	}
	if c.Method != "" {
		line("\n%s", cell(c.Method))
	}
	line("\nThe charts are in `report.html`.")
	_, err := io.WriteString(w, b.String())
	return err
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// cell escapes text so that it cannot make a table, link or tag.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "*", "\\*", "`", "\\`", "[", "\\[", "\n", " ").Replace(s)
}
