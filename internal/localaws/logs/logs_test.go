package logs_test

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/apimodel"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

var models = sync.OnceValues(apimodel.Load)

func start(t testing.TB, delays ...account.Delays) (*logs.Service, *cloudwatchlogs.Client, *wire.Registry) {
	acct := wiretest.Account(t)
	for _, d := range delays {
		acct.Delays = d
	}
	s, r := logs.New(acct), wire.NewRegistry()
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	s.Register(r)
	m, err := models()
	require.NoError(t, err)
	r.Record = func(x wire.Exchange) { // every exchange keeps to AWS's own API model
		for _, problem := range m.Check(x) {
			t.Errorf("%s\n%.300s", problem, x.ResponseBody)
		}
	}
	return s, cloudwatchlogs.NewFromConfig(wiretest.Config(t, r)), r
}

func code(t *testing.T, err error, want, text string) {
	t.Helper()
	var e smithy.APIError
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.ErrorCode())
	require.Contains(t, e.ErrorMessage(), text)
}

func group(t testing.TB, c *cloudwatchlogs.Client, name string, streams ...string) {
	t.Helper()
	_, err := c.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &name})
	require.NoError(t, err)
	for _, s := range streams {
		_, err = c.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &name, LogStreamName: &s})
		require.NoError(t, err)
	}
}

func TestGroups(t *testing.T) {
	s, c, _ := start(t)
	ctx := t.Context()
	_, err := c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/a/load"), Tags: map[string]string{"name": "a"},
		KmsKeyId: aws.String("arn:aws:kms:us-east-1:123456789012:key/1"), LogGroupClass: types.LogGroupClassStandard})
	require.NoError(t, err)
	require.True(t, s.Group("/a/load"))
	_, err = c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/a/load")})
	code(t, err, "ResourceAlreadyExistsException", "The specified log group already exists")
	_, err = c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("a b")})
	code(t, err, "InvalidParameterException", "logGroupName")
	for i := range 60 {
		group(t, c, fmt.Sprintf("/many/%02d", i))
	}
	// pages of 50
	p := cloudwatchlogs.NewDescribeLogGroupsPaginator(c, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/many/")})
	var sizes []int
	for p.HasMorePages() {
		out, err := p.NextPage(ctx)
		require.NoError(t, err)
		sizes = append(sizes, len(out.LogGroups))
	}
	require.Equal(t, []int{50, 10}, sizes)
	_, err = c.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{Limit: aws.Int32(51)})
	code(t, err, "InvalidParameterException", "limit")

	_, err = c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("/a/load"), RetentionInDays: aws.Int32(2)})
	code(t, err, "InvalidParameterException", "retentionInDays 2 is not one of")
	_, err = c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("/a/load"), RetentionInDays: aws.Int32(7)})
	require.NoError(t, err)
	out, err := c.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/a/")})
	require.NoError(t, err)
	g := out.LogGroups[0]
	arn := "arn:aws:logs:us-east-1:123456789012:log-group:/a/load"
	require.Equal(t, arn+":*", *g.Arn)
	require.Equal(t, arn, *g.LogGroupArn)
	require.Equal(t, int32(7), *g.RetentionInDays)
	require.Equal(t, "arn:aws:kms:us-east-1:123456789012:key/1", *g.KmsKeyId)
	_, err = c.DeleteRetentionPolicy(ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: aws.String("/a/load")})
	require.NoError(t, err)

	_, err = c.TagResource(ctx, &cloudwatchlogs.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"b": "", "c": "d"}})
	require.NoError(t, err)
	_, err = c.UntagResource(ctx, &cloudwatchlogs.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"c"}})
	require.NoError(t, err)
	tags, err := c.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: &arn})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"name": "a", "b": ""}, tags.Tags)
	_, err = c.UntagResource(ctx, &cloudwatchlogs.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"name", "b"}})
	require.NoError(t, err)
	tags, err = c.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: &arn})
	require.NoError(t, err)
	require.Nil(t, tags.Tags, "the model has no empty map")
	_, err = c.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: aws.String(arn + ":*")})
	code(t, err, "InvalidParameterException", ":*")

	_, err = c.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("/a/load")})
	require.NoError(t, err)
	require.False(t, s.Group("/a/load"))
	_, err = c.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("/a/load")})
	code(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	require.ErrorContains(t, s.Put("/a/load", "s", logs.Event{Time: time.Now(), Message: "m"}), "ResourceNotFoundException")
}

