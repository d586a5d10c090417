package export

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Row is one datapoint of one series, one line of the metrics CSV. Value is in Unit, for the period that starts at Timestamp. Unit is empty
// for a metric that is not in the catalog, because GetMetricData does not return units.
type Row struct {
	Timestamp  Timestamp
	Namespace  string
	MetricName string
	Stat       string
	Value      float64
	Unit       string
	Dimensions string // written by FormatDimensions

	Naive bool // the time in the file has no offset: UTC is assumed
}

// Columns is the header of the metrics CSV.
var Columns = []string{"Timestamp", "Namespace", "MetricName", "Stat", "Value", "Unit", "Dimensions"}

// Timestamp is written as ISO 8601 in UTC with its offset, in whole seconds as CloudWatch has them: 2026-11-23T03:08:00+00:00.
type Timestamp struct{ time.Time }

const timestampLayout = "2006-01-02T15:04:05+00:00"

var (
	escapeDimension   = strings.NewReplacer(`\`, `\\`, `;`, `\;`, `=`, `\=`, "\n", `\n`, "\r", `\r`)
	unescapeDimension = map[byte]byte{'n': '\n', 'r': '\r'}
)

// FormatDimensions writes dimensions as Name=Value;Name=Value, sorted by name. A backslash escapes ; = \ and line breaks inside a name
// or a value, so that ParseDimensions returns the same pairs.
func FormatDimensions(dimensions []types.Dimension) string {
	pairs := slices.Clone(dimensions)
	slices.SortFunc(pairs, func(a, b types.Dimension) int {
		if c := strings.Compare(aws.ToString(a.Name), aws.ToString(b.Name)); c != 0 {
			return c
		}
		return strings.Compare(aws.ToString(a.Value), aws.ToString(b.Value))
	})
	var text strings.Builder
	for i, d := range pairs {
		if i > 0 {
			text.WriteByte(';')
		}
		text.WriteString(escapeDimension.Replace(aws.ToString(d.Name)))
		text.WriteByte('=')
		text.WriteString(escapeDimension.Replace(aws.ToString(d.Value)))
	}
	return text.String()
}

// ParseDimensions reads what FormatDimensions wrote into a map from name to value.
func ParseDimensions(text string) (map[string]string, error) {
	dimensions := map[string]string{}
	var name string
	var part []byte
	named := false
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text) || text[i] == ';':
			if !named {
				if i == len(text) && len(text) == 0 {
					return dimensions, nil
				}
				return nil, fmt.Errorf("dimensions %q: a pair has no =", text)
			}
			dimensions[name], part, named = string(part), part[:0], false
		case text[i] == '=' && !named:
			name, part, named = string(part), part[:0], true
		case text[i] == '\\' && i+1 < len(text):
			i++
			c, ok := unescapeDimension[text[i]]
			if !ok {
				c = text[i]
			}
			part = append(part, c)
		default:
			part = append(part, text[i])
		}
	}
	return dimensions, nil
}
