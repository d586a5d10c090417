package elasticache

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
)

// parameter is a parameter of a family, with its default.
type parameter struct {
	name, value, kind, allowed string
	modifiable                 bool
	change                     string // immediate or requires-reboot
	from, to                   int    // major versions of the families that have it
}

//go:embed parameters.csv
var parametersCSV []byte

// parameterTable lists names, defaults and bounds as in DescribeCacheParameters, without those of modules that local
// servers lack (search, JSON).
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html
var parameterTable = parseParameters()

func parseParameters() []parameter {
	rows, err := csv.NewReader(bytes.NewReader(parametersCSV)).ReadAll()
	if err != nil {
		panic(err) // embedded
	}
	var out []parameter
	for _, r := range rows[1:] {
		from, _ := strconv.Atoi(r[6])
		to, _ := strconv.Atoi(r[7])
		out = append(out, parameter{r[0], r[1], r[2], r[3], r[4] == "true", r[5], from, to})
	}
	return out
}

// family is a parameter family that several versions share; minimum is the oldest version that accepts all its parameters.
type family struct {
	major   int
	minimum string
}

var families = map[string]family{
	"redis6.x": {6, "6.0.5"}, "redis7": {7, "7.0.4"}, "valkey7": {7, "7.2.6"}, "valkey8": {8, "8.0.1"}, "valkey9": {9, "9.0.0"},
}

// familyParameters gives a family's parameters by name.
func familyParameters(name string) map[string]parameter {
	major, out := families[name].major, map[string]parameter{}
	for _, p := range parameterTable {
		if p.from <= major && major <= p.to {
			out[p.name] = p
		}
	}
	return out
}

var span = regexp.MustCompile(`^(-?\d+)-(-?\d+)?$`)

// accepts says whether a value is within what a parameter allows: "yes,no", "1-75", "0-", "0,20-", "-" for any number.
func (p parameter) accepts(v string) bool {
	if p.kind == "integer" {
		if _, err := strconv.ParseInt(v, 10, 64); err != nil {
			return false
		}
	}
	if p.allowed == "" || p.allowed == "-" {
		return true
	}
	for _, a := range strings.Split(p.allowed, ",") {
		if a == v {
			return true
		}
		m := span.FindStringSubmatch(a)
		if m == nil {
			continue
		}
		n, err := strconv.ParseInt(v, 10, 64)
		low, _ := strconv.ParseInt(m[1], 10, 64)
		high, errHigh := strconv.ParseInt(m[2], 10, 64)
		if err == nil && n >= low && (m[2] == "" || errHigh == nil && n <= high) {
			return true
		}
	}
	return false
}

// parameterGroup holds the values that differ from its family's defaults.
type parameterGroup struct {
	name, family, description string
	values                    map[string]string
	system                    bool // a default group: cannot be changed
	tags                      tagset.Set
}

// defaultGroups has two groups of each family, one of them for cluster mode.
func defaultGroups() map[string]*parameterGroup {
	out := map[string]*parameterGroup{}
	for f := range families {
		out["default."+f] = &parameterGroup{name: "default." + f, family: f, description: "Default parameter group for " + f, system: true}
		on := "default." + f + ".cluster.on"
		out[on] = &parameterGroup{name: on, family: f, description: "Customized default parameter group for " + f + " with cluster mode on", system: true,
			values: map[string]string{"cluster-enabled": "yes"}}
	}
	return out
}

// get is a parameter's value in the group; "" when the family does not have it.
func (g *parameterGroup) get(name string) string {
	if v, ok := g.values[name]; ok {
		return v
	}
	return familyParameters(g.family)[name].value
}

// effective returns every parameter that a caller can set, with its value; user is whether a caller has set it.
func (g *parameterGroup) effective() []setting {
	var out []setting
	for name, p := range familyParameters(g.family) {
		if v, user := g.values[name]; user || p.modifiable {
			if !user {
				v = p.value
			}
			out = append(out, setting{name, v, user})
		}
	}
	slices.SortFunc(out, func(a, b setting) int { return strings.Compare(a.name, b.name) })
	return out
}

type setting struct {
	name, value string
	user        bool
}