func TestInfrequentAccessIsNotRead(t *testing.T) {
	s, c, _ := start(t)
	_, err := c.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("g"), LogGroupClass: types.LogGroupClassInfrequentAccess})
	require.NoError(t, err)
	require.NoError(t, s.Put("g", "s", logs.Event{Time: time.Now(), Message: "m"}))
	_, err = c.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")})
	code(t, err, "InvalidParameterException", "GetLogEvents is not supported")
	_, err = c.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g")})
	code(t, err, "InvalidParameterException", "FilterLogEvents is not supported")
}

func TestStreams(t *testing.T) {
	s, c, _ := start(t)
	ctx := t.Context()
	group(t, c, "g", "b", "a", "c")
	now := time.Now().Truncate(time.Millisecond)
	require.NoError(t, s.Put("g", "b", logs.Event{Time: now.Add(-time.Minute), Message: "m"}))
	require.NoError(t, s.Put("g", "a", logs.Event{Time: now, Message: "m"}))
	describe := func(in cloudwatchlogs.DescribeLogStreamsInput) (names []string, next *string) {
		in.LogGroupName = aws.String("g")
		out, err := c.DescribeLogStreams(ctx, &in)
		require.NoError(t, err)
		for _, s := range out.LogStreams {
			names = append(names, *s.LogStreamName)
		}
		return names, out.NextToken
	}
	names, next := describe(cloudwatchlogs.DescribeLogStreamsInput{Limit: aws.Int32(2)})
	require.Equal(t, []string{"a", "b"}, names)
	names, next = describe(cloudwatchlogs.DescribeLogStreamsInput{NextToken: next})
	require.Equal(t, []string{"c"}, names)
	require.Nil(t, next)
	names, next = describe(cloudwatchlogs.DescribeLogStreamsInput{OrderBy: types.OrderByLastEventTime, Descending: aws.Bool(true), Limit: aws.Int32(1)})
	require.Equal(t, []string{"a"}, names)
	names, _ = describe(cloudwatchlogs.DescribeLogStreamsInput{OrderBy: types.OrderByLastEventTime, Descending: aws.Bool(true), NextToken: next})
	require.Equal(t, []string{"b", "c"}, names)
	_, err := c.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: aws.String("g"), OrderBy: types.OrderByLastEventTime, LogStreamNamePrefix: aws.String("a")})
	code(t, err, "InvalidParameterException", "LastEventTime")
	_, err = c.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("a")})
	code(t, err, "ResourceAlreadyExistsException", "stream")
	_, err = c.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("a:b")})
	code(t, err, "InvalidParameterException", "logStreamName")
}

func TestPutLogEventsBounds(t *testing.T) {
	_, c, _ := start(t)
	group(t, c, "g", "s")
	now := time.Now()
	put := func(events ...types.InputLogEvent) (*cloudwatchlogs.PutLogEventsOutput, error) {
		return c.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), LogEvents: events})
	}
	at := func(d time.Duration, message string) types.InputLogEvent {
		return types.InputLogEvent{Timestamp: aws.Int64(now.Add(d).UnixMilli()), Message: &message}
	}
	_, err := put(at(0, "a"), at(-time.Second, "b"))
	code(t, err, "InvalidParameterException", "chronological order")
	_, err = put(at(-25*time.Hour, "a"), at(0, "b"))
	code(t, err, "InvalidParameterException", "24 hours")
	_, err = put(at(0, strings.Repeat("x", 1<<20-25)))
	code(t, err, "InvalidParameterException", "Upload too large: 1048577 bytes exceeds limit of 1048576")
	_, err = put(at(0, strings.Repeat("x", 1<<20-26)))
	require.NoError(t, err)
	_, err = put(slices.Repeat([]types.InputLogEvent{at(0, "a")}, 10001)...)
	code(t, err, "InvalidParameterException", "10000")
	_, err = put(at(0, ""))
	code(t, err, "InvalidParameterException", "message")
	out, err := put(at(-15*24*time.Hour, "old"))
	require.NoError(t, err)
	require.Equal(t, int32(1), *out.RejectedLogEventsInfo.TooOldLogEventEndIndex)
	out, err = put(at(0, "kept"), at(3*time.Hour, "new"))
	require.NoError(t, err)
	require.Equal(t, int32(1), *out.RejectedLogEventsInfo.TooNewLogEventStartIndex)
	_, err = c.PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("g"), RetentionInDays: aws.Int32(1)})
	require.NoError(t, err)
	out, err = put(at(-25*time.Hour, "expired"))
	require.NoError(t, err)
	require.Equal(t, int32(1), *out.RejectedLogEventsInfo.ExpiredLogEventEndIndex)
	got, err := c.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s")})
	require.NoError(t, err)
	require.Equal(t, "kept", *got.Events[len(got.Events)-1].Message)
}

