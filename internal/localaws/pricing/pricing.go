// Package pricing is the Price List API: on-demand prices of ElastiCache's nodes and serverless caches, and of Fargate.
//
// API reference: https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Operations_AWS_Price_List_Service.html
//
// It answers from the project's dated tables, which have us-east-1 alone: of other Regions it has no products, and of the ones it has only the attributes that
// tell them apart. It does not do: DescribeServices, attributes and their values, price list files, and terms other than on demand.
package pricing

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/lambda/reference"
)

// Service is the Price List API.
type Service struct{}

// New has what the tables have.
func New() *Service { return &Service{} }

// Register serves the API's actions.
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "pricing", Message: "Message", Invalid: "InvalidParameterException"}, wire.Action("GetProducts", s.getProducts))
}

type filter struct {
	Type  string `wire:",required"`
	Field string `wire:",required"`
	Value string `wire:",required"`
}

type getProductsIn struct {
	ServiceCode   string `wire:",required"`
	Filters       []filter
	FormatVersion string
	NextToken     string
	MaxResults    *int
}

type getProductsOut struct {
	FormatVersion string
	NextToken     string   `wire:",omitempty"`
	PriceList     []string // each a JSON text
}

type product struct {
	attributes map[string]string
	unit       string
	usd        float64
}

func invalid(format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, "InvalidParameterException", format, args...)
}

// https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
func (s *Service) getProducts(_ context.Context, in *getProductsIn) (*getProductsOut, error) {
	if v := cmp.Or(in.FormatVersion, "aws_v1"); v != "aws_v1" {
		return nil, invalid("the FormatVersion %s is not aws_v1", v)
	}
	size, from := 100, 0
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	if size < 1 || size > 100 {
		return nil, invalid("MaxResults must be between 1 and 100")
	}
	for _, f := range in.Filters {
		if f.Type != "TERM_MATCH" {
			return nil, invalid("localaws matches terms only, not %s", f.Type)
		}
	}
	all := slices.DeleteFunc(products(in.ServiceCode), func(p product) bool {
		return slices.ContainsFunc(in.Filters, func(f filter) bool { return p.attributes[f.Field] != f.Value })
	})
	if in.NextToken != "" {
		var err error
		if from, err = strconv.Atoi(in.NextToken); err != nil || from < 0 {
			return nil, wire.Errorf(http.StatusBadRequest, "InvalidNextTokenException", "the NextToken is not one of this API's")
		}
	}
	all = all[min(from, len(all)):]
	out := &getProductsOut{FormatVersion: "aws_v1", PriceList: []string{}}
	if len(all) > size {
		all, out.NextToken = all[:size], strconv.Itoa(from+size)
	}
	for i, p := range all {
		out.PriceList = append(out.PriceList, p.text(fmt.Sprintf("%s%08d", in.ServiceCode, from+i)))
	}
	return out, nil
}

// products are those of a service, in a fixed order. Usage types of us-east-1 have no prefix at ElastiCache, and USE1- at ECS.
func products(service string) (all []product) {
	known := reference.Known()
	name := map[string]string{"redis": "Redis", "valkey": "Valkey"}
	switch service {
	case "AmazonElastiCache":
		for key, usd := range known.NodeHour {
			all = append(all, product{map[string]string{"regionCode": key[0], "productFamily": "Cache Instance", "instanceType": key[1], "cacheEngine": name[key[2]],
				"usagetype": "NodeUsage:" + key[1], "operation": "CreateCacheCluster:" + name[key[2]]}, "Hrs", usd})
		}
		for key, usd := range known.Serverless {
			of := func(usage, unit string, usd float64) product {
				return product{map[string]string{"regionCode": key[0], "productFamily": "ElastiCache Serverless", "cacheEngine": name[key[1]], "usagetype": usage + ":" + name[key[1]]}, unit, usd}
			}
			all = append(all, of("ElastiCacheProcessingUnits", "ElastiCacheProcessingUnit", usd[0]/1e6), of("CachedData", "GB-Hours", usd[1]))
		}
	case "AmazonECS":
		for key, usd := range known.Fargate {
			arm := map[string]string{"ARM64": "ARM-"}[key[1]]
			for i, usage := range []string{"vCPU-Hours:perCPU", "GB-Hours"} {
				all = append(all, product{map[string]string{"regionCode": key[0], "productFamily": "Compute", "usagetype": "USE1-Fargate-" + arm + usage}, "hours", usd[i]})
			}
		}
	}
	return slices.SortedFunc(slices.Values(all), func(a, b product) int {
		return cmp.Or(cmp.Compare(a.attributes["usagetype"], b.attributes["usagetype"]), cmp.Compare(a.attributes["cacheEngine"], b.attributes["cacheEngine"]))
	})
}

// text is a product as the list has it. The price of reserved units beside it is 0, as AWS has it.
func (p product) text(sku string) string {
	dimension := func(usd float64) map[string]any {
		return map[string]any{"unit": p.unit, "beginRange": "0", "endRange": "Inf", "pricePerUnit": map[string]string{"USD": strconv.FormatFloat(usd, 'f', 10, 64)}}
	}
	attributes := maps.Clone(p.attributes)
	delete(attributes, "productFamily")
	text, err := json.Marshal(map[string]any{
		"product": map[string]any{"sku": sku, "productFamily": p.attributes["productFamily"], "attributes": attributes},
		"terms": map[string]any{"OnDemand": map[string]any{sku + ".JRTCKXETXF": map[string]any{"sku": sku,
			"priceDimensions": map[string]any{sku + ".JRTCKXETXF.6YS6EN2CT7": dimension(p.usd), sku + ".JRTCKXETXF.2TG2D8R56U": dimension(0)}}}},
	})
	if err != nil {
		panic("localaws/pricing: " + err.Error()) // texts and numbers
	}
	return string(text)
}
