package stack

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwt "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// CacheName is "" when only an endpoint is known.
func CacheName(c shutdown.Cache) string { return cmp.Or(c.Serverless, c.ReplicationGroup) }

// CacheStatus is the status of the stack's own cache; "" if it does not exist. The stack does not manage an existing cache.
func (s *Stack) CacheStatus(ctx context.Context) (string, error) {
	if !s.Config.Cache.Delete {
		return "", nil
	}
	cache, err := DescribeCache(ctx, s.cache, s.Config.Cache)
	return cache.Status, err
}

// Cache is a cache of either kind as AWS shows it. The zero value is a cache that does not exist.
type Cache struct {
	Status, ARN string
	created     time.Time
	sources     [][]cwt.Dimension // of metrics: the nodes, or the serverless cache
}

// DescribeCache asks AWS for a cache.
func DescribeCache(ctx context.Context, client *elasticache.Client, c shutdown.Cache) (seen Cache, err error) {
	dimension := func(name, value string) cwt.Dimension { return cwt.Dimension{Name: &name, Value: &value} }
	switch {
	case c.Serverless != "":
		out, problem := client.DescribeServerlessCaches(ctx, &elasticache.DescribeServerlessCachesInput{ServerlessCacheName: &c.Serverless})
		if err = problem; err == nil && len(out.ServerlessCaches) > 0 {
			found := out.ServerlessCaches[0]
			seen = Cache{strings.ToLower(aws.ToString(found.Status)), aws.ToString(found.ARN), aws.ToTime(found.CreateTime), [][]cwt.Dimension{{dimension("clusterId", c.Serverless)}}}
		}
	case c.ReplicationGroup != "":
		out, problem := client.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &c.ReplicationGroup})
		if err = problem; err == nil && len(out.ReplicationGroups) > 0 {
			found := out.ReplicationGroups[0]
			seen = Cache{Status: aws.ToString(found.Status), ARN: aws.ToString(found.ARN), created: aws.ToTime(found.ReplicationGroupCreateTime)}
			for _, node := range found.MemberClusters {
				seen.sources = append(seen.sources, []cwt.Dimension{dimension("CacheClusterId", node), dimension("CacheNodeId", "0001")})
			}
		}
	}
	if err != nil && !Missing(err) {
		return Cache{}, fmt.Errorf("cache %s: %w", CacheName(c), err)
	}
	return seen, nil
}

// latency is the cache's latest p99 in CloudWatch, in ms; nil if there is none.
type latency struct {
	asked       time.Time
	read, write *float64
}

// p99 is the slowest node's latency of reads and writes in ms, in the last minute that CloudWatch has; nil if it has none. CloudWatch has a new value
// each minute and bills each metric that is requested, so it is requested once a minute: https://aws.amazon.com/cloudwatch/pricing/
func (s *Stack) p99(ctx context.Context, now time.Time) (read, write *float64, err error) {
	if last := s.latency; last.asked.IsZero() || now.Sub(last.asked) >= time.Minute {
		read, write, err = s.askP99(ctx, now)
		if err != nil {
			return nil, nil, err
		}
		s.latency = latency{now, read, write}
	}
	return s.latency.read, s.latency.write, nil
}

