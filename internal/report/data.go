package report

import (
	_ "embed"
	"encoding/csv"
	"strconv"
	"strings"
	"sync"
)

// The reference data says where it comes from and of when it is on top of each file.
var (
	//go:embed data/node_types.csv
	nodeTypesText string
	//go:embed data/node_prices.csv
	nodePricesText string
	//go:embed data/serverless_prices.csv
	serverlessPricesText string
	//go:embed data/fargate_prices.csv
	fargatePricesText string
)

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
	r := &reference{nodeTypes: map[string]nodeType{}, nodeHour: map[[3]string]float64{}, fargate: map[[2]string][2]float64{}, serverless: map[[2]string][3]float64{},
		types: dated("node types", nodeTypesText), nodes: dated("ElastiCache prices", nodePricesText), caches: dated("ElastiCache Serverless prices", serverlessPricesText), tasks: dated("Fargate prices", fargatePricesText)}
	for _, row := range table(nodeTypesText) {
		vcpu, _ := strconv.Atoi(row[1])
		r.nodeTypes[row[0]] = nodeType{vcpu: vcpu, memoryGiB: number(row[2]), baseline: number(row[3]) * 1e9 / 8, burst: number(row[4]) * 1e9 / 8}
	}
	for _, row := range table(nodePricesText) {
		for i, engine := range []string{"redis", "valkey"} {
			if price := number(row[2+i]); price > 0 {
				r.nodeHour[[3]string{row[0], row[1], engine}] = price
			}
		}
	}
	for _, row := range table(serverlessPricesText) {
		r.serverless[[2]string{row[0], row[1]}] = [3]float64{number(row[2]), number(row[3]), number(row[4])}
	}
	for _, row := range table(fargatePricesText) {
		r.fargate[[2]string{row[0], row[1]}] = [2]float64{number(row[2]), number(row[3])}
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
