package cloudwatch

import (
	"slices"
	"strings"
)

func checkNamespace(n string) error {
	if n == "" || len(n) > 255 || strings.HasPrefix(n, ":") {
		return invalidValue("The value %q for parameter Namespace is invalid: it must have 1 to 255 characters and not begin with a colon.", n)
	}
	return nil
}

func checkMetric(namespace, name string, dims []Dimension) error {
	if err := checkNamespace(namespace); err != nil {
		return err
	}
	if name == "" || len(name) > 255 {
		return invalidValue("The value %q for parameter MetricName is invalid: it must have 1 to 255 characters.", name)
	}
	if len(dims) > 30 {
		return invalidValue("A metric has at most 30 dimensions, not %d.", len(dims))
	}
	for i, d := range dims {
		if d.Name == "" || len(d.Name) > 255 || strings.HasPrefix(d.Name, ":") || d.Value == "" || len(d.Value) > 1024 {
			return invalidValue("Dimension %q=%q is invalid: names have 1 to 255 characters and no leading colon, values 1 to 1024.", d.Name, d.Value)
		}
		if slices.ContainsFunc(dims[:i], func(o Dimension) bool { return o.Name == d.Name }) {
			return invalidValue("Dimension %s is given twice.", d.Name)
		}
	}
	return nil
}
