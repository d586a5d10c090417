package export

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/stretchr/testify/require"
)

// An export's memory is flat up to the number of streams in docs/exports.md. Each case is a separate process with the function's memory limit.
func TestMemoryIsFlat(t *testing.T) {
	if os.Getenv("E2E_LONG") != "1" {
		t.Skip("takes a minute: E2E_LONG=1")
	}
	for _, streams := range []int{100, 5_000, 10_000} {
		c := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=BenchmarkManyStreams", "-test.benchtime=1x")
		c.Env = append(os.Environ(), fmt.Sprint("STREAMS=", streams))
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
		peak := regexp.MustCompile(`([\d.]+) peak-MB`).FindSubmatch(out)
		require.NotNil(t, peak, "%s", out)
		mb, err := strconv.ParseFloat(string(peak[1]), 64)
		require.NoError(t, err)
		t.Logf("%d streams: %.0f MB", streams, mb)
		require.LessOrEqual(t, mb, 256.0, "%d streams", streams)
	}
}

// BenchmarkManyStreams generates events on request, so that the peak memory is the job's.
func BenchmarkManyStreams(b *testing.B) {
	streams, err := strconv.Atoi(os.Getenv("STREAMS"))
	if err != nil {
		b.Skip("STREAMS is not set")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(192 << 20))
	const events = 4_000_000
	out := &counter{}
	for b.Loop() {
		job := logJob(&generatedLogs{streams: streams, events: events / streams})
		job.Rate, job.Filter, job.Groups = 1e9, 1e9, job.Groups[:1]
		sum, err := job.Write(b.Context(), out)
		require.NoError(b, err)
		require.EqualValues(b, streams*(events/streams), sum.Events)
	}
	b.ReportMetric(peakMemory(b), "peak-MB")
}

// generatedLogs answers with progress lines of memtier, in pages of at most 6,000, which is about 1 MB.
type generatedLogs struct{ streams, events int }

func (m *generatedLogs) DescribeLogStreams(_ context.Context, in *cloudwatchlogs.DescribeLogStreamsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
	out := &cloudwatchlogs.DescribeLogStreamsOutput{}
	for i := range m.streams {
		out.LogStreams = append(out.LogStreams, types.LogStream{LogStreamName: aws.String(fmt.Sprintf("load/memtier/%05d", i))})
	}
	return out, nil
}

// FilterLogEvents answers with the same lines as GetLogEvents, in time order.
func (m *generatedLogs) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	first, _ := strconv.Atoi(aws.ToString(in.NextToken))
	all, out := m.events*len(in.LogStreamNames), &cloudwatchlogs.FilterLogEventsOutput{}
	count := min(all-first, 6_000)
	if in.Limit != nil {
		count = min(count, int(*in.Limit))
	}
	for n := first; n < first+count; n++ {
		name := in.LogStreamNames[n%len(in.LogStreamNames)]
		stream, err := strconv.Atoi(name[len("load/memtier/"):])
		if err != nil {
			return nil, err
		}
		at, message := m.line(stream, n/len(in.LogStreamNames))
		out.Events = append(out.Events, types.FilteredLogEvent{LogStreamName: &name, Timestamp: aws.Int64(*in.StartTime + at), Message: &message})
	}
	if first+count < all {
		out.NextToken = aws.String(fmt.Sprint(first + count))
	}
	return out, nil
}

// line returns a stream's i-th line and its time, in milliseconds since the start.
func (m *generatedLogs) line(stream, i int) (at int64, message string) {
	ops := 40_000 + (i*7919+stream*31)%9_973
	return int64(i), fmt.Sprintf("[RUN #1 %d%%, %3d secs]  4 threads 200 conns: %11d ops, %7d (avg: %7d) ops/sec, %d.%02dMB/sec (avg: 4.31MB/sec),  %d.%02d (avg:  4.72) msec latency",
		i%100, i, i*ops, ops, 44_000+i%97, 3+i%3, i%100, 4+i%2, i*31%100)
}

func (m *generatedLogs) GetLogEvents(_ context.Context, in *cloudwatchlogs.GetLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error) {
	stream, err := strconv.Atoi((*in.LogStreamName)[len("load/memtier/"):])
	if err != nil {
		return nil, err
	}
	first, _ := strconv.Atoi(strings.TrimPrefix(aws.ToString(in.NextToken), "f/"))
	count := min(m.events-first, 6_000)
	if in.Limit != nil {
		count = min(count, int(*in.Limit))
	}
	out := &cloudwatchlogs.GetLogEventsOutput{NextForwardToken: aws.String(fmt.Sprint("f/", first+count))}
	for i := first; i < first+count; i++ {
		at, message := m.line(stream, i)
		out.Events = append(out.Events, types.OutputLogEvent{Timestamp: aws.Int64(*in.StartTime + at), Message: &message})
	}
	return out, nil
}
