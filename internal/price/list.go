package price

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/pricing/types"
)

// Wanted is a cache whose prices are requested.
type Wanted struct {
	NodeType, Engine string // NodeType "": a serverless cache
}

// patience is the time limit for the Price List API: a person waits for a plan, and the tables can replace it.
const patience = 15 * time.Second

// Ask asks the Price List API for the Region's prices of these caches and of Fargate. If it cannot be reached or lacks a price, the prices are those of the
// tables, and why is the reason.
func Ask(ctx context.Context, cfg aws.Config, wanted ...Wanted) (p *Prices, why error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dated := Dated(cfg.Region)
	// The API has endpoints in a few Regions only, which serve the prices of all:
	// https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
	at := cfg.Copy()
	at.Region = "us-east-1"
	l := list{pricing.NewFromConfig(at), cfg.Region}
	p = &Prices{Region: cfg.Region, Source: "AWS Price List API, " + cfg.Region + ", as of " + time.Now().UTC().Format(time.DateOnly),
		node: map[[2]string]float64{}, fargate: map[string][2]float64{}, serverless: map[string][2]float64{}}
	for _, w := range wanted {
		var err error
		if w.NodeType == "" {
			err = l.askServerless(ctx, p, w.Engine)
		} else {
			err = l.askNode(ctx, p, w)
		}
		if err != nil {
			return dated, err
		}
	}
	if err := l.askFargate(ctx, p); err != nil {
		return dated, err
	}
	return p, nil
}

// list reads the Price List API for one Region.
type list struct {
	client *pricing.Client
	region string
}

// product is one item of the list: its attributes, and its on-demand price per unit.
type product struct {
	attributes map[string]string
	usd        float64
}

// products returns a service's products in the Region with these attributes.
func (l list) products(ctx context.Context, service string, attributes map[string]string) (all []product, err error) {
	in := &pricing.GetProductsInput{ServiceCode: &service, FormatVersion: aws.String("aws_v1"),
		Filters: []types.Filter{{Type: types.FilterTypeTermMatch, Field: aws.String("regionCode"), Value: &l.region}}}
	for field, value := range maps.All(attributes) {
		in.Filters = append(in.Filters, types.Filter{Type: types.FilterTypeTermMatch, Field: aws.String(field), Value: aws.String(value)})
	}
	for pages := pricing.NewGetProductsPaginator(l.client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, text := range page.PriceList {
			one, err := parse(text)
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// parse reads an item. It takes the highest on-demand price: a dimension for reserved units has the price 0.
func parse(text string) (one product, err error) {
	var item struct {
		Product struct{ Attributes map[string]string }
		Terms   struct {
			OnDemand map[string]struct {
				PriceDimensions map[string]struct{ PricePerUnit map[string]string }
			}
		}
	}
	if err := json.Unmarshal([]byte(text), &item); err != nil {
		return one, fmt.Errorf("an item of the Price List API cannot be read: %w", err)
	}
	one.attributes = item.Product.Attributes
	for _, term := range item.Terms.OnDemand {
		for _, d := range term.PriceDimensions {
			usd, err := strconv.ParseFloat(d.PricePerUnit["USD"], 64)
			if err == nil && usd > 0 && (one.usd == 0 || usd > one.usd) {
				one.usd = usd
			}
		}
	}
	return one, nil
}

// named is an engine's name in the list.
func named(engine string) string {
	return map[string]string{"redis": "Redis", "valkey": "Valkey"}[engine]
}

func (l list) askNode(ctx context.Context, p *Prices, w Wanted) error {
	all, err := l.products(ctx, "AmazonElastiCache", map[string]string{"instanceType": w.NodeType, "cacheEngine": named(w.Engine)})
	if err != nil {
		return err
	}
	for _, one := range all {
		// NodeUsage:cache.r7g.large in us-east-1, EUC1-NodeUsage:... elsewhere; extended support and Outposts have other usage types.
		if usage := one.attributes["usagetype"]; one.usd > 0 && unprefixed(usage) == "NodeUsage:"+w.NodeType {
			p.node[[2]string{w.NodeType, w.Engine}] = one.usd
			return nil
		}
	}
	return fmt.Errorf("it has no price of %s with %s in %s", w.NodeType, w.Engine, l.region)
}

func (l list) askServerless(ctx context.Context, p *Prices, engine string) error {
	all, err := l.products(ctx, "AmazonElastiCache", map[string]string{"productFamily": "ElastiCache Serverless", "cacheEngine": named(engine)})
	if err != nil {
		return err
	}
	var usd [2]float64
	for _, one := range all {
		switch unprefixed(one.attributes["usagetype"]) {
		case "ElastiCacheProcessingUnits:" + named(engine): // per ECPU
			usd[0] = one.usd * 1e6
		case "CachedData:" + named(engine):
			usd[1] = one.usd
		}
	}
	if usd[0] == 0 || usd[1] == 0 {
		return fmt.Errorf("it has no price of a serverless cache with %s in %s", engine, l.region)
	}
	p.serverless[engine] = usd
	return nil
}

func (l list) askFargate(ctx context.Context, p *Prices) error {
	all, err := l.products(ctx, "AmazonECS", nil)
	if err != nil {
		return err
	}
	for _, one := range all {
		at := map[string]struct {
			architecture string
			of           int
		}{"Fargate-vCPU-Hours:perCPU": {"X86_64", 0}, "Fargate-GB-Hours": {"X86_64", 1}, "Fargate-ARM-vCPU-Hours:perCPU": {"ARM64", 0}, "Fargate-ARM-GB-Hours": {"ARM64", 1}}
		if is, ok := at[unprefixed(one.attributes["usagetype"])]; ok && one.usd > 0 {
			usd := p.fargate[is.architecture]
			usd[is.of] = one.usd
			p.fargate[is.architecture] = usd
		}
	}
	maps.DeleteFunc(p.fargate, func(_ string, usd [2]float64) bool { return usd[0] == 0 || usd[1] == 0 }) // not offered there
	return nil
}

// unprefixed is a usage type without its Region's prefix, such as EUC1- or EU-.
func unprefixed(usage string) string {
	if at := prefix.FindString(usage); at != "" {
		return strings.TrimPrefix(usage, at)
	}
	return usage
}

var prefix = regexp.MustCompile(`^[A-Z]{2,4}[0-9]?-`)
