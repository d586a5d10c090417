package export

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const longestRow = 64 << 10 // bytes; CloudWatch accepts 30 dimensions of 255 + 1,024 characters

// ReadMetrics yields the rows of a metrics CSV. It accepts what spreadsheets and scripts turn one into: columns in any order and additional ones,
// semicolons or tabs between them, decimal commas, several time formats, further headers, and no header if the columns are the exported ones. A row
// without a value is no datapoint. With a *LineError only that line is lost; any other error ends the sequence.
func ReadMetrics(r io.Reader) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		var t *sheet
		var none error // why the first line is no header: it can be the rest of a row
		for line, err := range Lines(r, longestRow) {
			var row Row
			kept := false
			switch {
			case err != nil:
			case len(bytes.TrimSpace(line.Text)) == 0, t == nil && bytes.HasPrefix(line.Text, []byte("sep=")): // a spreadsheet's hint
			case t == nil || isHeader(line.Text): // or the header of a concatenated file
				next, wrong := newSheet(string(line.Text))
				if wrong != nil && t == nil {
					if next = headless(string(line.Text)); next != nil {
						row, kept, err = next.row(string(line.Text), line.Open)
					} else if none != nil {
						yield(Row{}, none)
						return
					} else {
						none, err = wrong, errors.New("it is cut off, and no header")
					}
				} else if wrong != nil {
					next, err = t, wrong
				}
				t = next
			default:
				row, kept, err = t.row(string(line.Text), line.Open)
			}
			if err != nil && line.Text != nil {
				err = &LineError{line.Number, err}
			}
			if err == nil && !kept {
				continue
			}
			if err != nil {
				err = fmt.Errorf("metrics CSV, %w", err)
			}
			if !yield(row, err) {
				return
			}
		}
		if t == nil {
			if none == nil {
				none = errors.New("the metrics CSV is empty")
			}
			yield(Row{}, none)
		}
	}
}

// sheet is a CSV's format.
type sheet struct {
	comma      byte
	fields     int
	at         [7]int // of Columns
	record     []string
	dimensions map[string]string // as written, and as FormatDimensions writes them
}

func newSheet(header string) (*sheet, error) {
	found := 0
	t := &sheet{comma: ',', dimensions: map[string]string{}}
	for _, comma := range []byte{',', ';', '\t'} {
		if n := strings.Count(header, string(comma)); n > found {
			t.comma, found = comma, n
		}
	}
	fields, err := t.split(header)
	if err != nil {
		return nil, fmt.Errorf("read the header of the metrics CSV: %w", err)
	}
	for i, f := range fields {
		fields[i] = strings.TrimSpace(f)
	}
	t.fields = len(fields)
	for i, name := range Columns {
		if t.at[i] = slices.IndexFunc(fields, func(f string) bool { return strings.EqualFold(f, name) }); t.at[i] < 0 {
			return nil, fmt.Errorf("the metrics CSV has no column %s: expected %s, found %.300q", name, strings.Join(Columns, ","), header)
		}
	}
	return t, nil
}

// isHeader reports whether a line is a header.
func isHeader(line []byte) bool {
	return (line[0] < '0' || line[0] > '9') && bytes.Contains(line, []byte(Columns[0])) && bytes.Contains(line, []byte(Columns[2]))
}

// headless returns the sheet of a file without a header, whose first line is a row: its start was cut off. It returns nil if the number of columns or
// the namespace, which is always AWS's, does not fit.
func headless(line string) *sheet {
	t, err := newSheet(strings.Join(Columns, ","))
	if err != nil || strings.Count(line, ",") != len(Columns)-1 || !strings.Contains(line, "AWS/") {
		return nil
	}
	return t
}

// split splits a line into fields; without encoding/csv if nothing is quoted, because there can be millions of such lines.
func (t *sheet) split(line string) ([]string, error) {
	t.record = t.record[:0]
	if strings.IndexByte(line, '"') >= 0 {
		in := csv.NewReader(strings.NewReader(line))
		in.Comma = rune(t.comma)
		record, err := in.Read()
		if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
			err = parse.Err // its line number counts within this line only
		}
		return record, err
	}
	for {
		i := strings.IndexByte(line, t.comma)
		if i < 0 {
			t.record = append(t.record, line)
			return t.record, nil
		}
		t.record, line = append(t.record, line[:i]), line[i+1:]
	}
}

