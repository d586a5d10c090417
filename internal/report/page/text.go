package page

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

const columns = 80

// Printable escapes control characters other than line breaks and tabs, and those that change the direction of text: text from files or from AWS must
// not control a terminal, nor imitate other text (CVE-2021-42574).
func Printable(s string) string {
	if !strings.ContainsFunc(s, isControl) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isControl(r) {
			form := `\x%02x`
			if r > 0xff {
				form = `\u%04x`
			}
			fmt.Fprintf(&b, form, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// isControl reports whether r could control the terminal: it is a control character, or changes the direction of text.
func isControl(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}

// oneLine is text for places where even a line break would control the terminal.
func oneLine(s string) string {
	return Printable(strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ").Replace(s))
}

// text builds a page of at most 80 columns.
type text struct{ strings.Builder }

func (t *text) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// head starts a section.
func (t *text) head(name string) { t.line("\n%s", name) }

// row is a name and its value, which is wrapped.
func (t *text) row(name, value string) {
	const indent = 20
	if value == "" {
		return
	}
	for i, l := range wrap(value, columns-indent) {
		if i > 0 {
			name = ""
		}
		t.line("  %s%s", pad(name, indent-2), l)
	}
}

// table has columns as wide as their widest cell; the last one is wrapped into the remaining width. A cell that starts with a space is
// right-aligned.
func (t *text) table(rows [][]string) {
	widths := map[int]int{}
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(strings.TrimPrefix(cell, " ")))
		}
	}
	for _, r := range rows {
		l := "  "
		for i, cell := range r {
			if right, is := strings.CutPrefix(cell, " "); is {
				l += strings.Repeat(" ", widths[i]-utf8.RuneCountInString(right)) + right + "  "
				continue
			}
			used := utf8.RuneCountInString(l)
			if i < len(r)-1 || columns-used < 16 {
				l += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
				continue
			}
			l += strings.Join(wrap(cell, columns-used), "\n"+strings.Repeat(" ", used))
		}
		t.line("%s", strings.TrimRight(l, " "))
	}
}

func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(n-utf8.RuneCountInString(s), 1))
}

// together matches what must stay on one line: words, and commands in backquotes, because they are pasted.
var together = regexp.MustCompile("(?:`[^`]*`|[^\\s`]|`)+")

// wrap breaks s between words into lines of at most width; a longer word has its own line.
func wrap(s string, width int) []string {
	var lines []string
	l := ""
	for _, w := range together.FindAllString(s, -1) {
		switch {
		case l == "":
			l = w
		case utf8.RuneCountInString(l)+1+utf8.RuneCountInString(w) <= width:
			l += " " + w
		default:
			lines, l = append(lines, l), w
		}
	}
	return append(lines, l)
}