// collect reads a stream page by page until a token repeats.
func collect(t testing.TB, c *cloudwatchlogs.Client, in cloudwatchlogs.GetLogEventsInput) (pages [][]string) {
	in.LogGroupName, in.LogStreamName = aws.String("g"), aws.String("s")
	for {
		out, err := c.GetLogEvents(t.Context(), &in)
		require.NoError(t, err)
		require.NotNil(t, out.NextForwardToken)
		require.NotNil(t, out.NextBackwardToken)
		next := out.NextBackwardToken
		if aws.ToBool(in.StartFromHead) {
			next = out.NextForwardToken
		}
		if in.NextToken != nil && *next == *in.NextToken {
			require.Empty(t, out.Events)
			return pages
		}
		var page []string
		for i, e := range out.Events {
			page = append(page, *e.Message)
			require.False(t, i > 0 && *e.Timestamp < *out.Events[i-1].Timestamp)
		}
		pages = append(pages, page)
		in.NextToken = next
	}
}

func TestGetLogEvents(t *testing.T) {
	s, c, _ := start(t)
	group(t, c, "g", "s")
	ctx := t.Context()
	empty, err := c.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupIdentifier: aws.String("arn:aws:logs:us-east-1:123456789012:log-group:g"), LogStreamName: aws.String("s")})
	require.NoError(t, err)
	require.Empty(t, empty.Events)

	// 25,000 events, ten with the same time, in batches that overlap each other
	begin := time.Now().Add(-time.Hour).Truncate(time.Second)
	var want []string
	var batches [][]logs.Event
	for i := 0; i < 25000; i += 1000 {
		var even, odd []logs.Event
		for j := i; j < i+1000; j++ {
			e := logs.Event{Time: begin.Add(time.Duration(j/10) * time.Millisecond), Message: fmt.Sprintf("event %d %s", j, strings.Repeat("x", j%97))}
			want = append(want, e.Message)
			if j%20 < 10 {
				even = append(even, e)
			} else {
				odd = append(odd, e)
			}
		}
		batches = append(batches, even, odd)
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	for _, b := range batches {
		require.NoError(t, s.Put("g", "s", b...))
	}
	next, err := c.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"),
		NextToken: empty.NextForwardToken, StartFromHead: aws.Bool(true), Limit: aws.Int32(1)})
	require.NoError(t, err)
	require.Equal(t, want[0], *next.Events[0].Message, "a token of the empty stream goes on with what came later")

	// Equal times keep the order of ingestion, which was shuffled: compare as sets per page sequence.
	forward := collect(t, c, cloudwatchlogs.GetLogEventsInput{StartFromHead: aws.Bool(true)})
	require.Len(t, forward, 3)
	require.Len(t, forward[0], 10000)
	all := slices.Concat(forward...)
	require.ElementsMatch(t, want, all)
	backward := collect(t, c, cloudwatchlogs.GetLogEventsInput{Limit: aws.Int32(999)})
	slices.Reverse(backward)
	require.Equal(t, all, slices.Concat(backward...))

	// startTime is inclusive, endTime exclusive
	at := begin.UnixMilli()
	pages := collect(t, c, cloudwatchlogs.GetLogEventsInput{StartFromHead: aws.Bool(true), StartTime: aws.Int64(at + 100), EndTime: aws.Int64(at + 102)})
	require.Equal(t, all[1000:1020], slices.Concat(pages...))
	pages = collect(t, c, cloudwatchlogs.GetLogEventsInput{StartTime: aws.Int64(at + 100), EndTime: aws.Int64(at + 102), Limit: aws.Int32(7)})
	slices.Reverse(pages)
	require.Equal(t, all[1000:1020], slices.Concat(pages...))

	// from one page back to the one before
	f, err := c.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), StartFromHead: aws.Bool(true),
		StartTime: aws.Int64(at + 100), Limit: aws.Int32(5)})
	require.NoError(t, err)
	b, err := c.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), NextToken: f.NextBackwardToken, Limit: aws.Int32(1)})
	require.NoError(t, err)
	require.Equal(t, all[999], *b.Events[0].Message)
	_, err = c.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), NextToken: f.NextForwardToken})
	code(t, err, "InvalidParameterException", "startFromHead must be true")
	_, err = c.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), NextToken: aws.String("x")})
	code(t, err, "InvalidParameterException", "nextToken is invalid")
	_, err = c.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("g"), LogStreamName: aws.String("s"), Limit: aws.Int32(10001)})
	code(t, err, "InvalidParameterException", "10000")
}

