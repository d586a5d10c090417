package localaws

import (
	"slices"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// perSecond is AWS's default request quotas per account and Region, for the actions that an export calls often.
//
//	https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
//	https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
//	https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
//	https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html
var perSecond = map[string]float64{
	"monitoring.GetMetricData": 500,
	"monitoring.ListMetrics":   25,
	"logs.GetLogEvents":        25,
	"logs.FilterLogEvents":     10,
	"logs.DescribeLogStreams":  25,
	"logs.DescribeLogGroups":   10,
	"logs.PutLogEvents":        5000,
	"ecs.DescribeServices":     20,
	"ecs.DescribeTasks":        20,
	"ecs.ListTasks":            20,
	"scheduler.GetSchedule":    1000,
	"scheduler.DeleteSchedule": 1000,
}

// elsewhere lists the Regions with other quotas.
var elsewhere = map[string][]struct {
	rate    float64
	regions []string
}{
	"logs.GetLogEvents": {
		{10, []string{"us-west-2", "ap-northeast-3", "ap-southeast-3", "ca-west-1", "eu-central-1", "eu-west-1", "il-central-1"}},
		{30, []string{"eu-west-3"}},
	},
	"logs.FilterLogEvents": {
		{25, []string{"us-east-1"}},
		{5, []string{"ap-northeast-3", "ap-southeast-3", "ca-west-1", "eu-central-1", "il-central-1"}},
	},
}

// Datapoints that GetMetricData may return in a second: if StartTime is in the last three hours, and if it is older.
const (
	recentDatapoints = 180_000
	olderDatapoints  = 396_000
	recent           = 3 * time.Hour
)

// RequestRate is how many calls a second of an action ("logs.GetLogEvents") a Region allows, 0 when no quota is known here.
func RequestRate(region, action string) float64 {
	for _, other := range elsewhere[action] {
		if slices.Contains(other.regions, region) {
			return other.rate
		}
	}
	return perSecond[action]
}

// Requests counts requests and enforces AWS's quotas. A quota is a token bucket that holds one second's worth and fills evenly.
type Requests struct {
	region string
	clock  account.Clock

	mu      sync.Mutex
	buckets map[string]*bucket
	calls   map[string]Count
}

// Count is how often an action was called, and how many of the calls were throttled.
type Count struct{ Calls, Throttled int }

type bucket struct {
	left float64
	at   time.Time
}

// Count is the count of an action, "logs.GetLogEvents".
func (q *Requests) Count(action string) Count {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.calls[action]
}

// Throttled counts all calls that were refused.
func (q *Requests) Throttled() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.calls {
		n += c.Throttled
	}
	return n
}

// asked is a GetMetricData request, whose cost is its datapoints.
type asked interface {
	Datapoints() (n int, start time.Time)
}

func (q *Requests) limit(call *wire.Call) error {
	action, now := call.Service+"."+call.Action, q.clock.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.calls == nil {
		q.calls, q.buckets = map[string]Count{}, map[string]*bucket{}
	}
	ok := true
	if rate := RequestRate(q.region, action); rate > 0 {
		ok = q.take(action, rate, 1, now)
	}
	if in, counts := call.In.(asked); ok && counts {
		n, start := in.Datapoints()
		kind, rate := "recent", float64(recentDatapoints)
		if now.Sub(start) > recent {
			kind, rate = "older", olderDatapoints
		}
		ok = q.take(kind, rate, float64(n), now)
	}
	c := q.calls[action]
	if c.Calls++; !ok {
		c.Throttled++
	}
	q.calls[action] = c
	if !ok {
		return wire.Throttling(call.Service)
	}
	return nil
}

// take takes cost from a bucket, if the bucket has it; q.mu is held.
func (q *Requests) take(name string, rate, cost float64, now time.Time) bool {
	b := q.buckets[name]
	if b == nil {
		b = &bucket{rate, now}
		q.buckets[name] = b
	}
	b.left, b.at = min(rate, b.left+rate*now.Sub(b.at).Seconds()), now
	if b.left < min(cost, rate) { // a request above a second's worth takes all of it
		return false
	}
	b.left -= min(cost, rate)
	return true
}
