package logs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
)

// A page may be empty with more behind it: whoever follows the tokens gets all events, in both directions, and comes to an end.
func TestEmptyPages(t *testing.T) {
	s, c, _ := start(t, account.Delays{EmptyPages: true})
	group(t, c, "/g", "s", "none")
	started := time.Now().Add(-time.Minute)
	for i := range 5 {
		require.NoError(t, s.Put("/g", "s", logs.Event{Time: started.Add(time.Duration(i) * time.Second), Message: fmt.Sprint(i)}))
	}
	empty := 0
	for range 6 {
		for _, head := range []bool{true, false} {
			var got []string
			in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("/g"), LogStreamName: aws.String("s"), StartFromHead: &head, Limit: aws.Int32(2)}
			for pages := 0; ; pages++ {
				require.Less(t, pages, 10)
				out, err := c.GetLogEvents(t.Context(), in)
				require.NoError(t, err)
				next := out.NextForwardToken
				if !head {
					next = out.NextBackwardToken
					slices.Reverse(out.Events)
				}
				if pages == 0 && len(out.Events) == 0 {
					empty++
				}
				for _, e := range out.Events {
					got = append(got, *e.Message)
				}
				if in.NextToken != nil && *next == *in.NextToken {
					break
				}
				in.NextToken = next
			}
			want := []string{"0", "1", "2", "3", "4"}
			if !head {
				slices.Reverse(want)
			}
			require.Equal(t, want, got)
		}
		var got int
		pages := cloudwatchlogs.NewFilterLogEventsPaginator(c, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/g"), StartTime: aws.Int64(started.UnixMilli())})
		for i := 0; pages.HasMorePages(); i++ {
			out, err := pages.NextPage(t.Context())
			require.NoError(t, err)
			if got += len(out.Events); i == 0 && got == 0 {
				empty++
			}
		}
		require.Equal(t, 5, got)
	}
	require.Equal(t, 6, empty, "of 18 reads")
	last := &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("/g"), LogStreamName: aws.String("none"), StartFromHead: aws.Bool(true)}
	for range 3 {
		out, err := c.GetLogEvents(t.Context(), last)
		require.NoError(t, err)
		last.NextToken = out.NextForwardToken
		out, err = c.GetLogEvents(t.Context(), last)
		require.NoError(t, err)
		require.Equal(t, *last.NextToken, *out.NextForwardToken, "the end of a stream without events")
		last.NextToken = nil
	}
}

// A filter that finds nothing in much text gives empty pages with tokens.
func TestFilterLogEventsGivesEmptyPages(t *testing.T) {
	s, c, _ := start(t)
	group(t, c, "g", "s")
	begin := time.Now().Add(-time.Hour)
	for i := range 20 {
		require.NoError(t, s.Put("g", "s", logs.Event{Time: begin.Add(time.Duration(i) * time.Second), Message: strings.Repeat("x", 1<<20)}))
	}
	require.NoError(t, s.Put("g", "s", logs.Event{Time: begin.Add(time.Minute), Message: "needle"}))
	p := cloudwatchlogs.NewFilterLogEventsPaginator(c, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("g"), FilterPattern: aws.String("needle")})
	var sizes []int
	for p.HasMorePages() {
		out, err := p.NextPage(t.Context())
		require.NoError(t, err)
		sizes = append(sizes, len(out.Events))
	}
	require.Equal(t, []int{0, 1}, sizes)
}
