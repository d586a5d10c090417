// Package reference has dated facts about AWS, for the report and for what the stop's function tells: what a cache node type has, and on-demand list
// prices. Each table says where it comes from and of when it is.
package reference

import (
	_ "embed"
	"encoding/csv"
	"strconv"
	"strings"
	"sync"
)

var (
	//go:embed node_types.csv
	typesText string
	//go:embed node_prices.csv
	nodesText string
	//go:embed serverless_prices.csv
	serverlessText string
	//go:embed fargate_prices.csv
	fargateText string
)

// Table is a table's name, where it comes from, and of which day it is.
type Table struct{ Name, Source, AsOf string }

func (t Table) String() string { return t.Source + ", as of " + t.AsOf }

// NodeType is what AWS says of a cache node type. Bandwidth is in bytes/s of each direction; Burst is 0 when the type does not burst.
type NodeType struct {
	VCPU            int
	MemoryGiB       float64
	Baseline, Burst float64
}

// Facts are all tables; prices are in USD. What is not in them is not known.
type Facts struct {
	NodeTypes  map[string]NodeType
	NodeHour   map[[3]string]float64    // region, node type, engine (redis, valkey) -> of a node-hour
	Fargate    map[[2]string][2]float64 // region, architecture (X86_64, ARM64) -> of a vCPU-hour and of a GB-hour
	Serverless map[[2]string][3]float64 // region, engine -> of a million ECPUs and of a GB-hour, and the least GB

	Types, Nodes, Tasks, Caches Table // of NodeTypes, NodeHour, Fargate and Serverless
}

// Known are the facts that the binary has.
var Known = sync.OnceValue(func() *Facts {
	f := &Facts{NodeTypes: map[string]NodeType{}, NodeHour: map[[3]string]float64{}, Fargate: map[[2]string][2]float64{}, Serverless: map[[2]string][3]float64{},
		Types: describe("node types", typesText), Nodes: describe("ElastiCache prices", nodesText),
		Caches: describe("ElastiCache Serverless prices", serverlessText), Tasks: describe("Fargate prices", fargateText)}
	for _, row := range rows(typesText) {
		vcpu, _ := strconv.Atoi(row[1])
		f.NodeTypes[row[0]] = NodeType{VCPU: vcpu, MemoryGiB: number(row[2]), Baseline: number(row[3]) * 1e9 / 8, Burst: number(row[4]) * 1e9 / 8}
	}
	for _, row := range rows(nodesText) {
		for i, engine := range []string{"redis", "valkey"} {
			if usd := number(row[2+i]); usd > 0 {
				f.NodeHour[[3]string{row[0], row[1], engine}] = usd
			}
		}
	}
	for _, row := range rows(serverlessText) {
		f.Serverless[[2]string{row[0], row[1]}] = [3]float64{number(row[2]), number(row[3]), number(row[4])}
	}
	for _, row := range rows(fargateText) {
		f.Fargate[[2]string{row[0], row[1]}] = [2]float64{number(row[2]), number(row[3])}
	}
	return f
})

// rows are those below the header.
func rows(text string) [][]string {
	in := csv.NewReader(strings.NewReader(text))
	in.Comment = '#'
	all, err := in.ReadAll()
	if err != nil {
		panic("lambda/reference: " + err.Error()) // the file is part of the binary
	}
	return all[1:]
}

// describe reads the comments on top of a table.
func describe(name, text string) Table {
	t := Table{Name: name}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "# source: "); ok {
			t.Source = strings.TrimSpace(v)
		}
		if v, ok := strings.CutPrefix(line, "# as of: "); ok {
			t.AsOf = strings.TrimSpace(v)
		}
	}
	return t
}

// number is 0 for what is none.
func number(text string) float64 {
	v, _ := strconv.ParseFloat(text, 64)
	return v
}
