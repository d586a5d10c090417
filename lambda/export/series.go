package export

import (
	"context"
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/gocarina/gocsv"
)

// Namespaces of the exported metrics.
const (
	NamespaceCache    = "AWS/ElastiCache"
	NamespaceECS      = "AWS/ECS"
	NamespaceInsights = "ECS/ContainerInsights"
)

// Target is the cache and the service of a run, whose metrics are exported.
type Target struct {
	Membership Membership
	Cluster    string // ECS cluster
	Service    string // ECS service
}

// Series is one statistic of one metric with one set of dimensions.
type Series struct {
	Namespace  string            `json:"namespace"`
	Metric     string            `json:"metric"`
	Stat       string            `json:"stat"`
	Unit       string            `json:"unit,omitempty"` // as the AWS documentation states it; empty when unknown
	Dimensions []types.Dimension `json:"dimensions"`
	Source     string            `json:"source"`             // the node, group, serverless cache or service it describes
	Expected   bool              `json:"expected,omitempty"` // its absence is a gap: the catalog has no condition for it

	label string // FormatDimensions(Dimensions)
}

// compare orders series, and so the rows of one timestamp: namespace, metric, dimensions, statistic.
func (s Series) compare(t Series) int {
	for _, c := range [...]int{strings.Compare(s.Namespace, t.Namespace), strings.Compare(s.Metric, t.Metric),
		strings.Compare(s.label, t.label), strings.Compare(s.Stat, t.Stat)} {
		if c != 0 {
			return c
		}
	}
	return 0
}

//go:embed catalog.csv
var catalogText string

// entry is one line of catalog.csv, which explains its columns.
type entry struct {
	Namespace  string `csv:"namespace"`
	Metric     string `csv:"metric"`
	Unit       string `csv:"unit"`
	Dimensions string `csv:"dimensions"`
	Statistics string `csv:"statistics"`
	Ask        string `csv:"ask"`
	When       string `csv:"when"`
}

var catalog = sync.OnceValue(func() (entries []entry) {
	in := csv.NewReader(strings.NewReader(catalogText))
	in.Comment = '#'
	if err := gocsv.UnmarshalCSV(in, &entries); err != nil {
		panic("lambda/export/catalog.csv: " + err.Error()) // the file is embedded
	}
	return entries
})

// series returns the entry's series for these dimension values, one for each statistic.
func (e entry) series(source string, values ...string) (all []Series) {
	var dimensions []types.Dimension
	for i, name := range strings.Split(e.Dimensions, "+") {
		dimensions = append(dimensions, types.Dimension{Name: aws.String(name), Value: aws.String(values[i])})
	}
	label := FormatDimensions(dimensions)
	for _, stat := range strings.Fields(e.Statistics) {
		all = append(all, Series{Namespace: e.Namespace, Metric: e.Metric, Stat: stat, Unit: e.Unit, Dimensions: dimensions,
			Source: source, Expected: e.When == "", label: label})
	}
	return all
}

// Catalog returns the series that are read without being listed first: the embedded catalog for each node, the group or serverless cache, and the
// service.
func (t Target) Catalog() (all []Series) {
	for _, e := range catalog() {
		if e.Ask != "always" {
			continue
		}
		switch e.Dimensions {
		case "CacheClusterId+CacheNodeId":
			for _, n := range t.Membership.Nodes {
				all = append(all, e.series(n.CacheClusterID, n.CacheClusterID, n.CacheNodeID)...)
			}
		case "ReplicationGroupId":
			if group := t.Membership.ReplicationGroup; group != "" {
				all = append(all, e.series(group, group)...)
			}
		case "clusterId":
			if name := t.Membership.ServerlessCache; name != "" {
				all = append(all, e.series(name, name)...)
			}
		case "ClusterName+ServiceName":
			all = append(all, e.series(t.Service, t.Cluster, t.Service)...)
		}
	}
	return all
}

// ListAPI finds metrics.
type ListAPI interface {
	ListMetrics(context.Context, *cloudwatch.ListMetricsInput, ...func(*cloudwatch.Options)) (*cloudwatch.ListMetricsOutput, error)
}

