package elasticache

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type offering struct {
	ReservedCacheNodesOfferingId, CacheNodeType string
	Duration                                    int // seconds
	FixedPrice, UsagePrice                      float64
	ProductDescription, OfferingType            string
	RecurringCharges                            []struct{} `wire:"RecurringCharges>RecurringCharge"`
}

type describeOfferingsIn struct {
	page
	ReservedCacheNodesOfferingId, CacheNodeType, Duration, ProductDescription, OfferingType *string
}

type describeOfferingsOut struct {
	ReservedCacheNodesOfferings []offering `wire:"ReservedCacheNodesOfferings>ReservedCacheNodesOffering"`
	Marker                      string     `wire:",omitempty"`
}

// describeOfferings returns one offering for each engine and node type that can be created: the node types of a Region.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeReservedCacheNodesOfferings.html
func (s *Service) describeOfferings(_ context.Context, in *describeOfferingsIn) (*describeOfferingsOut, error) {
	const year = 365 * 24 * 60 * 60
	if d := in.Duration; d != nil && !slices.Contains([]string{"1", "3", "31536000", "94608000"}, *d) {
		return nil, invalidValue("The parameter Duration must be 1, 3, 31536000 or 94608000: it is %s.", *d)
	}
	by := map[string]offering{}
	for name := range nodeTypes {
		for _, engine := range []string{"redis", "valkey"} {
			if _, err := findNodeType(name, engine); err != nil {
				continue
			}
			sum := sha256.Sum256([]byte(name + engine))
			o := offering{ReservedCacheNodesOfferingId: fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]), CacheNodeType: name,
				Duration: year, ProductDescription: engine, OfferingType: "No Upfront"}
			by[o.ReservedCacheNodesOfferingId] = o
		}
	}
	is := func(filter *string, value string) bool { return filter == nil || *filter == value }
	maps.DeleteFunc(by, func(_ string, o offering) bool {
		return !is(in.ReservedCacheNodesOfferingId, o.ReservedCacheNodesOfferingId) || !is(in.CacheNodeType, o.CacheNodeType) ||
			!is(in.ProductDescription, o.ProductDescription) || !is(in.OfferingType, o.OfferingType) ||
			in.Duration != nil && *in.Duration != "1" && *in.Duration != fmt.Sprint(year)
	})
	if id := in.ReservedCacheNodesOfferingId; id != nil && len(by) == 0 {
		return nil, wire.Errorf(404, "ReservedCacheNodesOfferingNotFound", "ReservedCacheNodesOffering not found: %s", *id)
	}
	names, marker, err := in.cut(slices.Sorted(maps.Keys(by)))
	if err != nil {
		return nil, err
	}
	out := &describeOfferingsOut{ReservedCacheNodesOfferings: []offering{}, Marker: marker}
	for _, n := range names {
		out.ReservedCacheNodesOfferings = append(out.ReservedCacheNodesOfferings, by[n])
	}
	return out, nil
}
