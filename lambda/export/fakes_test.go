package export

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// ticker is a clock that only advances by Sleep.
type ticker struct {
	mu    sync.Mutex
	now   time.Time
	slept time.Duration
}

func (c *ticker) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *ticker) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.slept = c.now.Add(d), c.slept+d
	return ctx.Err()
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// fakeMetrics answers GetMetricData like CloudWatch: StartTime rounded down to the minute, EndTime exclusive, at most size datapoints per
// answer, and a token for the rest.
type fakeMetrics struct {
	mu          sync.Mutex
	points      map[string]map[int64]float64 // by namespace, metric, dimensions and statistic
	size        int                          // datapoints per answer, 0: all
	listed      []cwtypes.Metric
	edit        func(call int, out *cloudwatch.GetMetricDataOutput)
	calls       int
	lists       int
	queryCounts []int // the number of queries of each call without a token
}

func (f *fakeMetrics) put(s Series, at time.Time, value float64) {
	if f.points == nil {
		f.points = map[string]map[int64]float64{}
	}
	key := s.Namespace + " " + s.Metric + " " + FormatDimensions(s.Dimensions) + " " + s.Stat
	if f.points[key] == nil {
		f.points[key] = map[int64]float64{}
	}
	f.points[key][at.Unix()] = value
}

func (f *fakeMetrics) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if n := len(in.MetricDataQueries); n == 0 || n > 500 {
		return nil, fmt.Errorf("ValidationError: %d queries", n)
	}
	if in.NextToken == nil {
		f.queryCounts = append(f.queryCounts, len(in.MetricDataQueries))
	}
	from, to := in.StartTime.Truncate(time.Minute).Unix(), in.EndTime.Unix()
	skip, _ := strconv.Atoi(aws.ToString(in.NextToken))
	out, n, all := &cloudwatch.GetMetricDataOutput{}, 0, int64(0)
	for _, q := range in.MetricDataQueries {
		m := q.MetricStat
		all += (to - from) / int64(*m.Period)
		points := f.points[*m.Metric.Namespace+" "+*m.Metric.MetricName+" "+FormatDimensions(m.Metric.Dimensions)+" "+*m.Stat]
		times := []int64{}
		for t := range points {
			if t >= from && t < to {
				times = append(times, t)
			}
		}
		slices.Sort(times)
		result := cwtypes.MetricDataResult{Id: q.Id, StatusCode: cwtypes.StatusCodeComplete}
		for _, t := range times {
			if n++; n <= skip {
				continue
			}
			if f.size > 0 && n > skip+f.size {
				result.StatusCode = cwtypes.StatusCodePartialData
				out.NextToken = aws.String(strconv.Itoa(skip + f.size))
				break
			}
			result.Timestamps, result.Values = append(result.Timestamps, time.Unix(t, 0).UTC()), append(result.Values, points[t])
		}
		out.MetricDataResults = append(out.MetricDataResults, result)
		if out.NextToken != nil {
			break
		}
	}
	if all > 100_800 {
		return nil, fmt.Errorf("ValidationError: %d datapoints asked for", all)
	}
	if f.edit != nil {
		f.edit(f.calls, out)
	}
	return out, nil
}

func (f *fakeMetrics) ListMetrics(_ context.Context, in *cloudwatch.ListMetricsInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.ListMetricsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lists++
	const size = 3
	var found []cwtypes.Metric
	for _, m := range f.listed {
		match := *m.Namespace == *in.Namespace && (in.MetricName == nil || *in.MetricName == *m.MetricName)
		for _, want := range in.Dimensions {
			match = match && slices.ContainsFunc(m.Dimensions, func(d cwtypes.Dimension) bool {
				return *d.Name == *want.Name && (want.Value == nil || *want.Value == *d.Value)
			})
		}
		if match {
			found = append(found, m)
		}
	}
	skip, _ := strconv.Atoi(aws.ToString(in.NextToken))
	out := &cloudwatch.ListMetricsOutput{Metrics: found[skip:]}
	if len(out.Metrics) > size {
		out.Metrics, out.NextToken = out.Metrics[:size], aws.String(strconv.Itoa(skip+size))
	}
	return out, nil
}

func metric(namespace, name string, pairs ...string) cwtypes.Metric {
	m := cwtypes.Metric{Namespace: &namespace, MetricName: &name}
	for _, p := range pairs {
		n, v, _ := strings.Cut(p, "=")
		m.Dimensions = append(m.Dimensions, cwtypes.Dimension{Name: &n, Value: &v})
	}
	return m
}

