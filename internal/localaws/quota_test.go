package localaws

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type stopped struct{ now time.Time }

func (c *stopped) Now() time.Time                             { return c.now }
func (c *stopped) Sleep(context.Context, time.Duration) error { return nil }

type data struct {
	n     int
	start time.Time
}

func (d data) Datapoints() (int, time.Time) { return d.n, d.start }

func TestRequests(t *testing.T) {
	assert.Equal(t, 25.0, RequestRate("us-east-1", "logs.GetLogEvents"))
	assert.Equal(t, 10.0, RequestRate("eu-central-1", "logs.GetLogEvents"))
	assert.Equal(t, 30.0, RequestRate("eu-west-3", "logs.GetLogEvents"))
	assert.Zero(t, RequestRate("us-east-1", "iam.CreateRole"))

	clock := &stopped{time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)}
	q := &Requests{region: "eu-central-1", clock: clock}
	read := &wire.Call{Service: "logs", Action: "GetLogEvents"}
	for range 10 {
		require.NoError(t, q.limit(read))
	}
	assert.ErrorContains(t, q.limit(read), "ThrottlingException: Rate exceeded")
	clock.now = clock.now.Add(100 * time.Millisecond)
	require.NoError(t, q.limit(read), "a tenth of a second is one call")
	assert.Error(t, q.limit(read))
	assert.Equal(t, Count{Calls: 13, Throttled: 2}, q.Count("logs.GetLogEvents"))

	ask := func(n int, age time.Duration) error {
		return q.limit(&wire.Call{Service: "monitoring", Action: "GetMetricData", In: data{n, clock.now.Add(-age)}})
	}
	require.NoError(t, ask(100_800, time.Hour))
	assert.ErrorContains(t, ask(100_800, time.Hour), "Throttling", "180,000 a second when it is recent")
	for range 3 {
		require.NoError(t, ask(100_800, 4*time.Hour), "396,000 when it is older")
	}
	assert.Error(t, ask(100_800, 4*time.Hour))
	assert.Equal(t, 4, q.Throttled())
}
