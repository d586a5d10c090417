package localaws_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	measured "github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

func TestDashboardPage(t *testing.T) {
	clock := wiretest.NewClock() // what is put stays as old as it is
	clock.Move(30 * time.Second)
	server, err := localaws.Start(t.Context(), localaws.Config{Dir: t.TempDir(), Clock: clock})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	page := func() string {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.DashboardURL(), nil)
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, answer.StatusCode)
		return string(text)
	}
	require.Contains(t, page(), "There is no dashboard yet")

	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"), config.WithBaseEndpoint(server.URL()),
		config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(server.Env()["AWS_ACCESS_KEY_ID"], server.Env()["AWS_SECRET_ACCESS_KEY"], "")))
	require.NoError(t, err)
	metrics, logs := cloudwatch.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg)
	body, err := os.ReadFile("dashboardpage/testdata/body.json")
	require.NoError(t, err)
	name, text := "elasticache-perf", string(body)
	_, err = metrics.PutDashboard(t.Context(), &cloudwatch.PutDashboardInput{DashboardName: &name, DashboardBody: &text})
	require.NoError(t, err)
	group, stream, message, at := "/elasticache-perf/elasticache-perf/load", "load/memtier/aaa", "load: ready", clock.Now()
	for i := range 3 { // the load's metric, a minute apart
		server.CloudWatch.Put(measured.Metric{Namespace: "Test", Name: "CPUUtilization"}, at.Truncate(time.Minute).Add(-time.Duration(i)*time.Minute), 12.5)
	}
	_, err = logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
	require.NoError(t, err)
	_, err = logs.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream})
	require.NoError(t, err)
	millis, other := at.UnixMilli(), "[RUN #1 5%]"
	_, err = logs.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream,
		LogEvents: []logtypes.InputLogEvent{{Timestamp: &millis, Message: &message}, {Timestamp: &millis, Message: &other}}})
	require.NoError(t, err)

	got := page()
	require.True(t, strings.Contains(got, "<td>load/memtier/aaa</td><td>load: ready</td>"), "the log widget")
	require.False(t, strings.Contains(got, "[RUN #1"), "its filter")
	require.True(t, strings.Contains(got, `class="nodata"`), "graphs of metrics that nobody put")

	text = `{"widgets":[{"type":"metric","x":0,"y":0,"width":12,"height":6,"properties":{"region":"us-east-1","period":60,"stat":"Maximum","title":"CPU","metrics":[["Test","CPUUtilization"]]}}]}`
	_, err = metrics.PutDashboard(t.Context(), &cloudwatch.PutDashboardInput{DashboardName: &name, DashboardBody: &text})
	require.NoError(t, err)
	got = page()
	require.True(t, strings.Contains(got, `"step":60,"y":[12.5,12.5,12.5]`), "what was put is drawn")
	require.Empty(t, server.Unhandled())
}