type logEvent struct {
	at      int64
	message string
}

// fakeLogs answers GetLogEvents like CloudWatch Logs: pages of size events, empty pages if wanted, and the same token again at the end.
type fakeLogs struct {
	mu         sync.Mutex
	groups     map[string]map[string][]logEvent
	size       int
	emptyPages bool // every other page is empty
	calls      int
	filters    int // calls of FilterLogEvents
	active     int // calls in progress
	maxActive  int // most calls in progress at once
	fail       func(call int) error
}

func (f *fakeLogs) DescribeLogStreams(_ context.Context, in *cloudwatchlogs.DescribeLogStreamsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	streams, ok := f.groups[*in.LogGroupName]
	if !ok {
		return nil, &logstypes.ResourceNotFoundException{Message: aws.String("The specified log group does not exist.")}
	}
	names := []string{}
	for name := range streams {
		names = append(names, name)
	}
	slices.Sort(names)
	skip, _ := strconv.Atoi(aws.ToString(in.NextToken))
	out := &cloudwatchlogs.DescribeLogStreamsOutput{}
	for _, name := range names[skip:min(len(names), skip+50)] {
		s := logstypes.LogStream{LogStreamName: &name}
		if events := streams[name]; len(events) > 0 {
			s.LastIngestionTime = aws.Int64(events[len(events)-1].at)
		}
		out.LogStreams = append(out.LogStreams, s)
	}
	if skip+50 < len(names) {
		out.NextToken = aws.String(strconv.Itoa(skip + 50))
	}
	return out, nil
}

func (f *fakeLogs) GetLogEvents(ctx context.Context, in *cloudwatchlogs.GetLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error) {
	f.mu.Lock()
	f.calls++
	f.active++
	f.maxActive = max(f.maxActive, f.active)
	call := f.calls
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.active--; f.mu.Unlock() }()
	if f.fail != nil {
		if err := f.fail(call); err != nil {
			return nil, err
		}
	}
	if in.NextToken != nil && !aws.ToBool(in.StartFromHead) {
		return nil, fmt.Errorf("InvalidParameterException: startFromHead must be true with a forward token")
	}
	var window []logEvent
	for _, e := range f.groups[*in.LogGroupName][*in.LogStreamName] {
		if e.at >= *in.StartTime && e.at < *in.EndTime {
			window = append(window, e)
		}
	}
	step, _ := strconv.Atoi(strings.TrimPrefix(aws.ToString(in.NextToken), "f/"))
	size := max(f.size, 1)
	if in.Limit != nil {
		size = min(size, int(*in.Limit))
	}
	pages := (len(window) + size - 1) / size
	show := step
	if f.emptyPages {
		pages, show = 2*pages, step/2
	}
	out := &cloudwatchlogs.GetLogEventsOutput{NextForwardToken: aws.String("f/" + strconv.Itoa(min(step+1, max(pages, 1))))}
	if step >= max(pages, 1) {
		out.NextForwardToken = in.NextToken
		return out, nil
	}
	if f.emptyPages && step%2 == 0 {
		return out, nil
	}
	for _, e := range window[min(show*size, len(window)):min((show+1)*size, len(window))] {
		out.Events = append(out.Events, logstypes.OutputLogEvent{Timestamp: &e.at, Message: &e.message})
	}
	return out, ctx.Err()
}

// FilterLogEvents answers in time order. Events with the same timestamp are not in the order of their streams.
func (f *fakeLogs) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	f.mu.Lock()
	f.filters++
	f.mu.Unlock()
	if n := len(in.LogStreamNames); n < 1 || n > 100 {
		return nil, fmt.Errorf("InvalidParameterException: %d names", n)
	}
	var window []logstypes.FilteredLogEvent
	for _, name := range slices.Backward(in.LogStreamNames) {
		for _, e := range f.groups[*in.LogGroupName][name] {
			if e.at >= *in.StartTime && e.at <= *in.EndTime {
				window = append(window, logstypes.FilteredLogEvent{Timestamp: &e.at, Message: &e.message, LogStreamName: &name})
			}
		}
	}
	slices.SortStableFunc(window, func(a, b logstypes.FilteredLogEvent) int { return cmp.Compare(*a.Timestamp, *b.Timestamp) })
	size, out := max(f.size, 1), &cloudwatchlogs.FilterLogEventsOutput{}
	if in.Limit != nil {
		size = min(size, int(*in.Limit))
	}
	from, empty := 0, false
	if text := aws.ToString(in.NextToken); text != "" {
		if _, err := fmt.Sscanf(text, "%d %t", &from, &empty); err != nil {
			return nil, err
		}
	}
	if f.emptyPages && !empty { // an empty page with a token
		out.NextToken = aws.String(fmt.Sprint(from, " true"))
		return out, nil
	}
	out.Events = window[min(from, len(window)):min(from+size, len(window))]
	if from+size < len(window) {
		out.NextToken = aws.String(fmt.Sprint(from+size, " false"))
	}
	return out, nil
}

