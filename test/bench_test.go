package test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Whole exports by the real bootstrap against localaws, which throttles calls above AWS's quotas. The benchmark reports the function's rows/s, MB/s, calls
// of the API with the limiting quota, calls above the minimum, the time relative to the minimum that the quota allows (x-floor), and peak memory.
//
//	go test ./test -run '^$' -bench Export -benchtime 1x -count 6 | tee new.txt && benchstat new.txt
func BenchmarkExport(b *testing.B) {
	for _, m := range []mix{{nodes: 10, hours: 1}, {nodes: 44, hours: 1}, {nodes: 44, hours: 4}, {nodes: 44, hours: 24}} {
		b.Run(fmt.Sprintf("metrics/nodes=%d/hours=%d", m.nodes, m.hours), m.export)
	}
	for _, m := range []mix{{streams: 100, events: 1_000_000}, {streams: 100, events: 10_000_000}, {streams: 1_000, events: 100_000}, {streams: 10_000, events: 1_000_000}} {
		b.Run(fmt.Sprintf("logs/streams=%d/events=%d", m.streams, m.events), m.export)
	}
}

// mix is the data of a run that has just ended: either metrics of nodes, for hours, or logs.
type mix struct{ nodes, hours, streams, events int }

func (x mix) export(b *testing.B) {
	w := newFrozen(b, time.Now().UTC().Truncate(time.Minute).Add(-28*time.Hour), func(c *localaws.Config) { c.Quotas = true })
	end := w.started.Add(28*time.Hour - 10*time.Minute)
	window := export.Window{Start: end.Add(-time.Duration(max(x.hours, 1)) * time.Hour), End: end}
	members := w.writeMetrics(window, max(x.nodes, 1)) // an export without any row of the cache is incomplete
	client := cloudwatchlogs.NewFromConfig(w.aws)
	for _, group := range []string{w.cfg.Logs.Load, w.cfg.Logs.Engine} {
		_, err := client.CreateLogGroup(b.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
		require.NoError(b, err)
	}
	leastLogs := w.writeProgress(window, x.streams, x.events)
	w.deploy(512)
	state, err := json.Marshal(shutdown.State{Name: "perf", Run: w.run, Begun: end, Attempts: 1, LoadStopped: true, Window: &window, PeriodSeconds: 60, Membership: &members})
	require.NoError(b, err)
	for b.Loop() {
		b.StopTimer()
		before := map[string]int{}
		for _, action := range []string{"logs.GetLogEvents", "logs.FilterLogEvents", "monitoring.GetMetricData"} {
			before[action] = w.Requests.Count(action).Calls
		}
		for _, key := range []string{"metrics/" + w.run + ".csv", "logs/" + w.run + ".txt", "manifest/" + w.run + ".json"} {
			_, err := s3.NewFromConfig(w.aws).DeleteObject(b.Context(), &s3.DeleteObjectInput{Bucket: aws.String("exports"), Key: aws.String("exports/" + key)})
			require.NoError(b, err)
		}
		_, err := s3.NewFromConfig(w.aws).PutObject(b.Context(), &s3.PutObjectInput{Bucket: aws.String("exports"), Key: aws.String("exports/state/" + w.run + ".json"),
			Body: strings.NewReader(string(state)), Metadata: map[string]string{export.Metadata: "perf/" + w.run}})
		require.NoError(b, err)
		b.StartTimer()
		start := time.Now()
		held := w.export(b)
		took := time.Since(start).Seconds()
		b.StopTimer()
		m, err := export.ParseManifest([]byte(w.text("manifest", "json")))
		require.NoError(b, err)
		kind, action, least := export.KindLogs, "logs.GetLogEvents", leastLogs
		if x.streams > 1_000 {
			action = "logs.FilterLogEvents"
		}
		floor := float64(least)/localaws.RequestRate("us-east-1", action) + math.Ceil(float64(x.streams)/50)/localaws.RequestRate("us-east-1", "logs.DescribeLogStreams")
		if x.nodes > 0 {
			// One call per page of time and 500 series; datapoints are read at the quota for the age of their page. In parallel, metrics are listed once per
			// node, for the group and for the service.
			pages, read := 0, 0.0
			for minute := 0; minute < x.hours*60; minute += 100_800 / 500 {
				rate := 396_000.0
				if time.Since(window.Start.Add(time.Duration(minute)*time.Minute)) <= 3*time.Hour {
					rate = 180_000
				}
				read += float64(m.Metrics.SeriesAsked*min(100_800/500, x.hours*60-minute)) / rate
				pages++
			}
			kind, action, least = export.KindMetrics, "monitoring.GetMetricData", int(math.Ceil(float64(m.Metrics.SeriesAsked)/500))*pages
			floor = max(read, float64(x.nodes+3)/localaws.RequestRate("us-east-1", "monitoring.ListMetrics"))
			require.EqualValues(b, m.Metrics.Points, m.Metrics.SeriesFound*x.hours*60)
		} else {
			require.EqualValues(b, x.events, m.Logs.Events)
		}
		o, _ := m.Object(kind)
		calls := w.Requests.Count(action).Calls - before[action]
		b.ReportMetric(float64(o.Rows)/took, "rows/s")
		b.ReportMetric(float64(o.Bytes)/took/1e6, "MB/s")
		b.ReportMetric(float64(calls), "calls")
		b.ReportMetric(100*(float64(calls)/float64(least)-1), "%calls-over")
		b.ReportMetric(float64(w.Requests.Throttled()), "throttled")
		b.ReportMetric(took/floor, "x-floor")
		require.LessOrEqual(b, held, 256.0, "memory stays below the limit in docs/exports.md")
		b.ReportMetric(held, "peak-MB")
		b.StartTimer()
	}
}

// export invokes the function until the export is complete, as watch does, and returns its peak memory.
func (w *frozen) export(b *testing.B) (held float64) {
	for {
		out, err := w.invokeFunction(shutdown.ActionExport)
		require.NoError(b, err)
		if held = max(held, peak(b, aws.ToString(out.LogResult))); out.FunctionError == nil {
			return held
		}
		require.Contains(b, string(out.Payload), export.ErrOutOfTime.Error())
	}
}

var maxMemory = regexp.MustCompile(`Max Memory Used: (\d+) MB`)

// peak is the peak memory of the function's process in MB (MiB), from Lambda's report.
func peak(b *testing.B, log string) float64 {
	text, err := base64.StdEncoding.DecodeString(log)
	require.NoError(b, err)
	m := maxMemory.FindStringSubmatch(string(text))
	require.NotNil(b, m, "%s", text)
	n, err := strconv.ParseFloat(m[1], 64)
	require.NoError(b, err)
	return n
}

// writeMetrics writes one datapoint a minute for every exported metric; 44 nodes have some 5,400 series.
func (w *frozen) writeMetrics(window export.Window, nodes int) export.Membership {
	m := export.Membership{ReplicationGroup: "perf", ClusterMode: true}
	for i := range nodes {
		m.Nodes = append(m.Nodes, export.Node{CacheClusterID: fmt.Sprintf("perf-%04d-001", i+1), CacheNodeID: "0001"})
	}
	seen := map[string]bool{}
	for _, s := range (export.Target{Membership: m, Cluster: "perf", Service: "perf-load"}).Series(nil) {
		key := s.Metric + export.FormatDimensions(s.Dimensions)
		if seen[key] {
			continue
		}
		seen[key] = true
		var dims []cloudwatch.Dimension
		for _, d := range s.Dimensions {
			dims = append(dims, cloudwatch.Dimension{Name: *d.Name, Value: *d.Value})
		}
		for at := window.Start; at.Before(window.End); at = at.Add(time.Minute) {
			w.CloudWatch.Put(cloudwatch.Metric{Namespace: s.Namespace, Name: s.Metric, Unit: s.Unit, Dimensions: dims}, at, float64((at.Unix()/60*7919)%100_003)/8)
		}
	}
	return m
}

// writeProgress writes memtier's progress lines to streams, and returns the minimum number of calls that read them, stream by stream or a hundred together.
func (w *frozen) writeProgress(window export.Window, streams, events int) (least int) {
	together, bytes := 1, 0
	if streams > 1_000 {
		together = 100
	}
	for stream := range streams {
		each := events / streams
		batch := make([]logs.Event, 0, 10_000)
		for i := range each {
			ops := 40_000 + (i*7919+stream*31)%9_973
			message := fmt.Sprintf("[RUN #1 %d%%, %3d secs]  4 threads 200 conns: %11d ops, %7d (avg: %7d) ops/sec, %d.%02dMB/sec (avg: 4.31MB/sec),  %d.%02d (avg:  4.72) msec latency",
				i*100/each, i, i*ops, ops, 44_000+i%97, 3+i%3, i%100, 4+i%2, i*31%100)
			bytes += len(message) + 26
			batch = append(batch, logs.Event{Time: window.Start.Add(time.Duration(i) * time.Hour / time.Duration(each)), Message: message})
			if len(batch) == cap(batch) || i == each-1 {
				require.NoError(w.t, w.Logs.Put(w.cfg.Logs.Load, fmt.Sprintf("load/memtier/%03d", stream), batch...))
				batch = batch[:0]
			}
		}
		if (stream+1)%together == 0 {
			least += int(math.Ceil(max(float64(bytes)/(1<<20), float64(each*together)/10_000)))
			if bytes = 0; together == 1 {
				least++ // only a repeated token marks the end of a stream
			}
		}
	}
	return least
}
