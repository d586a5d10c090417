package dashboardpage

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"slices"
	"strconv"
	"strings"
)

// series are values by Unix time.
type series map[int64]float64

// result is what metric math calls S, TS or TS[]: a number, a time series, or several of them.
type result struct {
	number float64
	one    series
	all    []series
}

// fetched is a metric of a graph with its values.
type fetched struct {
	Metric
	values series
}

// calculate is metric math, as far as this project's dashboards need it: + - * / and ( ), ids, METRICS("..."), PERIOD(id), and SUM, AVG, MIN and MAX of
// several series, which may be listed in [ ]. Its expressions are Go's, too, but for that list. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
func calculate(expression string, metrics []fetched) ([]series, error) {
	tree, err := parser.ParseExpr(strings.NewReplacer("[", "LIST(", "]", ")").Replace(expression))
	if err != nil {
		return nil, fmt.Errorf("metric math %q is not understood here", expression)
	}
	r, err := eval(tree, metrics)
	switch {
	case err != nil:
		return nil, fmt.Errorf("metric math %q is not calculated here: %w", expression, err)
	case r.all != nil:
		return r.all, nil
	case r.one != nil:
		return []series{r.one}, nil
	}
	return nil, fmt.Errorf("metric math %q is a number, not a time series", expression)
}

func eval(e ast.Expr, metrics []fetched) (result, error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return eval(e.X, metrics)
	case *ast.BasicLit:
		n, err := strconv.ParseFloat(e.Value, 64)
		return result{number: n}, err
	case *ast.Ident:
		m, err := byID(e, metrics)
		return result{one: m.values}, err
	case *ast.BinaryExpr:
		left, err := eval(e.X, metrics)
		if err != nil {
			return left, err
		}
		right, err := eval(e.Y, metrics)
		if err != nil {
			return right, err
		}
		return combine(e.Op, left, right)
	case *ast.CallExpr:
		if name, ok := e.Fun.(*ast.Ident); ok && (len(e.Args) < 2 || name.Name == "LIST") {
			return call(name.Name, e.Args, metrics)
		}
	}
	return result{}, errors.New("it has other than + - * / and functions of one argument")
}

func byID(e ast.Expr, metrics []fetched) (fetched, error) {
	if id, ok := e.(*ast.Ident); ok {
		if i := slices.IndexFunc(metrics, func(m fetched) bool { return m.id == id.Name }); i >= 0 {
			return metrics[i], nil
		}
		return fetched{}, fmt.Errorf("there is no metric of the id %s", id.Name)
	}
	return fetched{}, errors.New("there is no id where one must be")
}

func call(name string, args []ast.Expr, metrics []fetched) (result, error) {
	switch {
	case name == "METRICS":
		part := ""
		if len(args) == 1 {
			text, ok := args[0].(*ast.BasicLit)
			if !ok || text.Kind != token.STRING {
				return result{}, errors.New("METRICS takes a part of an id, in quotes")
			}
			part, _ = strconv.Unquote(text.Value) // Go's parser has checked it
		}
		r := result{all: []series{}}
		for _, m := range metrics {
			if strings.Contains(m.id, part) {
				r.all = append(r.all, m.values)
			}
		}
		return r, nil
	case name == "LIST":
		r := result{all: []series{}}
		for _, arg := range args {
			one, err := eval(arg, metrics)
			if err == nil && one.one == nil {
				err = errors.New("a list of other than time series")
			}
			if err != nil {
				return r, err
			}
			r.all = append(r.all, one.one)
		}
		return r, nil
	case name == "PERIOD" && len(args) == 1:
		m, err := byID(args[0], metrics)
		return result{number: m.Period.Seconds()}, err
	case aggregates[name] != nil && len(args) == 1:
		r, err := eval(args[0], metrics)
		if err == nil && r.all == nil {
			err = fmt.Errorf("%s of other than several series", name)
		}
		if err != nil {
			return r, err
		}
		at := map[int64][]float64{}
		for _, s := range r.all {
			for t, v := range s {
				at[t] = append(at[t], v)
			}
		}
		sum := result{one: series{}}
		for t, values := range at {
			sum.one[t] = aggregates[name](values)
		}
		return sum, nil
	}
	return result{}, fmt.Errorf("it has the function %s", name)
}

var aggregates = map[string]func([]float64) float64{
	"SUM": sum, "AVG": func(v []float64) float64 { return sum(v) / float64(len(v)) }, "MIN": slices.Min[[]float64], "MAX": slices.Max[[]float64],
}

func sum(values []float64) (total float64) {
	slices.Sort(values) // the same sum, whatever order a map gives
	for _, v := range values {
		total += v
	}
	return total
}

func combine(op token.Token, left, right result) (result, error) {
	do := map[token.Token]func(a, b float64) float64{
		token.ADD: func(a, b float64) float64 { return a + b }, token.SUB: func(a, b float64) float64 { return a - b },
		token.MUL: func(a, b float64) float64 { return a * b }, token.QUO: func(a, b float64) float64 { return a / b },
	}[op]
	if do == nil {
		return result{}, fmt.Errorf("it has the operator %s", op)
	}
	each := func(s series, with func(t int64, v float64) float64) series {
		out := series{}
		for t, v := range s {
			if x := with(t, v); !math.IsInf(x, 0) && !math.IsNaN(x) { // a division by 0 gives no value
				out[t] = x
			}
		}
		return out
	}
	switch {
	case left.one != nil && right.one != nil:
		return result{one: each(left.one, func(t int64, v float64) float64 {
			if other, ok := right.one[t]; ok {
				return do(v, other)
			}
			return math.NaN()
		})}, nil
	case left.one == nil && left.all == nil && right.one == nil && right.all == nil:
		return result{number: do(left.number, right.number)}, nil
	case right.one == nil && right.all == nil:
		with := func(_ int64, v float64) float64 { return do(v, right.number) }
		if left.one != nil {
			return result{one: each(left.one, with)}, nil
		}
		all := result{all: []series{}}
		for _, s := range left.all {
			all.all = append(all.all, each(s, with))
		}
		return all, nil
	case left.one == nil && left.all == nil && right.one != nil:
		return result{one: each(right.one, func(_ int64, v float64) float64 { return do(left.number, v) })}, nil
	}
	return result{}, errors.New("it combines several series with several")
}
