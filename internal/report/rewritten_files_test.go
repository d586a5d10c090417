package report

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/unicode"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// Files that people cut, joined or rewrote give the same answer as the originals, and what is missing is reported.
func TestFilesOfOtherPeople(t *testing.T) {
	c := synthetic.Plain()
	c.Nodes = 1
	metrics, log := texts(c)
	want := analyzed(t, c)
	rows, lines := strings.Split(strings.TrimSpace(metrics), "\n"), strings.Split(strings.TrimSpace(log), "\n")
	text := func(lines []string) string { return strings.Join(lines, "\n") + "\n" }
	each := func(f func(row string) string) string { // except the header
		out := rows[:1:1]
		for _, row := range rows[1:] {
			out = append(out, f(row))
		}
		return text(out)
	}
	every := func(pattern, with, in string) string {
		return regexp.MustCompile(`(?m)`+pattern).ReplaceAllString(in, with)
	}
	moved := func(row string) string { // another order of the columns
		f := strings.Split(row, ",")
		return strings.Join([]string{f[6], f[1], f[2], f[3], f[5], f[4], f[0]}, ",")
	}
	since := func(digits string) string { // times since 1970
		return regexp.MustCompile(`(?m)^2026-[^,]*`).ReplaceAllStringFunc(metrics, func(text string) string {
			at, err := time.Parse(time.RFC3339, text)
			require.NoError(t, err)
			return fmt.Sprint(at.Unix()) + digits
		})
	}
	half := len(rows) / 2
	joined := rows[:half:half]
	for _, row := range append(rows[:1:1], rows[half:]...) {
		joined = append(joined, moved(row))
	}
	byMetric := slices.Clone(rows)
	slices.SortStableFunc(byMetric[1:], func(a, b string) int { return strings.Compare(b[25:], a[25:]) })
	german := every(`^(\d+)-(\d+)-(\d+)T(.*?)\+00:00`, "$3.$2.$1 $4", semicolons(metrics))
	german = every(`^(.*)$`, `"$1"`, strings.ReplaceAll(strings.TrimSpace(german), ";", `";"`)) + "\n;;;;;;\nSumme;;;;123.456,7;;\n"
	numbered := "," + rows[0] + "\n"
	for i, row := range rows[1:] {
		numbered += fmt.Sprintf("%d,%s\n", i, row)
	}
	for name, test := range map[string]struct {
		metrics, log string
		says         string // a part of the only warning; "" for none
	}{
		"pandas: an index, NaN":       {numbered + "999,2026-11-23T03:12:00+00:00,AWS/ElastiCache,EngineCPUUtilization,Average,NaN,Percent,CacheClusterId=perf-001;CacheNodeId=0001\n", log, ""},
		"LibreOffice in German":       {german, log, `has 1 line that cannot be read, left out: line 601: the time "Summe" is not read`},
		"dates of the US":             {every(`^(\d+)-(\d+)-(\d+)T0?(\d+:\d\d):\d\d\+00:00`, "$2/$3/$1 $4", metrics), log, "times without an offset in 598 rows"},
		"dates of the US, AM":         {every(`^(\d+)-(\d+)-(\d+)T0?(\d+:\d\d:\d\d)\+00:00`, "$2/$3/$1 $4 AM", metrics), log, "times without an offset in 598 rows"},
		"no header":                   {text(rows[1:]), log, ""},
		"tail -c":                     {metrics[len(rows[0])+40:], log, "line 1: it is cut off, and no header"},
		"joined, other columns":       {text(joined), log, ""},
		"by metric, newest first":     {text(byMetric), log, ""},
		"another time zone":           {every(`^2026-11-23T03(.*?)\+00:00`, "2026-11-23T05$1+02:00", metrics), log, ""},
		"percent signs":               {every(`,(\d+),Percent`, ",$1%,Percent", metrics), log, ""},
		"a decimal comma in quotes":   {every(`,(\d+)(?:\.0)?,Percent`, `,"$1,0",Percent`, metrics), log, ""},
		"commas between dimensions":   {each(func(row string) string { return strings.ReplaceAll(row, ";CacheNodeId", ",CacheNodeId") }), log, ""},
		"the CLI's `aws logs tail`":   {metrics, every(`^\[(\S+)Z\] \[(\S+)\] `, "${1}000+00:00 $2 ", log), ""},
		"a log from a spreadsheet":    {metrics, every(`^(.*)$`, `"$1"`, strings.ReplaceAll(strings.TrimSpace(log), `"`, `""`)), ""},
		"histograms wrapped, CRLF":    {metrics, every(`^(.*load: hdr .{60})(.{76})(.*)$`, "$1\r\n$2\r\n$3", log), ""},
		"UTF-16, the high byte first": {wide(t, metrics), wide(t, log), ""},
		"gzip":                        {compressed(t, metrics), compressed(t, log), ""},
		"gzip of UTF-16":              {compressed(t, wide(t, metrics)), compressed(t, wide(t, log)), ""},
		"Excel's CSV (Macintosh)":     {strings.ReplaceAll(metrics, "\n", "\r"), strings.ReplaceAll(log, "\n", "\r"), ""},
		"NULs before lines":           {metrics, every(`^`, "\x00\x00", log), ""},
		"a block of NULs":             {metrics, log[:len(log)/2] + strings.Repeat("\x00", 4096) + log[len(log)/2:], ""},
		"microseconds since 1970":     {since("000000"), log, ""},
		"nanoseconds since 1970":      {since("000000000"), log, ""},
		"thousands in quotes":         {every(`,(\d+)(\d{3}),(Bytes|Count)`, `,"$1,$2",$3`, metrics), log, ""},
		"thousands by thin spaces":    {every(`,(\d+)(\d{3}),(Bytes|Count)`, ",$1\u202f$2,$3", metrics), log, ""},
		"a log in seconds":            {metrics, every(`^\[(\S+)\.000Z\]`, "[${1}Z]", log), ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := ofTexts(t, test.metrics, test.log, c.Manifest())
			require.Equal(t, want.Verdict.Outcome, r.Verdict.Outcome)
			for i, f := range want.Headline {
				require.Equal(t, f.ID, r.Headline[i].ID)
				if f.Value != nil {
					require.InEpsilon(t, 1+*f.Value, 1+*r.Headline[i].Value, 1e-3, f.ID)
				}
			}
			if test.says == "" {
				require.Empty(t, r.Warnings)
			} else {
				require.Contains(t, warnings(r), test.says)
			}
		})
	}

	t.Run("a compressed log that is cut", func(t *testing.T) {
		packed := compressed(t, log)
		r := ofTexts(t, metrics, packed[:len(packed)/2], c.Manifest())
		require.InEpsilon(t, *want.figure("ops_per_second"), *r.figure("ops_per_second"), 0.01)
		require.Contains(t, warnings(r), "the compressed text ends in it: unexpected EOF")
	})
	t.Run("a log without its start", func(t *testing.T) {
		r := ofTexts(t, metrics, text(lines[200:]), c.Manifest())
		require.InEpsilon(t, *want.figure("ops_per_second"), *r.figure("ops_per_second"), 0.001)
		require.InEpsilon(t, *want.figure("latency_p99_ms"), *r.figure("latency_p99_ms"), 0.001)
		require.Contains(t, warnings(r), "the log starts in the middle of the load: the first part of 2 tasks is missing, and operations in it do not count")
	})
	t.Run("a log without its end", func(t *testing.T) {
		r := ofTexts(t, metrics, text(lines[:len(lines)-200]), c.Manifest())
		require.InEpsilon(t, *want.figure("ops_per_second"), *r.figure("ops_per_second"), 0.001)
		require.Contains(t, warnings(r), "printed no histogram: its operations are not in the latencies")
	})
	t.Run("histograms cut", func(t *testing.T) {
		r := ofTexts(t, metrics, every(`^(.*load: hdr .{90}).*$`, "$1", log), c.Manifest())
		require.InEpsilon(t, *want.figure("ops_per_second"), *r.figure("ops_per_second"), 0.001)
		require.Contains(t, warnings(r), "the histogram does not have the checksum that its lines say")
	})
}

func compressed(t *testing.T, text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.String()
}

func wide(t *testing.T, text string) string {
	out, err := unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder().String(text)
	require.NoError(t, err)
	return out
}

// A date whose day and month can be swapped is left out and reported.
func TestDatesThatMayBeEither(t *testing.T) {
	c := synthetic.Plain()
	metrics, log := texts(c)
	r := ofTexts(t, regexp.MustCompile(`(?m)^2026-11-23T(\d+:\d\d):\d\d\+00:00`).ReplaceAllString(metrics, "11/12/2026 $1"), log, c.Manifest())
	require.Contains(t, warnings(r), `the time "11/12/2026 03:08" is not read: write it as 2006-01-02T15:04:05Z`)
}
