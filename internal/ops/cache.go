package ops

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwt "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"

	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// cacheName is "" when only an endpoint is known.
func cacheName(c shutdown.Cache) string { return cmp.Or(c.Serverless, c.ReplicationGroup) }

// cacheStatus is that of the stack's own cache; "" when it does not exist. What becomes of an existing cache is not the stack's concern.
func (s *stack) cacheStatus(ctx context.Context) (string, error) {
	if !s.config.Cache.Delete {
		return "", nil
	}
	status, _, _, err := describeCache(ctx, s.cache, s.config.Cache)
	return status, err
}

// describeCache gives a cache's status and ARN, "" when it does not exist, and the dimensions of each of its sources of metrics.
func describeCache(ctx context.Context, client *elasticache.Client, c shutdown.Cache) (status, arn string, sources [][]cwt.Dimension, err error) {
	dimension := func(name, value string) cwt.Dimension { return cwt.Dimension{Name: &name, Value: &value} }
	switch {
	case c.Serverless != "":
		out, err := client.DescribeServerlessCaches(ctx, &elasticache.DescribeServerlessCachesInput{ServerlessCacheName: &c.Serverless})
		if missing(err) || err == nil && len(out.ServerlessCaches) == 0 {
			return "", "", nil, nil
		}
		if err != nil {
			return "", "", nil, fmt.Errorf("cache %s: %w", c.Serverless, err)
		}
		return strings.ToLower(aws.ToString(out.ServerlessCaches[0].Status)), aws.ToString(out.ServerlessCaches[0].ARN), [][]cwt.Dimension{{dimension("clusterId", c.Serverless)}}, nil
	case c.ReplicationGroup != "":
		out, err := client.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &c.ReplicationGroup})
		if missing(err) || err == nil && len(out.ReplicationGroups) == 0 {
			return "", "", nil, nil
		}
		if err != nil {
			return "", "", nil, fmt.Errorf("cache %s: %w", c.ReplicationGroup, err)
		}
		for _, node := range out.ReplicationGroups[0].MemberClusters {
			sources = append(sources, []cwt.Dimension{dimension("CacheClusterId", node), dimension("CacheNodeId", "0001")})
		}
		return aws.ToString(out.ReplicationGroups[0].Status), aws.ToString(out.ReplicationGroups[0].ARN), sources, nil
	}
	return "", "", nil, nil
}

// p99 is the slowest node's latency of reads and writes in ms, of the last minute that CloudWatch has; nil when it has none.
func (s *stack) p99(ctx context.Context, now time.Time) (read, write *float64, err error) {
	_, _, sources, err := describeCache(ctx, s.cache, s.config.Cache)
	if err != nil || len(sources) == 0 {
		return nil, nil, err
	}
	var queries []cwt.MetricDataQuery
	for i, dimensions := range sources[:min(250, len(sources))] {
		for _, kind := range []string{"Read", "Write"} {
			queries = append(queries, cwt.MetricDataQuery{Id: aws.String(fmt.Sprintf("%s%d", strings.ToLower(kind), i)), MetricStat: &cwt.MetricStat{
				Period: aws.Int32(60), Stat: aws.String("p99"), Metric: &cwt.Metric{Namespace: aws.String("AWS/ElastiCache"),
					MetricName: aws.String("Successful" + kind + "RequestLatency"), Dimensions: dimensions}}})
		}
	}
	data, err := s.metrics.GetMetricData(ctx, &cloudwatch.GetMetricDataInput{StartTime: aws.Time(now.Add(-5 * time.Minute)), EndTime: &now, MetricDataQueries: queries})
	if err != nil {
		return nil, nil, fmt.Errorf("latency of the cache: %w", err)
	}
	for _, r := range data.MetricDataResults {
		if len(r.Values) == 0 {
			continue
		}
		at := &read
		if strings.HasPrefix(aws.ToString(r.Id), "write") {
			at = &write
		}
		if ms := r.Values[0] / 1000; *at == nil || ms > **at { // newest first, in microseconds
			*at = &ms
		}
	}
	return read, write, nil
}

// checkExistingCache: it is available, and the security group that is to let the load in is one of the VPC.
func checkExistingCache(ctx context.Context, cfg aws.Config, in *terraform.Inputs) (problems []string, err error) {
	if in.ExistingCache == nil {
		return nil, nil
	}
	if name := cacheName(in.Config().Cache); name != "" {
		status, _, _, err := describeCache(ctx, elasticache.NewFromConfig(cfg), in.Config().Cache)
		switch {
		case err != nil:
			return nil, fmt.Errorf("the existing cache cannot be looked at: %w", err)
		case status == "":
			problems = append(problems, fmt.Sprintf("the existing cache %s does not exist in %s: correct existing_cache, or leave it out to make a new cache", name, cfg.Region))
		case status != "available":
			problems = append(problems, fmt.Sprintf("the existing cache %s is %s: wait until it is available", name, status))
		}
	}
	group := in.ExistingCache.SecurityGroup
	if group == "" {
		return problems, nil
	}
	groups, err := securityGroups(ctx, cfg, url.Values{"GroupId.1": {group}})
	switch {
	case missing(err) || err == nil && len(groups) == 0:
		problems = append(problems, fmt.Sprintf("the existing cache's security group %s does not exist in %s: correct existing_cache.security_group_id", group, cfg.Region))
	case err != nil:
		return problems, fmt.Errorf("the security group %s cannot be looked at: %w", group, err)
	case groups[0].VPC != in.VPC:
		problems = append(problems, fmt.Sprintf("the existing cache's security group %s is in %s, and the load would be in %s: take the cache's vpc_id and its subnets", group, groups[0].VPC, in.VPC))
	}
	return problems, nil
}