// Text writes the answer for a terminal: the verdict first, 80 columns wide.
func Text(w io.Writer, r *report.Results) error {
	t := &text{}
	t.line("run %s%s", r.Run, map[bool]string{true: "", false: " of " + r.Name}[r.Name == ""])
	if s := what(r); s != "" {
		t.line("%s", strings.Join(wrap(s, columns), "\n"))
	}
	t.line("\n%s", strings.ToUpper(headline(&r.Verdict))+prefixed(" · ", finished(r)))
	for _, l := range wrap(r.Verdict.Sentence, columns-2) {
		t.line("  %s", l)
	}
	t.row("next", r.Verdict.Next)
	for _, n := range r.Verdict.Notes {
		t.row("note", n)
	}
	for _, f := range facts(r) {
		t.row(f.Name, f.Value)
	}
	if z := zones(&r.Configuration); z != "" {
		t.row("zones", z)
	}
	t.headline(r)
	t.timeline(r)
	t.limits(r)
	if r.Network.Summary != "" {
		t.head("network")
		t.row("cache", r.Network.Summary)
		t.row("load", r.Network.Fargate.Sentence)
	}
	t.tasks(r)
	t.cost(&r.Cost)
	if n := r.Client.Latency.Note; n != "" && len(r.Client.Latency.Percentiles) > 0 {
		t.head("how to read the latency")
		t.line("  %s", strings.Join(wrap(n, columns-2), "\n  "))
	}
	t.caveats(r)
	_, err := io.WriteString(w, Printable(t.String()))
	return err
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func (t *text) headline(r *report.Results) {
	var rows [][]string
	var windows []string
	for _, f := range r.Headline {
		if f.Value == nil {
			continue
		}
		note := f.Note
		if f.Window != nil {
			note = phase(f.Window.Phase)
			if w := window(f.Window); !slices.Contains(windows, w) {
				windows = append(windows, w)
			}
		}
		rows = append(rows, []string{f.Label, " " + amount(f.Value, f.Unit), note})
	}
	if len(rows) == 0 {
		return
	}
	t.head("figures")
	t.table(rows)
	for _, w := range windows {
		t.line("  (%s)", w)
	}
}

// timeline is throughput over the load as a row of bars, with the phases below.
func (t *text) timeline(r *report.Results) {
	s, load := r.Client.Throughput, r.Phases.Load
	if s == nil || load == nil || load.Duration() <= 0 {
		return
	}
	const wide = columns - 4
	sums, n := make([]float64, wide), make([]float64, wide)
	for i, v := range s.Values {
		at := int(float64(s.At(i).Sub(load.Start)) / float64(load.Duration()) * wide)
		if at >= 0 && at < wide && !math.IsNaN(v) {
			sums[at], n[at] = sums[at]+v, n[at]+1
		}
	}
	high := 0.
	for i := range sums {
		if n[i] > 0 {
			sums[i] /= n[i]
			high = max(high, sums[i])
		} else if i > 0 {
			sums[i], n[i] = sums[i-1], min(n[i-1], float64(s.StepSeconds)*wide/load.Duration().Seconds()) // a step covers several columns
		}
	}
	if high == 0 {
		return
	}
	t.head(fmt.Sprintf("throughput over %s, top %s ops/s", duration(load.Duration()), report.Thousands(high)))
	t.line("  %s", strings.TrimRight(Spark(sums), " "))
	ruler := []rune(strings.Repeat(" ", wide))
	for _, p := range r.Phases.List {
		at := func(when time.Time) int { return int(float64(when.Sub(load.Start)) / float64(load.Duration()) * wide) }
		from, to := max(0, at(p.Start)), at(p.End) // a prefill comes before the load
		name := []rune("|" + phase(p.Phase))
		for i := range name[:max(0, min(len(name), to-from, wide-from))] {
			ruler[from+i] = name[i]
		}
	}
	t.line("  %s", strings.TrimRight(string(ruler), " "))
}

func (t *text) limits(r *report.Results) {
	var rows [][]string
	for _, f := range r.Verdict.Findings {
		what := states[f.State]
		switch f.State {
		case report.NotApplicable:
			continue
		case report.Quiet, report.Fired, report.Noted:
			measured := amount(f.Measured, f.Unit)
			if _, of, is := strings.Cut(f.Unit, "percent"); is {
				measured = strings.TrimSuffix(measured, of) // do not repeat it: 0 % of 50 % of minutes
			}
			what = fmt.Sprintf("%s of %s: %s", measured, limit(f), what)
			if len(f.Where) > 0 {
				what += ", " + f.Where[0]
				if more := len(f.Where) - 1; more > 0 {
					what += fmt.Sprintf(" and %d more", more)
				}
			}
		case report.NoData:
			what += ": " + f.Evidence
		}
		rows = append(rows, []string{map[bool]string{true: "!", false: ""}[f.State == report.Fired], f.Name, what})
	}
	if len(rows) > 0 {
		t.head("what could have limited it")
		t.table(rows)
	}
}

func (t *text) tasks(r *report.Results) {
	ok := 0
	var rows [][]string
	for _, task := range r.Tasks {
		if task.State == "ok" {
			ok++
		} else if len(rows) < 10 {
			rows = append(rows, []string{short(task.ID), task.State, task.Trouble})
		}
	}
	if len(r.Tasks) == 0 {
		return
	}
	t.head(fmt.Sprintf("tasks: %d of %d ok", ok, len(r.Tasks)))
	t.table(rows)
	if more := len(r.Tasks) - ok - len(rows); more > 0 {
		t.line("  and %d more", more)
	}
	e := r.Client.Errors
	if e.Connections+e.Reconnects+e.Lines > 0 {
		t.line("  %s, %s, %s", report.Quantity(int(e.Connections), "connection error"), report.Quantity(int(e.Reconnects), "reconnect"), report.Quantity(int(e.Lines), "error line"))
	}
}

func (t *text) cost(c *report.Cost) {
	if len(c.Items) == 0 && len(c.Missing) == 0 {
		return
	}
	t.head("cost")
	var rows [][]string
	for _, i := range c.Items {
		rows = append(rows, []string{i.Name, " " + amount(i.Quantity, i.Unit), " " + amount(i.USD, "USD")})
	}
	rows = append(rows, []string{"total", "", " " + amount(c.TotalUSD, "USD")})
	if c.USDPerMillionOps != nil {
		rows = append(rows, []string{"a million operations", "", " " + amount(c.USDPerMillionOps, "USD")})
	}
	t.table(rows)
	if len(c.Missing) > 0 {
		t.row("not known", and(c.Missing))
	}
}

// few lists the first of many names.
func few(names []string) string {
	if more := len(names) - 3; more > 1 {
		return strings.Join(names[:3], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return and(names)
}

func (t *text) caveats(r *report.Results) {
	if len(r.Warnings)+len(r.Lacking)+len(r.Gaps) == 0 {
		return
	}
	t.head("gaps and warnings")
	for _, w := range r.Warnings {
		t.row("warning", w)
	}
	for _, l := range r.Lacking {
		t.row("no "+l.Section, l.Why)
	}
	gaps := unexpected(r.Gaps)
	for i, g := range gaps {
		if more := len(gaps) - i; i == 5 && more > 1 {
			t.row("", fmt.Sprintf("and %d more gaps: report.html has all", more))
			break
		}
		what := g.What
		if g.Start != nil {
			what += ": " + amount(&g.Seconds, "s") + " from " + g.Start.UTC().Format("15:04:05")
		} else {
			what += ": " + few(g.Metrics)
		}
		t.row("gap", what)
	}
	for _, g := range r.Gaps[len(gaps):] {
		t.row("as expected", g.What+": "+few(g.Metrics))
	}
}
