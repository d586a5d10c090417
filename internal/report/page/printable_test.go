package page

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"a\tb\nc é ✓": "a\tb\nc é ✓", "a\x1b[2Jb": `a\x1b[2Jb`, "a\rb": `a\x0db`, "\a\b\x7f": `\x07\x08\x7f`, "a\u009b2Jb": `a\x9b2Jb`, "a\u202eb": `a\u202eb`, "\u2066": `\u2066`,
	} {
		require.Equal(t, want, Printable(text))
	}
	require.Equal(t, `two lines \x1b[1A`, oneLine("two\nlines\t\x1b[1A"))
}

// All output for a terminal escapes control sequences, wherever they come from: files or AWS.
func TestNothingSteersATerminal(t *testing.T) {
	const evil = "x\x1b]0;owned\a\u009b2J\u202ey"
	var b bytes.Buffer
	r := burst(10, 5, 2, 1)
	c := &r.Configuration
	for _, s := range []*string{&r.Run, &c.Server, &c.Generator, &c.Ratio, &r.Verdict.Sentence, &r.Verdict.Next, &r.Cost.Note} {
		*s += evil
	}
	r.Verdict.Notes = append(r.Verdict.Notes, evil)
	require.NoError(t, Text(&b, r))
	require.NoError(t, Summary(&b, r, [][2]string{{"row", evil}}))
	a, _ := campaigned("r7g", "r8g")
	a.Name, a.Sentence, a.Ranking[0].Variant = evil, evil, evil
	require.NoError(t, CampaignText(&b, a))
	require.NoError(t, CompareText(&b, report.Compare([]*report.Results{r, burst(10, 5, 2, 1)})))
	s := Status{Now: at(15), Run: evil, Phase: evil, Meaning: evil, Rows: [][2]string{{"cache", evil + "\nsecond"}}}
	b.WriteString(s.String())
	for _, line := range []string{s.Line(), Step{Note: evil + "\nsecond"}.Line(200), Step{Note: evil + "\nsecond", Took: time.Second}.Said(evil)} {
		require.NotContains(t, line, "\n")
		b.WriteString(line)
	}
	require.NotContains(t, b.String(), "\x1b")
	for _, r := range b.String() {
		require.False(t, isControl(r), "%q", r)
	}
	require.GreaterOrEqual(t, strings.Count(b.String(), `\u202e`), 14, "it was printed, escaped")
}