// row reads a line; false: it has no datapoint. A last line without a line break may be truncated.
func (t *sheet) row(line string, open bool) (row Row, kept bool, err error) {
	record, err := t.split(line)
	if err != nil {
		return row, false, err
	}
	if more := len(record) - t.fields; more > 0 && t.at[6] == t.fields-1 && !slices.ContainsFunc(record[t.at[6]:], func(f string) bool { return !strings.Contains(f, "=") }) {
		record[t.at[6]] = strings.Join(record[t.at[6]:], ";") // dimensions with commas between them
		record = record[:t.fields]
	}
	if len(record) != t.fields {
		return row, false, fmt.Errorf("it has %d fields, the header has %d", len(record), t.fields)
	}
	field := func(column int) string { return strings.TrimSpace(record[t.at[column]]) }
	value := field(4)
	if value == "" {
		return row, false, nil
	}
	stamp, naive, err := parseTime(field(0))
	if err != nil {
		return row, false, err
	}
	if row.Value, err = t.number(value); err != nil {
		return row, false, err
	}
	text := field(6)
	dimensions, met := t.dimensions[text]
	if !met {
		if open {
			return row, false, fmt.Errorf("it is cut off: no other line has the dimensions %q", text)
		}
		if dimensions, err = t.pairs(text); err != nil {
			return row, false, err
		}
		t.dimensions[strings.Clone(text)] = dimensions
	}
	row.Timestamp, row.Naive, row.Dimensions = Timestamp{stamp}, naive, dimensions
	row.Namespace, row.MetricName, row.Stat, row.Unit = field(1), field(2), field(3), field(5)
	return row, true, nil
}

// If semicolons separate columns, people put commas between dimensions.
var commaPair = regexp.MustCompile(`,\s*(\w+=)`)

func (t *sheet) pairs(text string) (string, error) {
	if t.comma == ';' && !strings.Contains(text, ";") {
		text = commaPair.ReplaceAllString(text, ";$1")
	}
	_, err := ParseDimensions(text)
	return strings.Clone(text), err
}

var grouping = strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", "'", "")

// number reads a value, also with a decimal comma or thousands separators if it is clear which of the two a character is.
func (t *sheet) number(text string) (float64, error) {
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return v, nil
	}
	plain := strings.TrimSuffix(grouping.Replace(text), "%")
	dots, commas := strings.Count(plain, "."), strings.Count(plain, ",")
	switch comma := strings.LastIndexByte(plain, ','); {
	case dots > 1 && commas == 0, commas == 1 && dots > 0 && comma > strings.LastIndexByte(plain, '.'), commas == 1 && dots == 0 && (t.comma != ',' || len(plain)-comma-1 != 3):
		plain = strings.ReplaceAll(strings.ReplaceAll(plain, ".", ""), ",", ".") // 1.234,5
	case commas > 1 && dots <= 1, commas == 1 && dots == 1:
		plain = strings.ReplaceAll(plain, ",", "") // 1,234.5
	case commas == 1:
		return 0, fmt.Errorf("the value %q may have a decimal comma or a thousands separator: write it with a decimal point", text)
	}
	v, err := strconv.ParseFloat(plain, 64)
	if err != nil {
		return 0, fmt.Errorf("the value %q is no number", text)
	}
	return v, nil
}

// Time formats, those without an offset last. The order of day and month with slashes is ambiguous: they are read only if one of them cannot be a month.
var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04Z07:00",
	"2006-01-02T15:04:05", "2006-01-02T15:04", "2.1.2006T15:04:05", "2.1.2006T15:04"}

var slashed = [2][]string{{"1/2/2006T15:04:05", "1/2/2006T15:04", "1/2/2006T3:04:05PM", "1/2/2006T3:04PM"}, {"2/1/2006T15:04:05", "2/1/2006T15:04", "2/1/2006T3:04:05PM", "2/1/2006T3:04PM"}}

// parseSlashed reads a date with slashes that is valid in one order only.
func parseSlashed(text string) (at time.Time, ok bool) {
	found := 0
	for _, layouts := range slashed {
		for _, layout := range layouts {
			if t, err := time.Parse(layout, text); err == nil {
				at, found = t, found+1
				break
			}
		}
	}
	return at, found == 1
}

const naiveLayouts = 4 // the first ones have an offset

// parseTime reads a time of this century; naive means that it has no offset and UTC was assumed.
func parseTime(text string) (at time.Time, naive bool, err error) {
	if at, err = time.Parse(time.RFC3339, text); err != nil {
		zone := ""
		iso, utc := strings.CutSuffix(text, "UTC")
		if utc {
			zone = "Z"
		}
		iso = strings.ReplaceAll(strings.Replace(strings.TrimSpace(iso), " ", "T", 1), " ", "") + zone
		for i, layout := range timeLayouts {
			if at, err = time.Parse(layout, iso); err == nil {
				naive = i >= naiveLayouts
				break
			}
		}
		if t, ok := parseSlashed(iso); ok {
			at, naive, err = t, true, nil
		}
		if n, number := strconv.ParseInt(text, 10, 64); number == nil { // since 1970, in seconds, milliseconds, microseconds or nanoseconds
			switch err = nil; {
			case n > 1e17:
				at = time.Unix(0, n)
			case n > 1e14:
				at = time.UnixMicro(n)
			case n > 1e11:
				at = time.UnixMilli(n)
			default:
				at = time.Unix(n, 0)
			}
		}
	}
	if at = at.UTC(); err != nil || at.Year() < 2000 || at.Year() > 2099 {
		return at, false, fmt.Errorf("the time %q is not read: write it as 2006-01-02T15:04:05Z", text)
	}
	return at, naive, nil
}