func TestPagesEndAtOneMegabyte(t *testing.T) {
	s, c, _ := start(t)
	group(t, c, "g", "s")
	begin := time.Now().Add(-time.Minute)
	for i := range 10 {
		require.NoError(t, s.Put("g", "s", logs.Event{Time: begin.Add(time.Duration(i) * time.Second), Message: strings.Repeat("x", 262118)}))
	}
	require.NoError(t, s.Put("g", "s", logs.Event{Time: begin.Add(11 * time.Second), Message: strings.Repeat("y", 2<<20)}, logs.Event{Time: begin.Add(12 * time.Second), Message: "bad \xff\xfe \x00"}))
	pages := collect(t, c, cloudwatchlogs.GetLogEventsInput{StartFromHead: aws.Bool(true)})
	var sizes []int
	for _, p := range pages {
		sizes = append(sizes, len(p))
	}
	require.Equal(t, []int{4, 4, 2, 1, 1}, sizes)
	require.Equal(t, "bad \ufffd\ufffd \x00", pages[4][0], "what is not UTF-8 becomes U+FFFD, byte by byte, as encoding/json in the awslogs driver does it")
}

func TestFilterLogEvents(t *testing.T) {
	s, c, _ := start(t)
	group(t, c, "g")
	ctx := t.Context()
	begin := time.Now().Add(-time.Hour).Truncate(time.Second)
	var want []string
	for i := range 3000 {
		m := fmt.Sprintf("event %d", i)
		if i == 2500 {
			m += " ERROR: x"
		}
		want = append(want, m)
		require.NoError(t, s.Put("g", fmt.Sprintf("load/%d", i%7), logs.Event{Time: begin.Add(time.Duration(i) * time.Millisecond), Message: m}))
	}
	filter := func(in cloudwatchlogs.FilterLogEventsInput) (messages []string, ids map[string]bool) {
		in.LogGroupName, ids = aws.String("g"), map[string]bool{}
		p := cloudwatchlogs.NewFilterLogEventsPaginator(c, &in)
		for p.HasMorePages() {
			out, err := p.NextPage(ctx)
			require.NoError(t, err)
			for _, e := range out.Events {
				messages = append(messages, *e.Message)
				ids[*e.EventId] = true
			}
		}
		return messages, ids
	}
	got, ids := filter(cloudwatchlogs.FilterLogEventsInput{Limit: aws.Int32(777)})
	require.Equal(t, want, got)
	require.Len(t, ids, 3000)
	at := begin.UnixMilli()
	got, _ = filter(cloudwatchlogs.FilterLogEventsInput{StartTime: aws.Int64(at + 10), EndTime: aws.Int64(at + 12)})
	require.Equal(t, want[10:13], got, "endTime is inclusive")
	got, _ = filter(cloudwatchlogs.FilterLogEventsInput{StartFromHead: aws.Bool(false), Limit: aws.Int32(500)})
	slices.Reverse(got)
	require.Equal(t, want, got)
	got, _ = filter(cloudwatchlogs.FilterLogEventsInput{LogStreamNames: []string{"load/0"}, EndTime: aws.Int64(at + 8)})
	require.Equal(t, []string{"event 0", "event 7"}, got)
	got, _ = filter(cloudwatchlogs.FilterLogEventsInput{LogStreamNamePrefix: aws.String("load/1"), EndTime: aws.Int64(at + 8)})
	require.Equal(t, []string{"event 1", "event 8"}, got)
	for pattern, n := range map[string]int{"": 3000, "ERROR": 1, `"ERROR: x"`: 1, "event ERROR": 1, "-ERROR": 2999, "error": 0, "?ERROR ?2999": 2} {
		got, _ = filter(cloudwatchlogs.FilterLogEventsInput{FilterPattern: &pattern})
		require.Len(t, got, n, "pattern %q", pattern)
	}
	_, err := c.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), FilterPattern: aws.String("{ $.a = 1 }")})
	code(t, err, "InvalidParameterException", "does not serve the filter pattern")
	_, err = c.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), LogStreamNames: []string{"a"}, LogStreamNamePrefix: aws.String("a")})
	code(t, err, "InvalidParameterException", "mutually exclusive")
	_, err = c.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), LogStreamNames: []string{"none"}})
	code(t, err, "ResourceNotFoundException", "stream")
}