// Discover returns the series that ListMetrics has in addition to the catalog's. A new metric can take 15 minutes to be listed, and is listed
// until two weeks after its last datapoint, so neither source is enough alone:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
func (t Target) Discover(ctx context.Context, api ListAPI, clock Clock) (found []Series, err error) {
	known := map[string]bool{} // namespace, metric and dimensions: the catalog chose the statistics
	for _, s := range t.Catalog() {
		known[s.Namespace+" "+s.Metric+" "+s.label] = true
	}
	pace := &pacer{clock: clock, rate: 23.75} // 95 % of ListMetrics' quota of 25 calls a second per Region
	for _, q := range t.lists() {
		listed, err := list(ctx, api, pace, q.namespace, "", q.name, q.value)
		if err != nil {
			return nil, err
		}
		for _, m := range listed {
			s := fromListed(m, q.value)
			if known[s.Namespace+" "+s.Metric+" "+s.label] || t.skips(s, listed) {
				continue
			}
			known[s.Namespace+" "+s.Metric+" "+s.label] = true
			found = append(found, s.statistics()...)
		}
	}
	return found, nil
}

// Series returns the catalog's series and the found ones, sorted.
func (t Target) Series(found []Series) []Series {
	all := t.Catalog()
	for _, s := range found {
		s.label = FormatDimensions(s.Dimensions)
		all = append(all, s)
	}
	slices.SortFunc(all, Series.compare)
	return all
}

type listQuery struct{ namespace, name, value string }

func (t Target) lists() (queries []listQuery) {
	for _, n := range t.Membership.Nodes {
		queries = append(queries, listQuery{NamespaceCache, "CacheClusterId", n.CacheClusterID})
	}
	if group := t.Membership.ReplicationGroup; group != "" {
		queries = append(queries, listQuery{NamespaceCache, "ReplicationGroupId", group})
	}
	if name := t.Membership.ServerlessCache; name != "" {
		queries = append(queries, listQuery{NamespaceCache, "clusterId", name})
	}
	return append(queries, listQuery{NamespaceECS, "ServiceName", t.Service}, listQuery{NamespaceInsights, "ServiceName", t.Service})
}

// skips reports whether a listed series is not exported: that of a service of the same name in another cluster, a task's own (there can be too
// many, and the service's include them), or the {CacheClusterId} duplicate of {CacheClusterId,CacheNodeId}.
func (t Target) skips(s Series, listed []types.Metric) bool {
	if s.Namespace != NamespaceCache {
		return s.label != FormatDimensions([]types.Dimension{{Name: aws.String("ClusterName"), Value: aws.String(t.Cluster)},
			{Name: aws.String("ServiceName"), Value: aws.String(t.Service)}})
	}
	if len(s.Dimensions) != 1 || aws.ToString(s.Dimensions[0].Name) != "CacheClusterId" {
		return false
	}
	for _, e := range catalog() {
		if e.Namespace == s.Namespace && e.Metric == s.Metric && e.Dimensions == "CacheClusterId+CacheNodeId" {
			return true
		}
	}
	return slices.ContainsFunc(listed, func(m types.Metric) bool {
		return aws.ToString(m.MetricName) == s.Metric && slices.EqualFunc(dimensionNames(m), []string{"CacheClusterId", "CacheNodeId"}, strings.EqualFold)
	})
}

func dimensionNames(m types.Metric) (names []string) {
	for _, d := range m.Dimensions {
		names = append(names, aws.ToString(d.Name))
	}
	slices.Sort(names)
	return names
}

func fromListed(m types.Metric, source string) Series {
	return Series{Namespace: aws.ToString(m.Namespace), Metric: aws.ToString(m.MetricName), Dimensions: m.Dimensions,
		Source: source, label: FormatDimensions(m.Dimensions)}
}

// statistics returns the listed series for each statistic: the catalog's for a metric of that name, otherwise average and maximum.
func (s Series) statistics() (all []Series) {
	stats := []string{"Average", "Maximum"}
	for _, e := range catalog() {
		if e.Namespace == s.Namespace && e.Metric == s.Metric {
			stats, s.Unit = strings.Fields(e.Statistics), e.Unit
			break
		}
	}
	for _, stat := range stats {
		s.Stat = stat
		all = append(all, s)
	}
	return all
}

// list returns all pages of ListMetrics for one dimension value. A filter also matches metrics with more dimensions.
func list(ctx context.Context, api ListAPI, pace *pacer, namespace, metric, name, value string) (all []types.Metric, err error) {
	in := &cloudwatch.ListMetricsInput{Namespace: aws.String(namespace), Dimensions: []types.DimensionFilter{{Name: aws.String(name)}}}
	if value != "" {
		in.Dimensions[0].Value = aws.String(value)
	}
	if metric != "" {
		in.MetricName = aws.String(metric)
	}
	for {
		if err := pace.wait(ctx, 1); err != nil {
			return nil, err
		}
		out, err := api.ListMetrics(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("list the metrics of %s with %s=%s: %w", namespace, name, value, err)
		}
		all = append(all, out.Metrics...)
		if aws.ToString(out.NextToken) == "" {
			return all, nil
		}
		in.NextToken = out.NextToken
	}
}