func (s *Stack) askP99(ctx context.Context, now time.Time) (read, write *float64, err error) {
	cache, err := DescribeCache(ctx, s.cache, s.Config.Cache)
	if err != nil || len(cache.sources) == 0 {
		return nil, nil, err
	}
	var queries []cwt.MetricDataQuery
	for i, dimensions := range cache.sources[:min(250, len(cache.sources))] {
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

// cacheLimit is how long a deletion of a cache may take: as long as the provider would wait.
const cacheLimit = 45 * time.Minute

// MadeCache reports whether the cache is tagged with a run of this stack. The tags of a cache cannot be read during its creation, and never if the creation
// failed. Then it is the stack's if it was created since the run started.
func (s *Stack) MadeCache(ctx context.Context, con *console.Console) (bool, error) {
	if !s.Config.Cache.Delete {
		return false, nil
	}
	cache, err := DescribeCache(ctx, s.cache, s.Config.Cache)
	if err != nil || cache.ARN == "" {
		return false, err
	}
	var waiting *console.Step
	defer func() { waiting.End() }()
	began := time.Now()
	tags, err := s.cache.ListTagsForResource(ctx, &elasticache.ListTagsForResourceInput{ResourceName: &cache.ARN})
	for busy(err) {
		now, problem := DescribeCache(ctx, s.cache, s.Config.Cache)
		switch {
		case problem != nil || now.Status == "":
			return false, problem
		case now.Status == "create-failed":
			return s.madeInRun(ctx, now)
		case time.Since(began) > cacheLimit:
			return false, s.stuckCache(now.Status, began)
		}
		if waiting == nil {
			waiting = con.Step("the cache %s is busy: waiting until its tags can be read", CacheName(s.Config.Cache))
		}
		if err := con.Wait(ctx, 0); err != nil {
			return false, err
		}
		tags, err = s.cache.ListTagsForResource(ctx, &elasticache.ListTagsForResourceInput{ResourceName: &cache.ARN})
	}
	if err != nil {
		return false, fmt.Errorf("tags of the cache %s: %w", CacheName(s.Config.Cache), err)
	}
	var name, run string
	for _, t := range tags.TagList {
		switch aws.ToString(t.Key) {
		case "name":
			name = aws.ToString(t.Value)
		case "run":
			run = aws.ToString(t.Value)
		}
	}
	_, err = shutdown.ParseRun(run)
	return err == nil && name == s.Config.Name, nil
}

// CacheRun is the run in the tags of the stack's own cache; "" if there is none, or if AWS does not show the tags.
func (s *Stack) CacheRun(ctx context.Context) (string, error) {
	if !s.Config.Cache.Delete {
		return "", nil
	}
	cache, err := DescribeCache(ctx, s.cache, s.Config.Cache)
	if err != nil || cache.ARN == "" {
		return "", err
	}
	tags, err := s.cache.ListTagsForResource(ctx, &elasticache.ListTagsForResourceInput{ResourceName: &cache.ARN})
	if busy(err) || Missing(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("tags of the cache %s: %w", CacheName(s.Config.Cache), err)
	}
	for _, t := range tags.TagList {
		if aws.ToString(t.Key) == "run" {
			return aws.ToString(t.Value), nil
		}
	}
	return "", nil
}

// madeInRun reports whether a cache was created since the current run started.
func (s *Stack) madeInRun(ctx context.Context, cache Cache) (bool, error) {
	run, err := s.Run(ctx)
	if err != nil || run == nil {
		return false, err
	}
	began, err := shutdown.ParseRun(run.Run)
	if err != nil {
		return false, err
	}
	return !cache.created.Before(began), nil
}

// stuckCache is the error of a cache that has been in one status for too long.
func (s *Stack) stuckCache(status string, began time.Time) error {
	name := CacheName(s.Config.Cache)
	return fmt.Errorf("the cache %s is still %s after %s, and is billed until it is gone: `%s` may say why; run this command again later, and ask AWS Support if that does not help",
		name, status, time.Since(began).Round(time.Second), console.AWS(s.AWS.Region, "aws elasticache describe-events --source-identifier %s --source-type %s", name, s.cacheKind()))
}

// deleteCache requests the deletion. A cache that is busy, or already deleted, is not an error.
func (s *Stack) deleteCache(ctx context.Context) (err error) {
	if c := s.Config.Cache; c.Serverless != "" {
		_, err = s.cache.DeleteServerlessCache(ctx, &elasticache.DeleteServerlessCacheInput{ServerlessCacheName: &c.Serverless})
	} else {
		_, err = s.cache.DeleteReplicationGroup(ctx, &elasticache.DeleteReplicationGroupInput{ReplicationGroupId: &c.ReplicationGroup})
	}
	if Missing(err) || busy(err) {
		return nil
	}
	return err
}

// busy: a cache that is being created or modified cannot be deleted, and its tags cannot be read.
func busy(err error) bool {
	return Code(err) == "InvalidReplicationGroupState" || strings.HasPrefix(Code(err), "InvalidServerlessCacheState")
}

// CacheGone waits until a cache that is being deleted is gone, and shows its progress. With remove it deletes the cache as soon as its
// status allows. A cache that the stack only uses has no status here.
func (s *Stack) CacheGone(ctx context.Context, con *console.Console, remove bool) error {
	name, began := CacheName(s.Config.Cache), time.Now()
	var waiting *console.Step
	defer func() { waiting.End() }()
	for {
		status, err := s.CacheStatus(ctx)
		if err != nil || status == "" || status != "deleting" && !remove {
			return err
		}
		if status != "deleting" {
			if err := s.deleteCache(ctx); err != nil {
				return fmt.Errorf("delete the cache %s: %w", name, err)
			}
		}
		if waiting == nil {
			waiting = con.Step("the cache %s is %s: waiting until it is gone", name, status)
		}
		waiting.At(-1, "%s", status)
		if time.Since(began) > cacheLimit {
			return s.stuckCache(status, began)
		}
		if err := con.Wait(ctx, 0); err != nil {
			return err
		}
	}
}

// cacheKind is AWS's source type of the cache.
func (s *Stack) cacheKind() string {
	if s.Config.Cache.Serverless != "" {
		return "serverless-cache"
	}
	return "replication-group"
}
