package export

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const columnsLine = "Timestamp,Namespace,MetricName,Stat,Value,Unit,Dimensions\n"

// readAll also checks that any error other than a LineError ends the rows.
func readAll(text string) (rows []Row, wrong []string, err error) {
	for row, e := range ReadMetrics(strings.NewReader(text)) {
		switch line := (*LineError)(nil); {
		case errors.As(e, &line):
			wrong = append(wrong, e.Error())
		case e != nil:
			err = cmp.Or(err, e)
		default:
			rows = append(rows, row)
		}
	}
	return rows, wrong, err
}

func TestReadMetricsRejects(t *testing.T) {
	for text, fails := range map[string]string{
		"":                      "the metrics CSV is empty",
		"\n\n":                  "the metrics CSV is empty",
		"Timestamp,Namespace\n": `no column MetricName: expected Timestamp,Namespace,MetricName,Stat,Value,Unit,Dimensions, found "Timestamp,Namespace"`,
		`"Timestamp` + "\n":     "read the header",
	} {
		_, _, err := readAll(text)
		assert.ErrorContains(t, err, fails)
	}
}

func TestReadMetricsOfSpreadsheetsAndScripts(t *testing.T) {
	want := Row{Timestamp: Timestamp{at("2026-11-23T03:08:00Z")}, Namespace: "N", MetricName: "M", Stat: "Sum", Value: 1234.5, Unit: "Count", Dimensions: "A=B;C=D"}
	naive := want
	naive.Naive = true
	const ours = columnsLine + "2026-11-23T03:08:00+00:00,N,M,Sum,1234.5,Count,A=B;C=D\n"
	wide := utf16.Encode([]rune("\ufeff" + ours))
	little, big := &bytes.Buffer{}, &bytes.Buffer{}
	require.NoError(t, errors.Join(binary.Write(little, binary.LittleEndian, wide), binary.Write(big, binary.BigEndian, wide)))
	row := func(stamp, value string) string {
		return columnsLine + stamp + ",N,M,Sum," + value + ",Count,A=B;C=D\n"
	}
	for name, test := range map[string]struct {
		text string
		want Row
	}{
		"as exported":         {ours, want},
		"byte order mark":     {"\ufeff" + ours, want},
		"UTF-16":              {little.String(), want},
		"UTF-16, big-endian":  {big.String(), want},
		"CRLF":                {strings.ReplaceAll(ours, "\n", "\r\n"), want},
		"any order":           {"Value,extra,Unit,Dimensions,Stat,MetricName,Namespace,Timestamp\n1234.5,x,Count,A=B;C=D,Sum,M,N,2026-11-23T05:08:00+02:00\n", want},
		"names":               {strings.ToLower(columnsLine) + strings.TrimPrefix(ours, columnsLine), want},
		"all quoted":          {columnsLine + `"2026-11-23T03:08:00Z","N","M","Sum","1234.5","Count","A=B;C=D"` + "\n", want},
		"semicolons":          {"sep=;\n" + strings.ReplaceAll(columnsLine, ",", ";") + `2026-11-23T03:08:00Z;N;M;Sum;1234,5;Count;"A=B;C=D"` + "\n", want},
		"commas in a pair":    {strings.ReplaceAll(columnsLine, ",", ";") + "2026-11-23T03:08:00Z;N;M;Sum;1.234,5;Count;A=B,C=D\n", want},
		"tabs":                {strings.ReplaceAll(ours, ",", "\t"), want},
		"quoted comma":        {row("2026-11-23T03:08:00Z", `"1,234.5"`), want},
		"thousands apart":     {row("2026-11-23T03:08:00Z", `"1 234,5"`[:2]+"\u00a0"+`234.5"`), want},
		"space":               {row("2026-11-23 03:08:00+00:00", "1234.5"), want},
		"space before offset": {row("2026-11-23 04:08:00 +0100", "1234.5"), want},
		"offset of hours":     {row("2026-11-23 04:08:00+01", "1234.5"), want},
		"UTC":                 {row("2026-11-23 03:08:00 UTC", "1234.5"), want},
		"seconds since 1970":  {row("1795403280", "1234.5"), want},
		"ms since 1970":       {row("1795403280000", "1234.5"), want},
		"naive":               {row("2026-11-23T03:08:00", "1234.5"), naive},
		"naive with a space":  {row("2026-11-23 03:08", "1234.5"), naive},
		"day first":           {row("23.11.2026 03:08", "1234.5"), naive},
		"header again":        {ours[:len(columnsLine)] + ours, want},
		"an empty value":      {row("2026-11-23T03:08:00Z", "") + ours, want},
		"empty lines":         {ours + "\n   \n", want},
	} {
		rows, wrong, err := readAll(test.text)
		require.NoError(t, err, name)
		assert.Empty(t, wrong, name)
		assert.Equal(t, []Row{test.want}, rows, name)
	}
}

