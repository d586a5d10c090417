package elasticache

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"
)

// engineVersion is a version that ElastiCache offers: short is what callers ask for, full is what DescribeCacheClusters shows.
type engineVersion struct{ engine, short, full, family string }

// engineVersions, oldest first; a caller who names none gets the newest of the engine.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/engine-versions.html
var engineVersions = []engineVersion{
	{"redis", "6.0", "6.0.5", "redis6.x"},
	{"redis", "6.2", "6.2.6", "redis6.x"},
	{"redis", "7.0", "7.0.7", "redis7"},
	{"redis", "7.1", "7.1.0", "redis7"},
	{"valkey", "7.2", "7.2.6", "valkey7"},
	{"valkey", "8.0", "8.0.1", "valkey8"},
	{"valkey", "8.1", "8.1.0", "valkey8"},
	{"valkey", "8.2", "8.2.0", "valkey8"},
	{"valkey", "9.0", "9.0.0", "valkey9"},
	{"valkey", "9.1", "9.1.0", "valkey9"},
}

// findVersion resolves what a caller asked for; redis 6.x is its newest minor version.
func findVersion(engine, asked string) (engineVersion, error) {
	if engine != "redis" && engine != "valkey" {
		return engineVersion{}, invalidValue("Invalid cache engine: %s. localaws has redis and valkey.", engine)
	}
	for _, v := range slices.Backward(engineVersions) {
		switch {
		case v.engine != engine:
		case asked == "" || asked == v.short || asked == "6.x" && v.family == "redis6.x":
			return v, nil
		case asked == v.full: // https://github.com/crossplane-contrib/provider-aws/issues/1617
			return engineVersion{}, invalidCombination("Specific version selection is not allowed for %s, please use %s", asked, v.short)
		}
	}
	return engineVersion{}, invalidCombination("Cannot find version %s for %s", asked, engine)
}

// atLeast compares "6.2.6" with "6.2".
func (v engineVersion) atLeast(minimum string) bool {
	have, want := strings.Split(v.full, "."), strings.Split(minimum, ".")
	for i := range want {
		h, _ := strconv.Atoi(have[i])
		w, _ := strconv.Atoi(want[i])
		if h != w {
			return h > w
		}
	}
	return true
}

// nodeType is a size of node: memory in bytes, bandwidth in bits per second.
type nodeType struct {
	name             string
	vcpu             int
	memory, baseline float64
}

//go:embed node_types.csv
var nodeTypesCSV []byte

// nodeTypes: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html
var nodeTypes = parseNodeTypes()

func parseNodeTypes() map[string]nodeType {
	rows, err := csv.NewReader(bytes.NewReader(nodeTypesCSV)).ReadAll()
	if err != nil {
		panic(err) // embedded
	}
	out := map[string]nodeType{}
	for _, r := range rows[1:] { // node_type,vcpu,memory_gib,baseline_gbps,burst_gbps
		vcpu, _ := strconv.Atoi(r[1])
		memory, _ := strconv.ParseFloat(r[2], 64)
		gbps, _ := strconv.ParseFloat(r[3], 64)
		out[r[0]] = nodeType{r[0], vcpu, memory * (1 << 30), gbps * 1e9}
	}
	return out
}

func findNodeType(name, engine string) (nodeType, error) {
	t, ok := nodeTypes[name]
	family := strings.Split(name, ".")
	switch {
	case !ok:
		return t, invalidValue("Invalid cache node type: %s.", name)
	case family[1] == "t2":
		return t, invalidValue("The node type %s can no longer be created: take cache.t3 or cache.t4g.", name)
	case engine == "redis" && slices.Contains([]string{"c8gn", "m8g", "r8g"}, family[1]):
		return t, invalidCombination("The node type %s is not offered for redis, only for valkey.", name)
	}
	return t, nil
}