// The command that people look at a load with: https://docs.aws.amazon.com/cli/latest/reference/logs/tail.html
func TestCLI(t *testing.T) {
	if _, err := exec.LookPath("/usr/bin/aws"); err != nil {
		t.Skip("no AWS CLI")
	}
	s, c, r := start(t)
	group(t, c, "/g")
	require.NoError(t, s.Put("/g", "load/memtier/1", logs.Event{Time: time.Now(), Message: "hello"}))
	srv := httptest.NewServer(r)
	defer srv.Close()
	cmd := exec.CommandContext(t.Context(), "/usr/bin/aws", "--endpoint-url", srv.URL, "--region", "us-east-1", "logs", "tail", "/g", "--since", "1h")
	cmd.Env = []string{"AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=y", "PATH=/usr/bin:/bin", "HOME=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "load/memtier/1 hello")
}

func TestResourcePolicies(t *testing.T) {
	_, c, _ := start(t)
	ctx := t.Context()
	for i := range 10 {
		_, err := c.PutResourcePolicy(ctx, &cloudwatchlogs.PutResourcePolicyInput{PolicyName: aws.String(fmt.Sprint("p", i)), PolicyDocument: aws.String("{}")})
		require.NoError(t, err)
	}
	_, err := c.PutResourcePolicy(ctx, &cloudwatchlogs.PutResourcePolicyInput{PolicyName: aws.String("p10"), PolicyDocument: aws.String("{}")})
	code(t, err, "LimitExceededException", "")
	_, err = c.PutResourcePolicy(ctx, &cloudwatchlogs.PutResourcePolicyInput{PolicyName: aws.String("p1"), PolicyDocument: aws.String(strings.Repeat(" ", 5121))})
	code(t, err, "InvalidParameterException", "5120")
	out, err := c.DescribeResourcePolicies(ctx, &cloudwatchlogs.DescribeResourcePoliciesInput{})
	require.NoError(t, err)
	require.Len(t, out.ResourcePolicies, 10)
}

// A service's tasks make a stream each, for months in the same group. There may be more streams than descriptors.
func TestStreamsHoldNoDescriptors(t *testing.T) {
	s, c, _ := start(t)
	group(t, c, "g")
	files := func() int {
		open, err := filepath.Glob("/proc/self/fd/*")
		require.NoError(t, err)
		n := 0
		for _, fd := range open {
			if to, err := os.Readlink(fd); err == nil && strings.HasSuffix(to, ".events") { // another goroutine's may be closed meanwhile
				n++
			}
		}
		return n
	}
	for i := range 100 {
		require.NoError(t, s.Put("g", fmt.Sprint("s", i), logs.Event{Time: time.Now(), Message: "hello"}))
	}
	out, err := c.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g")})
	require.NoError(t, err)
	require.Len(t, out.Events, 100)
	require.Zero(t, files())
}

// BenchmarkPut says what an event costs on the way in and in resident memory.
func BenchmarkPut(b *testing.B) {
	s, c, _ := start(b)
	group(b, c, "g")
	begin, message := time.Now().Add(-time.Hour), strings.Repeat("x", 150)
	events := make([]logs.Event, 100)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for j := range events {
			events[j] = logs.Event{Time: begin.Add(time.Duration(i) * time.Millisecond), Message: message}
		}
		if err := s.Put("g", "s", events...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(events)), "ns/event")
}