func TestInvalidLineIsSkipped(t *testing.T) {
	const good = "2026-11-23T03:08:00Z,N,M,Sum,1,Count,A=B\n"
	for line, fails := range map[string]string{
		"yesterday,N,M,Sum,1,Count,A=B":                          `line 3: the time "yesterday" is not read: write it as 2006-01-02T15:04:05Z`,
		"11/12/2026 03:08,N,M,Sum,1,Count,A=B":                   "line 3: the time",
		"1926-11-23T03:08:00Z,N,M,Sum,1,Count,A=B":               "line 3: the time",
		"2026-11-23T03:08:00Z,N,M,Sum,one,Count,A=B":             `line 3: the value "one" is no number`,
		`2026-11-23T03:08:00Z,N,M,Sum,"1,234",Count,A=B`:         "line 3: the value \"1,234\" may have a decimal comma",
		"2026-11-23T03:08:00Z,N,M,Sum,1,2,Count,A=B":             "line 3: it has 8 fields, the header has 7",
		"2026-11-23T03:08:00Z,N,M,Su":                            "line 3: it has 4 fields, the header has 7",
		`2026-11-23T03:08:00Z,N,M,Sum,1,Count,"A=B`:              "line 3: extraneous or missing",
		"2026-11-23T03:08:00Z,N,M,Sum,1,Count,A=B;C":             "line 3: dimensions",
		strings.Repeat("x", longestRow+1):                        "line 3: it has 65538 bytes, more than 65536",
		"2026-11-23T03:08:00Z,N,M,Sum,1,Count,A=B" + columnsLine: "line 3: it has 13 fields",
	} {
		rows, wrong, err := readAll(columnsLine + good + strings.TrimSuffix(line, "\n") + "\n" + good)
		require.NoError(t, err)
		assert.Len(t, rows, 2, line)
		require.Len(t, wrong, 1)
		assert.ErrorContains(t, errors.New(wrong[0]), fails)
	}
	rows, wrong, err := readAll(columnsLine + good + strings.TrimSuffix(good, "B\n"))
	require.NoError(t, err)
	assert.Len(t, rows, 1)
	assert.Equal(t, []string{`metrics CSV, line 3: it is cut off: no other line has the dimensions "A="`}, wrong, "the last line of a truncated file")
	rows, wrong, err = readAll(columnsLine + good + strings.TrimSuffix(good, "\n"))
	require.NoError(t, err)
	assert.Len(t, rows, 2)
	assert.Empty(t, wrong)
}

// A read error in a gzip file is not treated as a truncated file: half of a file would give wrong figures.
func TestReadErrorInCompressedText(t *testing.T) {
	var text bytes.Buffer
	w := gzip.NewWriter(&text)
	_, err := io.WriteString(w, strings.Repeat("a line\n", 100_000))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for _, broken := range []error{errors.New("read: connection reset by peer"), io.ErrUnexpectedEOF} {
		for _, n := range []int{5, 100, text.Len() - 4} {
			var last error
			for _, err := range Lines(io.MultiReader(bytes.NewReader(text.Bytes()[:n]), iotest.ErrReader(broken)), 100) {
				last = err
			}
			require.ErrorIs(t, last, broken)
			require.NotErrorAs(t, last, new(*LineError), n)
		}
	}
}
