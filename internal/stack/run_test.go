package stack

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/awstest"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// A run whose stop_by somebody has removed ends when the Lambda ends it, and not in the year 1.
func TestRunWithoutAStopBy(t *testing.T) {
	answer := func(what string, _ url.Values) (int, map[string]string, string) {
		if what == "GET /schedules/perf-watch" {
			return 200, nil, `{"Target":{"Input":"{\"action\":\"watch\",\"run\":\"2026-11-23T03-08-09Z\"}"}}`
		}
		return 404, map[string]string{"X-Amzn-Errortype": "ResourceNotFoundException"}, `{}`
	}
	config := shutdown.Config{Name: "perf", Minutes: 60, Schedules: shutdown.Schedules{Group: "perf", Watch: "perf-watch"}}
	s, err := Open(t.Context(), &workspace.Workspace{AWS: awstest.Answering(answer)}, "", config)
	require.NoError(t, err)
	run, err := s.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 11, 23, 8, 8, 9, 0, time.UTC), run.StopBy)
}
