package report

import (
	_ "embed"
	"encoding/csv"
	"strconv"
	"strings"
	"sync"

	"github.com/elasticache-perf/elasticache-perf/lambda/price"
)

// The reference data says where it comes from and of when it is on top of the file.
//
//go:embed data/node_types.csv
var nodeTypesText string

// nodeType is what AWS says of a cache node type. Bandwidth is in bytes/s of each direction; burst is 0 when the type does not burst.
type nodeType struct {
	vcpu            int
	memoryGiB       float64
	baseline, burst float64
}

type reference struct {
	nodeTypes  map[string]nodeType
	nodeHour   map[[3]string]float64    // region, node type, engine -> USD
	fargate    map[[2]string][2]float64 // region, architecture -> USD of a vCPU-hour and of a GB-hour
	serverless map[[2]string][3]float64 // region, engine -> USD of a million ECPUs and of a GB-hour, and the least GB
	types      Data
	nodes      Data
	caches     Data // serverless
	tasks      Data
}

var facts = sync.OnceValue(func() *reference {
	known := price.Known()
	r := &reference{nodeTypes: map[string]nodeType{}, nodeHour: known.NodeHour, fargate: known.Fargate, serverless: known.Serverless,
		types: dated("node types", nodeTypesText), nodes: Data(known.Nodes), caches: Data(known.Caches), tasks: Data(known.Tasks)}
	for _, row := range table(nodeTypesText) {
		vcpu, _ := strconv.Atoi(row[1])
		r.nodeTypes[row[0]] = nodeType{vcpu: vcpu, memoryGiB: number(row[2]), baseline: number(row[3]) * 1e9 / 8, burst: number(row[4]) * 1e9 / 8}
	}
	return r
})

// table is the rows below the header.
func table(text string) [][]string {
	in := csv.NewReader(strings.NewReader(text))
	in.Comment = '#'
	rows, err := in.ReadAll()
	if err != nil {
		panic("internal/report/data: " + err.Error()) // the file is part of the binary
	}
	return rows[1:]
}

// dated reads the comments on top of a file.
func dated(name, text string) Data {
	d := Data{Name: name}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "# source: "); ok {
			d.Source = strings.TrimSpace(v)
		}
		if v, ok := strings.CutPrefix(line, "# as of: "); ok {
			d.AsOf = strings.TrimSpace(v)
		}
	}
	return d
}

func (d Data) String() string { return d.Source + ", as of " + d.AsOf }

// number is 0 for what is none.
func number(text string) float64 {
	v, _ := strconv.ParseFloat(text, 64)
	return v
}
