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

// probe is a metric that every node and every serverless cache publishes every minute, even when idle.
const probe = "CurrConnections"

// probes returns the metrics that show how recent CloudWatch's data is: one for each node or the serverless cache; without a cache the service's.
func (t Target) probes() (all []types.Metric) {
	metric := func(namespace, name string, dimensions ...string) {
		m := types.Metric{Namespace: &namespace, MetricName: &name}
		for i := 0; i < len(dimensions); i += 2 {
			m.Dimensions = append(m.Dimensions, types.Dimension{Name: &dimensions[i], Value: &dimensions[i+1]})
		}
		all = append(all, m)
	}
	m := t.Membership
	for _, n := range m.Nodes {
		metric(NamespaceCache, probe, "CacheClusterId", n.CacheClusterID, "CacheNodeId", n.CacheNodeID)
	}
	if m.ServerlessCache != "" {
		metric(NamespaceCache, probe, "clusterId", m.ServerlessCache)
	}
	if len(all) == 0 && m.ReplicationGroup == "" {
		metric(NamespaceECS, "CPUUtilization", "ClusterName", t.Cluster, "ServiceName", t.Service)
	}
	return all
}

// Settled reports whether every probe's last datapoint before end is in CloudWatch, and how far apart datapoints are: period, but at least a minute
// if a probe has none closer together, as on AWS.
func (t Target) Settled(ctx context.Context, api DataAPI, end time.Time, period time.Duration) (settled bool, step time.Duration, err error) {
	start := end.Add(-max(3*time.Minute, 2*period))
	probes := t.probes()
	last, dense := map[int]time.Time{}, map[int]bool{} // by probe
	for first := 0; first < len(probes); first += maxQueries {
		in := &cloudwatch.GetMetricDataInput{StartTime: &start, EndTime: &end, ScanBy: types.ScanByTimestampAscending}
		for i, m := range probes[first:min(first+maxQueries, len(probes))] {
			in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: aws.String(fmt.Sprintf("n%d", first+i)),
				MetricStat: &types.MetricStat{Period: aws.Int32(int32(period / time.Second)), Stat: aws.String("Average"), Metric: &m}})
		}
		for {
			out, err := api.GetMetricData(ctx, in)
			if err != nil {
				return false, 0, fmt.Errorf("look for the last %s before %s: %w", aws.ToString(probes[first].MetricName), end.Format(time.RFC3339), err)
			}
			for _, r := range out.MetricDataResults {
				i, err := strconv.Atoi(strings.TrimPrefix(aws.ToString(r.Id), "n"))
				if err != nil || i < 0 || i >= len(probes) {
					return false, 0, fmt.Errorf("GetMetricData answered for %q, which was not asked", aws.ToString(r.Id))
				}
				for _, at := range r.Timestamps {
					if before, ok := last[i]; ok && at.Sub(before) < time.Minute {
						dense[i] = true
					}
					if at.Before(end) && at.After(last[i]) {
						last[i] = at
					}
				}
			}
			if aws.ToString(out.NextToken) == "" {
				break
			}
			in.NextToken = out.NextToken
		}
	}
	settled, step = len(last) == len(probes), period
	for i := range last {
		if !dense[i] {
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

// FindNodes finds the node names of a deleted replication group in its metrics: its members are GROUP-001, or GROUP-0001-001 in cluster mode.
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
