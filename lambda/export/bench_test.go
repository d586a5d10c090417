package export

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// go test ./lambda/export -run '^$' -bench . -count 6 | tee new.txt && benchstat new.txt

func BenchmarkCSV(b *testing.B) {
	all := target.Catalog()[:200]
	slices.SortFunc(all, Series.compare)
	points := make([]point, 0, 200*500)
	for minute := range int64(500) {
		for s := range int32(200) {
			points = append(points, point{1_795_000_000 + minute*60, s, s, float64(minute) * 1.25})
		}
	}
	out := &counter{}
	for b.Loop() {
		t := newTable(out, MetricsJob{Series: all, Period: time.Minute})
		if err := t.page(points); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(points))/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(out.n)/b.Elapsed().Seconds()/1e6, "MB/s")
}

func BenchmarkLogMerge(b *testing.B) {
	for _, streams := range []int{4, 100} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			const events = 200_000
			group := map[string][]logEvent{}
			message := strings.Repeat("x", 150)
			for i := range events {
				name := fmt.Sprintf("load/memtier/%03d", i%streams)
				group[name] = append(group[name], logEvent{logWindow.Start.UnixMilli() + int64(i)/100, message})
			}
			out, calls := &counter{}, 0
			for b.Loop() {
				api := &fakeLogs{size: 10_000, groups: map[string]map[string][]logEvent{"/perf/load": group}}
				job := logJob(api)
				job.Rate = 1e9
				if _, err := job.Write(b.Context(), out); err != nil {
					b.Fatal(err)
				}
				calls += api.calls
			}
			b.ReportMetric(float64(b.N*events)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(out.n)/b.Elapsed().Seconds()/1e6, "MB/s")
			b.ReportMetric(float64(calls)/float64(b.N), "calls")
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapSys)/1e6, "heap-MB")
		})
	}
}

type counter struct{ n int }

func (c *counter) Write(p []byte) (int, error) { c.n += len(p); return len(p), nil }

var _ io.Writer = (*counter)(nil)

// endless generates its answers: what a benchmark holds in memory is the export's own.
type endless struct {
	events int // a stream
	noise  bool
}

func (e endless) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	out := &cloudwatch.GetMetricDataOutput{}
	for _, q := range in.MetricDataQueries {
		r := cwtypes.MetricDataResult{Id: q.Id, StatusCode: cwtypes.StatusCodeComplete}
		for at := *in.StartTime; at.Before(*in.EndTime); at = at.Add(time.Minute) {
			r.Timestamps, r.Values = append(r.Timestamps, at), append(r.Values, float64(at.Unix()%1000)/8)
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	return out, nil
}

func (e endless) DescribeLogStreams(context.Context, *cloudwatchlogs.DescribeLogStreamsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
	out := &cloudwatchlogs.DescribeLogStreamsOutput{}
	for i := range 100 {
		out.LogStreams = append(out.LogStreams, logstypes.LogStream{LogStreamName: aws.String(fmt.Sprintf("load/memtier/%03d", i))})
	}
	return out, nil
}

// line is memtier's progress, or 150 bytes that do not compress.
func (e endless) line(i int) string {
	if !e.noise {
		ops := 40_000 + i*7919%9_973
		return fmt.Sprintf("[RUN #1 %d%%, %3d secs]  4 threads 200 conns: %11d ops, %7d (avg: %7d) ops/sec, %d.%02dMB/sec (avg: 4.31MB/sec),  %d.%02d (avg:  4.72) msec latency",
			i*100/e.events, i, i*ops, ops, 44_000+i%97, 3+i%3, i%100, 4+i%2, i*31%100)
	}
	b := make([]byte, 0, 152)
	for len(b) < 150 {
		b = binary.LittleEndian.AppendUint64(b, rand.Uint64())
	}
	return base64.StdEncoding.EncodeToString(b[:112])
}

func (e endless) GetLogEvents(_ context.Context, in *cloudwatchlogs.GetLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error) {
	const page = 6700 // 1 MB of 150 bytes
	first, _ := strconv.Atoi(aws.ToString(in.NextToken))
	out := &cloudwatchlogs.GetLogEventsOutput{NextForwardToken: aws.String(strconv.Itoa(min(first+page, e.events)))}
	for i := first; i < min(first+page, e.events); i++ {
		out.Events = append(out.Events, logstypes.OutputLogEvent{Timestamp: aws.Int64(*in.StartTime + int64(i)*int64(time.Hour/time.Millisecond)/int64(e.events)),
			Message: aws.String(e.line(i))})
	}
	return out, nil
}

// GOMEMLIMIT=230MiB go test ./lambda/export -run '^$' -bench 'Memory/metrics/hours=24' -benchtime 1x: rss-MB is the whole process.
func BenchmarkMemory(b *testing.B) {
	var big Target
	for i := range 54 {
		big.Membership.Nodes = append(big.Membership.Nodes, Node{CacheClusterID: fmt.Sprintf("perf-%04d-001", i), CacheNodeID: "0001"})
	}
	all := big.Catalog()[:5400]
	slices.SortFunc(all, Series.compare)
	report := func(b *testing.B, out *counter, begun time.Time) {
		b.ReportMetric(float64(out.n)/time.Since(begun).Seconds()/1e6, "MB/s")
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(usage.Maxrss)/1e3, "rss-MB")
	}
	for _, hours := range []int{4, 24} {
		b.Run(fmt.Sprintf("metrics/hours=%d", hours), func(b *testing.B) {
			out, begun := &counter{}, time.Now()
			for b.Loop() {
				end := logWindow.Start.Add(time.Duration(hours) * time.Hour)
				job := MetricsJob{API: endless{}, Clock: &ticker{now: end}, Series: all, Window: Window{logWindow.Start, end}, Period: time.Minute}
				if sum, err := job.Write(b.Context(), out); err != nil || sum.Points != int64(5400*60*hours) {
					b.Fatal(sum, err)
				}
			}
			report(b, out, begun)
		})
	}
	for _, shape := range []struct {
		million int
		noise   bool
	}{{1, false}, {10, false}, {1, true}} {
		million := shape.million
		b.Run(fmt.Sprintf("logs/events=%dM/noise=%v", million, shape.noise), func(b *testing.B) {
			out, begun := &counter{}, time.Now()
			for b.Loop() {
				job := logJob(endless{million * 10_000, shape.noise})
				job.Groups, job.Rate = job.Groups[:1], 1e9
				if sum, err := job.Write(b.Context(), out); err != nil || sum.Events != int64(million)*1_000_000 {
					b.Fatal(sum, err)
				}
			}
			report(b, out, begun)
		})
	}
}
