package dashboardpage

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// query is a Logs Insights query, as far as this project's dashboards need it: one log group, filters of @message by regular expression, one parse of it,
// and either the newest events or statistics by bin. https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
type query struct {
	group   string
	like    []*regexp.Regexp
	unlike  []*regexp.Regexp
	parse   *regexp.Regexp // its named groups are fields
	columns []column
	bin     time.Duration
	limit   int
}

// column is one statistic: an expression over avg, sum, min, max and count_distinct, whose arguments are expressions over fields.
type column struct {
	name string
	of   ast.Expr
}

var (
	sourceOf = regexp.MustCompile(`^SOURCE\s+'([^']+)'$`)
	filterOf = regexp.MustCompile(`^filter\s+@message\s+(not\s+)?like\s+/(.*)/$`)
	parseOf  = regexp.MustCompile(`^parse\s+@message\s+/(.*)/$`)
	statsOf  = regexp.MustCompile(`^stats\s+(.*)\s+by\s+bin\((\d+[smh])\)$`)
	columnOf = regexp.MustCompile(`^(.*)\s+as\s+(\w+)$`)
	limitOf  = regexp.MustCompile(`^limit\s+(\d+)$`)
)

func parseQuery(text string) (*query, error) {
	q := &query{limit: 10000} // the documented default
	for _, command := range strings.Split(text, " | ") {
		command = strings.TrimSpace(command)
		bad := fmt.Errorf("this part of the query is not understood here: %s", command)
		if m := sourceOf.FindStringSubmatch(command); m != nil {
			q.group = m[1]
		} else if m := filterOf.FindStringSubmatch(command); m != nil {
			re, err := regexp.Compile(m[2])
			if err != nil {
				return nil, fmt.Errorf("%w: %w", bad, err)
			}
			if m[1] == "" {
				q.like = append(q.like, re)
			} else {
				q.unlike = append(q.unlike, re)
			}
		} else if m := parseOf.FindStringSubmatch(command); m != nil && q.parse == nil {
			re, err := regexp.Compile(m[1])
			if err != nil {
				return nil, fmt.Errorf("%w: %w", bad, err)
			}
			q.parse = re
		} else if m := statsOf.FindStringSubmatch(command); m != nil {
			q.bin, _ = time.ParseDuration(m[2]) // the regular expression has checked it
			for _, part := range strings.Split(m[1], ", ") {
				c := columnOf.FindStringSubmatch(part)
				if c == nil {
					return nil, bad
				}
				of, err := parser.ParseExpr(strings.ReplaceAll(c[1], "@", ""))
				if err != nil {
					return nil, bad
				}
				q.columns = append(q.columns, column{c[2], of})
			}
		} else if m := limitOf.FindStringSubmatch(command); m != nil {
			q.limit, _ = strconv.Atoi(m[1])
		} else if command != "sort @timestamp desc" && !strings.HasPrefix(command, "fields @timestamp") {
			return nil, bad
		}
	}
	if q.group == "" {
		return nil, errors.New("the query names no log group with SOURCE")
	}
	return q, nil
}

func (q *query) match(message string) bool {
	is := func(re *regexp.Regexp) bool { return re.MatchString(message) }
	return !slices.ContainsFunc(q.like, func(re *regexp.Regexp) bool { return !is(re) }) && !slices.ContainsFunc(q.unlike, is)
}

// row is an event with its fields: numbers by name, the rest as text.
type row struct {
	numbers map[string]float64
	stream  string
}

// statistics are the values of each column by the start of their bin.
func (q *query) statistics(events []Event, bin time.Duration) ([]series, error) {
	bins := map[int64][]row{}
	for _, e := range events {
		r := row{map[string]float64{}, e.Stream}
		if q.parse != nil {
			for i, field := range q.parse.FindStringSubmatch(e.Message) {
				if v, err := strconv.ParseFloat(field, 64); err == nil && !math.IsNaN(v) {
					r.numbers[q.parse.SubexpNames()[i]] = v
				}
			}
		}
		at := e.Time.Truncate(bin).Unix()
		bins[at] = append(bins[at], r)
	}
	out := make([]series, len(q.columns))
	for i, c := range q.columns {
		out[i] = series{}
		for at, rows := range bins {
			v, err := statistic(c.of, rows)
			if err != nil {
				return nil, err
			}
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				out[i][at] = v
			}
		}
	}
	return out, nil
}

// statistic is the value of an expression over all rows; NaN where no row has its fields.
func statistic(e ast.Expr, rows []row) (float64, error) {
	call, is := e.(*ast.CallExpr)
	if !is {
		return arithmetic(e, func(e ast.Expr) (float64, error) { return statistic(e, rows) })
	}
	name, is := call.Fun.(*ast.Ident)
	if !is || len(call.Args) != 1 {
		return 0, errors.New("a statistic has one argument")
	}
	if of, is := call.Args[0].(*ast.Ident); name.Name == "count_distinct" && is && of.Name == "logStream" {
		streams := map[string]bool{}
		for _, r := range rows {
			streams[r.stream] = true
		}
		return float64(len(streams)), nil
	}
	reduce := map[string]func([]float64) float64{"avg": aggregates["AVG"], "sum": sum, "min": aggregates["MIN"], "max": aggregates["MAX"]}[name.Name]
	if reduce == nil {
		return 0, fmt.Errorf("the statistic %s is not calculated here", name.Name)
	}
	var values []float64
	for _, r := range rows {
		v, err := field(call.Args[0], r)
		if err != nil {
			return 0, err
		}
		if !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return math.NaN(), nil
	}
	return reduce(values), nil
}

// field is the value of an expression over the fields of a row; NaN where it has none of that name.
func field(e ast.Expr, r row) (float64, error) {
	if name, is := e.(*ast.Ident); is {
		if v, has := r.numbers[name.Name]; has {
			return v, nil
		}
		return math.NaN(), nil
	}
	return arithmetic(e, func(e ast.Expr) (float64, error) { return field(e, r) })
}

func arithmetic(e ast.Expr, value func(ast.Expr) (float64, error)) (float64, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return value(e.X)
	case *ast.BasicLit:
		return strconv.ParseFloat(e.Value, 64)
	case *ast.BinaryExpr:
		left, err := value(e.X)
		right, err2 := value(e.Y)
		if err = errors.Join(err, err2); err != nil {
			return 0, err
		}
		switch e.Op {
		case token.ADD:
			return left + right, nil
		case token.SUB:
			return left - right, nil
		case token.MUL:
			return left * right, nil
		case token.QUO:
			return left / right, nil
		}
	}
	return 0, errors.New("the query has other than + - * / and functions of one argument")
}