// fakeS3 is a bucket with S3's conditional writes and multipart rules.
type fakeS3 struct {
	mu      sync.Mutex
	objects map[string]*object
	uploads map[string]*upload
	next    int
	fail    func(op string) error // called before each call and, with "Completed", after CompleteMultipartUpload had its effect
}

type object struct {
	body []byte
	meta map[string]string
	etag string
}

type upload struct {
	key   string
	meta  map[string]string
	parts map[int32][]byte
}

func s3Error(code string) error { return &smithy.GenericAPIError{Code: code, Message: code} }

func (f *fakeS3) failing(op string) error {
	if f.fail == nil {
		return nil
	}
	return f.fail(op)
}

func (f *fakeS3) store(key string, body []byte, meta map[string]string, ifMatch, ifNoneMatch *string) error {
	if o := f.objects[key]; o != nil && ifNoneMatch != nil || ifMatch != nil && (o == nil || o.etag != *ifMatch) {
		return s3Error("PreconditionFailed")
	}
	if f.objects == nil {
		f.objects = map[string]*object{}
	}
	sum := md5.Sum(body)
	f.objects[key] = &object{body, meta, hex.EncodeToString(sum[:])}
	return nil
}

func (f *fakeS3) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failing("PutObject"); err != nil {
		return nil, err
	}
	body, _ := io.ReadAll(in.Body)
	return &s3.PutObjectOutput{}, f.store(*in.Key, body, in.Metadata, in.IfMatch, in.IfNoneMatch)
}

func (f *fakeS3) GetObject(_ context.Context, in *s3.GetObjectInput, _ ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failing("GetObject"); err != nil {
		return nil, err
	}
	o, ok := f.objects[*in.Key]
	if !ok {
		return nil, &s3types.NoSuchKey{}
	}
	return &s3.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(o.body)), Metadata: o.meta, ETag: &o.etag}, nil
}

func (f *fakeS3) CreateMultipartUpload(_ context.Context, in *s3.CreateMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failing("CreateMultipartUpload"); err != nil {
		return nil, err
	}
	f.next++
	id := strconv.Itoa(f.next)
	if f.uploads == nil {
		f.uploads = map[string]*upload{}
	}
	f.uploads[id] = &upload{*in.Key, in.Metadata, map[int32][]byte{}}
	return &s3.CreateMultipartUploadOutput{UploadId: &id}, nil
}

func (f *fakeS3) UploadPart(_ context.Context, in *s3.UploadPartInput, _ ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failing("UploadPart"); err != nil {
		return nil, err
	}
	body, _ := io.ReadAll(in.Body)
	f.uploads[*in.UploadId].parts[*in.PartNumber] = body
	return &s3.UploadPartOutput{ETag: aws.String(fmt.Sprint(len(body)))}, nil
}

func (f *fakeS3) CompleteMultipartUpload(_ context.Context, in *s3.CompleteMultipartUploadInput, _ ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.failing("CompleteMultipartUpload"); err != nil {
		return nil, err
	}
	u, ok := f.uploads[*in.UploadId]
	if !ok {
		return nil, s3Error("NoSuchUpload")
	}
	var body []byte
	for i, p := range in.MultipartUpload.Parts {
		part := u.parts[*p.PartNumber]
		if int(*p.PartNumber) != i+1 || i+1 < len(in.MultipartUpload.Parts) && len(part) < 5<<20 {
			return nil, s3Error("EntityTooSmall")
		}
		body = append(body, part...)
	}
	if err := f.store(*in.Key, body, u.meta, in.IfMatch, in.IfNoneMatch); err != nil {
		return nil, err
	}
	delete(f.uploads, *in.UploadId)
	return &s3.CompleteMultipartUploadOutput{}, f.failing("Completed")
}

func (f *fakeS3) AbortMultipartUpload(_ context.Context, in *s3.AbortMultipartUploadInput, _ ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.uploads[*in.UploadId]; !ok {
		return nil, s3Error("NoSuchUpload")
	}
	delete(f.uploads, *in.UploadId)
	return &s3.AbortMultipartUploadOutput{}, nil
}
