package export

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// probe is a metric that every node publishes every minute, idle or not.
const probe = "CurrConnections"

// Settled says whether every node's last datapoint before end is in CloudWatch, and how far apart the nodes' datapoints are: period, or a
// minute where they do not come denser, as on AWS, whatever period is asked for.
func Settled(ctx context.Context, api DataAPI, m Membership, end time.Time, period time.Duration) (settled bool, step time.Duration, err error) {
	start := end.Add(-max(3*time.Minute, 2*period))
	last, dense := map[string]time.Time{}, map[string]bool{}
	for nodes := range slices.Chunk(m.Nodes, maxQueries) {
		in := &cloudwatch.GetMetricDataInput{StartTime: &start, EndTime: &end, ScanBy: types.ScanByTimestampAscending}
		for _, n := range nodes {
			in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: aws.String(fmt.Sprintf("n%d", len(in.MetricDataQueries))),
				MetricStat: &types.MetricStat{Period: aws.Int32(int32(period / time.Second)), Stat: aws.String("Average"),
					Metric: &types.Metric{Namespace: aws.String(NamespaceCache), MetricName: aws.String(probe), Dimensions: []types.Dimension{
						{Name: aws.String("CacheClusterId"), Value: &n.CacheClusterID}, {Name: aws.String("CacheNodeId"), Value: &n.CacheNodeID}}}}})
		}
		for {
			out, err := api.GetMetricData(ctx, in)
			if err != nil {
				return false, 0, fmt.Errorf("look for the last %s before %s: %w", probe, end.Format(time.RFC3339), err)
			}
			for _, r := range out.MetricDataResults {
				i, err := strconv.Atoi(strings.TrimPrefix(aws.ToString(r.Id), "n"))
				if err != nil || i < 0 || i >= len(nodes) {
					return false, 0, fmt.Errorf("GetMetricData answered for %q, which was not asked", aws.ToString(r.Id))
				}
				name := nodes[i].CacheClusterID
				for _, at := range r.Timestamps {
					if before, ok := last[name]; ok && at.Sub(before) < time.Minute {
						dense[name] = true
					}
					if at.Before(end) && at.After(last[name]) {
						last[name] = at
					}
				}
			}
			if aws.ToString(out.NextToken) == "" {
				break
			}
			in.NextToken = out.NextToken
		}
	}
	settled, step = len(last) == len(m.Nodes), period
	for name := range last {
		if !dense[name] {
			step = max(period, time.Minute)
		}
	}
	if len(last) == 0 {
		step = max(period, time.Minute)
	}
	for _, at := range last {
		settled = settled && !at.Before(end.Add(-1).Truncate(step))
	}
	return settled, step, nil
}

// FindNodes names the nodes of a replication group that no longer exists after the metrics that it left: its members are GROUP-001, or
// GROUP-0001-001 in cluster mode.
func FindNodes(ctx context.Context, api ListAPI, clock Clock, group string) (nodes []Node, err error) {
	member := regexp.MustCompile("^" + regexp.QuoteMeta(group) + `(-\d{4})?-\d{3}$`)
	listed, err := list(ctx, api, &pacer{clock: clock, rate: 20}, NamespaceCache, probe, "CacheNodeId", "")
	if err != nil {
		return nil, err
	}
	for _, m := range listed {
		if !slices.Equal(dimensionNames(m), []string{"CacheClusterId", "CacheNodeId"}) {
			continue
		}
		values := map[string]string{}
		for _, d := range m.Dimensions {
			values[aws.ToString(d.Name)] = aws.ToString(d.Value)
		}
		if member.MatchString(values["CacheClusterId"]) {
			nodes = append(nodes, Node{CacheClusterID: values["CacheClusterId"], CacheNodeID: values["CacheNodeId"]})
		}
	}
	slices.SortFunc(nodes, func(a, b Node) int {
		return strings.Compare(a.CacheClusterID+" "+a.CacheNodeID, b.CacheClusterID+" "+b.CacheNodeID)
	})
	return nodes, nil
}
