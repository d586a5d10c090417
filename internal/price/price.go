// Package price has AWS's prices of nodes, serverless caches and Fargate: from the Price List API if it can be reached, else from the repository's dated
// tables. They are on-demand list prices in USD.
package price

import (
	"fmt"

	"github.com/elasticache-perf/elasticache-perf/lambda/reference"
)

// Prices are the prices of one Region. A price that is missing is unknown.
type Prices struct {
	Region string
	Source string // their origin and date

	node       map[[2]string]float64 // node type, engine -> per node-hour
	fargate    map[string][2]float64 // architecture -> per vCPU-hour and per GB-hour
	serverless map[string][2]float64 // engine -> per million ECPUs and per GB-hour
}

// Dated returns the prices of the repository's tables.
func Dated(region string) *Prices {
	known := reference.Known()
	p := &Prices{Region: region, Source: fmt.Sprintf("%s; %s", known.Nodes, known.Tasks), node: map[[2]string]float64{}, fargate: map[string][2]float64{}, serverless: map[string][2]float64{}}
	for key, usd := range known.NodeHour {
		if key[0] == region {
			p.node[[2]string{key[1], key[2]}] = usd
		}
	}
	for key, usd := range known.Fargate {
		if key[0] == region {
			p.fargate[key[1]] = usd
		}
	}
	for key, usd := range known.Serverless {
		if key[0] == region {
			p.serverless[key[1]] = [2]float64{usd[0], usd[1]}
		}
	}
	return p
}

// NodeHour is the price per node-hour with redis or valkey.
func (p *Prices) NodeHour(nodeType, engine string) (usd float64, known bool) {
	usd, known = p.node[[2]string{nodeType, engine}]
	return usd, known
}

// Fargate is the price per vCPU-hour and per GB-hour with X86_64 or ARM64.
func (p *Prices) Fargate(architecture string) (vcpu, gb float64, known bool) {
	usd, known := p.fargate[architecture]
	return usd[0], usd[1], known
}

// Serverless is the price per million ECPUs and per GB-hour, and the least GB that AWS bills, which no price list has.
func (p *Prices) Serverless(engine string) (million, gbHour, leastGB float64, known bool) {
	usd, known := p.serverless[engine]
	leastGB = 1
	if in, is := reference.Known().Serverless[[2]string{"us-east-1", engine}]; is { // the same in all Regions
		leastGB = in[2]
	}
	return usd[0], usd[1], leastGB, known
}
