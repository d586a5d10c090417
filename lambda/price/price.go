// Package price has AWS's on-demand list prices, for the report and for what the stop's function tells. Each table says where it comes from and of
// when it is.
package price

import (
	_ "embed"
	"encoding/csv"
	"strconv"
	"strings"
	"sync"
)

var (
	//go:embed node_prices.csv
	nodesText string
	//go:embed serverless_prices.csv
	serverlessText string
	//go:embed fargate_prices.csv
	fargateText string
)

// Table is a table's name, where it comes from, and of which day it is.
type Table struct{ Name, Source, AsOf string }

// List is all prices, in USD. What is not in it is not known.
type List struct {
	NodeHour   map[[3]string]float64    // region, node type, engine (redis, valkey) -> of a node-hour
	Fargate    map[[2]string][2]float64 // region, architecture (X86_64, ARM64) -> of a vCPU-hour and of a GB-hour
	Serverless map[[2]string][3]float64 // region, engine -> of a million ECPUs and of a GB-hour, and the least GB

	Nodes, Tasks, Caches Table // of NodeHour, Fargate and Serverless
}

// Known are the prices that the binary has.
var Known = sync.OnceValue(func() *List {
	l := &List{NodeHour: map[[3]string]float64{}, Fargate: map[[2]string][2]float64{}, Serverless: map[[2]string][3]float64{},
		Nodes: describe("ElastiCache prices", nodesText), Caches: describe("ElastiCache Serverless prices", serverlessText), Tasks: describe("Fargate prices", fargateText)}
	for _, row := range rows(nodesText) {
		for i, engine := range []string{"redis", "valkey"} {
			if usd := number(row[2+i]); usd > 0 {
				l.NodeHour[[3]string{row[0], row[1], engine}] = usd
			}
		}
	}
	for _, row := range rows(serverlessText) {
		l.Serverless[[2]string{row[0], row[1]}] = [3]float64{number(row[2]), number(row[3]), number(row[4])}
	}
	for _, row := range rows(fargateText) {
		l.Fargate[[2]string{row[0], row[1]}] = [2]float64{number(row[2]), number(row[3])}
	}
	return l
})

// rows are those below the header.
func rows(text string) [][]string {
	in := csv.NewReader(strings.NewReader(text))
	in.Comment = '#'
	all, err := in.ReadAll()
	if err != nil {
		panic("lambda/price: " + err.Error()) // the file is part of the binary
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
