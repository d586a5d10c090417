package cloudwatch_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

type topics struct {
	mu   sync.Mutex
	sent []string
}

func (p *topics) Publish(arn, subject, message string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, arn+" "+subject)
	return nil
}

func (p *topics) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.sent...)
}

func start(t *testing.T, delays ...account.Delays) (*cloudwatch.Service, *sdk.Client, *wiretest.Clock, *topics) {
	acct, c, p := wiretest.Account(t), wiretest.NewClock(), &topics{}
	acct.Clock, acct.MetricsPeriod = c, time.Minute
	for _, d := range delays {
		acct.Delays = d
	}
	s := cloudwatch.New(acct, p, cloudwatch.NewDashboards())
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	r := wire.NewRegistry()
	s.Register(r)
	return s, sdk.NewFromConfig(wiretest.Config(t, r)), c, p
}

var node = []cloudwatch.Dimension{{Name: "CacheNodeId", Value: "0001"}, {Name: "CacheClusterId", Value: "g-001"}}

func query(id, name, stat string, period int32) types.MetricDataQuery {
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{Stat: &stat, Period: &period, Metric: &types.Metric{
		Namespace: aws.String("AWS/ElastiCache"), MetricName: &name, Dimensions: []types.Dimension{
			{Name: aws.String("CacheClusterId"), Value: aws.String("g-001")}, {Name: aws.String("CacheNodeId"), Value: aws.String("0001")}}}}}
}

// A value is seen some time after it was put, by every reader.
func TestValuesArriveLate(t *testing.T) {
	s, c, clk, _ := start(t, account.Delays{MetricsReady: 2 * time.Minute})
	at := clk.Now().Add(-time.Minute)
	s.Put(cloudwatch.Metric{Namespace: "AWS/ElastiCache", Name: "GetTypeCmds", Unit: "Count", Dimensions: node}, at, 7)
	seen := func() (n int) {
		data, err := c.GetMetricData(t.Context(), &sdk.GetMetricDataInput{StartTime: &at, EndTime: aws.Time(clk.Now()), MetricDataQueries: []types.MetricDataQuery{query("q", "GetTypeCmds", "Sum", 60)}})
		require.NoError(t, err)
		listed, err := c.ListMetrics(t.Context(), &sdk.ListMetricsInput{})
		require.NoError(t, err)
		return len(data.MetricDataResults[0].Values) + len(listed.Metrics)
	}
	require.Zero(t, seen())
	clk.Move(2*time.Minute - time.Second)
	require.Zero(t, seen())
	clk.Move(time.Second)
	require.Equal(t, 2, seen())
}

func TestGetMetricData(t *testing.T) {
	s, c, clk, _ := start(t)
	t0 := clk.Now().Add(-10 * time.Minute)
	for i := range 10 {
		s.Put(cloudwatch.Metric{Namespace: "AWS/ElastiCache", Name: "GetTypeCmds", Unit: "Count", Dimensions: node}, t0.Add(time.Duration(i)*time.Minute), float64(i+1))
	}
	get := func(in *sdk.GetMetricDataInput) *sdk.GetMetricDataOutput {
		out, err := c.GetMetricData(t.Context(), in)
		require.NoError(t, err)
		return out
	}
	in := &sdk.GetMetricDataInput{StartTime: aws.Time(t0.Add(30 * time.Second)), EndTime: aws.Time(t0.Add(4 * time.Minute)), ScanBy: types.ScanByTimestampAscending,
		MetricDataQueries: []types.MetricDataQuery{query("sum", "GetTypeCmds", "Sum", 120), query("p50", "GetTypeCmds", "p50", 120),
			query("avg", "GetTypeCmds", "Average", 60), query("gone", "NoSuchMetric", "Average", 60)}}
	out := get(in)
	require.Nil(t, out.NextToken)
	require.Len(t, out.MetricDataResults, 4)
	require.Equal(t, []float64{3, 7}, out.MetricDataResults[0].Values, "start is rounded down to the minute, end is exclusive")
	require.Equal(t, t0, out.MetricDataResults[0].Timestamps[0].UTC())
	require.Equal(t, "GetTypeCmds", *out.MetricDataResults[0].Label)
	require.Equal(t, types.StatusCodeComplete, out.MetricDataResults[0].StatusCode)
	require.Equal(t, []float64{1, 3}, out.MetricDataResults[1].Values)
	require.Equal(t, []float64{1, 2, 3, 4}, out.MetricDataResults[2].Values)
	require.Empty(t, out.MetricDataResults[3].Values)

	in.ScanBy = ""
	require.Equal(t, []float64{7, 3}, get(in).MetricDataResults[0].Values, "newest first by default")

	in.MetricDataQueries[0].MetricStat.Unit = types.StandardUnitBytes
	require.Empty(t, get(in).MetricDataResults[0].Values, "no conversion of units")
	in.MetricDataQueries[0].MetricStat.Unit = types.StandardUnitCount

	// Every page size gives the same points.
	for _, scan := range []types.ScanBy{types.ScanByTimestampAscending, types.ScanByTimestampDescending} {
		in.ScanBy, in.MaxDatapoints, in.NextToken = scan, nil, nil
		want := map[string][]float64{}
		for _, r := range get(in).MetricDataResults {
			want[*r.Id] = append([]float64{}, r.Values...)
		}
		for size := int32(1); size < 9; size++ {
			in.MaxDatapoints, in.NextToken = aws.Int32(size), nil
			got, partial := map[string][]float64{}, 0
			for {
				out := get(in)
				for _, r := range out.MetricDataResults {
					got[*r.Id] = append(append([]float64{}, got[*r.Id]...), r.Values...)
					if r.StatusCode == types.StatusCodePartialData {
						partial++
					}
				}
				if in.NextToken = out.NextToken; in.NextToken == nil {
					break
				}
			}
			require.Equal(t, want, got, "pages of %d", size)
			require.Equal(t, size%4 != 0, partial > 0, "pages of %d: the results have 2, 2 and 4 points", size)
		}
	}
	in.NextToken = aws.String("x")
	_, err := c.GetMetricData(t.Context(), in)
	require.ErrorContains(t, err, "InvalidNextToken")
}

func TestGetMetricDataRefuses(t *testing.T) {
	_, c, clk, _ := start(t)
	for name, change := range map[string]func(*sdk.GetMetricDataInput){
		"must be 1, 5, 10, 20, 30 or a multiple of 60": func(in *sdk.GetMetricDataInput) { in.MetricDataQueries[0].MetricStat.Period = aws.Int32(90) },
		"is not a statistic that localaws serves":      func(in *sdk.GetMetricDataInput) { in.MetricDataQueries[0].MetricStat.Stat = aws.String("tm90") },
		"StartTime must be less than":                  func(in *sdk.GetMetricDataInput) { in.EndTime = in.StartTime },
		"must begin with a lower-case letter":          func(in *sdk.GetMetricDataInput) { in.MetricDataQueries[0].Id = aws.String("Q") },
		"are not unique": func(in *sdk.GetMetricDataInput) {
			in.MetricDataQueries = append(in.MetricDataQueries, in.MetricDataQueries[0])
		},
		"does not serve MetricDataQueries.member.1.Exp": func(in *sdk.GetMetricDataInput) { in.MetricDataQueries[0].Expression = aws.String("a+b") },
		"it must be 1 to 100800":                        func(in *sdk.GetMetricDataInput) { in.MaxDatapoints = aws.Int32(100801) },
		"has 501 members": func(in *sdk.GetMetricDataInput) {
			in.MetricDataQueries = nil
			for i := range 501 {
				in.MetricDataQueries = append(in.MetricDataQueries, query(fmt.Sprint("q", i), "m", "Sum", 60))
			}
		},
	} {
		in := &sdk.GetMetricDataInput{StartTime: aws.Time(clk.Now().Add(-time.Hour)), EndTime: aws.Time(clk.Now()), MetricDataQueries: []types.MetricDataQuery{query("q", "m", "Sum", 60)}}
		change(in)
		_, err := c.GetMetricData(t.Context(), in)
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, "ValidationError")
	}
}

// Seconds are kept for three hours, minutes for fifteen days, and no sum changes on the way.
func TestRetention(t *testing.T) {
	s, c, clk, _ := start(t)
	m := cloudwatch.Metric{Namespace: "AWS/ElastiCache", Name: "m", Unit: "Count", Dimensions: node}
	t0 := clk.Now()
	sum := func(period int32, from, to time.Time) (total float64, points int) {
		in := &sdk.GetMetricDataInput{StartTime: &from, EndTime: &to, MetricDataQueries: []types.MetricDataQuery{query("q", "m", "Sum", period)}}
		out, err := c.GetMetricData(t.Context(), in)
		require.NoError(t, err)
		for _, v := range out.MetricDataResults[0].Values {
			total += v
		}
		return total, len(out.MetricDataResults[0].Values)
	}
	for range 6 * 360 {
		s.Put(m, clk.Now(), 1)
		clk.Move(10 * time.Second)
	}
	total, points := sum(60, t0, clk.Now())
	require.EqualValues(t, 2160, total)
	require.Equal(t, 360, points)
	total, points = sum(10, t0, clk.Now())
	require.EqualValues(t, 1080, total, "a period under a minute reaches three hours back")
	require.Equal(t, 1080, points)
	clk.Move(16 * 24 * time.Hour)
	s.Put(m, clk.Now(), 1)
	total, _ = sum(3600, t0, clk.Now().Add(time.Second))
	require.EqualValues(t, 1, total)
}

func TestListMetrics(t *testing.T) {
	s, c, clk, _ := start(t)
	s.ListDelay = 2 * time.Minute
	for i := range 600 {
		s.Put(cloudwatch.Metric{Namespace: "AWS/ElastiCache", Name: fmt.Sprintf("m%03d", i), Dimensions: node}, clk.Now(), 1)
	}
	s.Put(cloudwatch.Metric{Namespace: "AWS/ECS", Name: "m000", Dimensions: node[:1]}, clk.Now(), 1)
	list := func(in *sdk.ListMetricsInput) (all []types.Metric, pages int) {
		p := sdk.NewListMetricsPaginator(c, in)
		for p.HasMorePages() {
			out, err := p.NextPage(t.Context())
			require.NoError(t, err)
			all = append(all, out.Metrics...)
			pages++
		}
		return all, pages
	}
	all, _ := list(&sdk.ListMetricsInput{})
	require.Empty(t, all, "a new metric is not listed at once")
	clk.Move(2 * time.Minute)
	all, pages := list(&sdk.ListMetricsInput{Namespace: aws.String("AWS/ElastiCache")})
	require.Len(t, all, 600)
	require.Equal(t, 2, pages)
	require.Equal(t, "CacheClusterId", *all[0].Dimensions[0].Name)
	all, _ = list(&sdk.ListMetricsInput{MetricName: aws.String("m000")})
	require.Len(t, all, 2)
	all, _ = list(&sdk.ListMetricsInput{MetricName: aws.String("m000"), Dimensions: []types.DimensionFilter{{Name: aws.String("CacheClusterId")}}})
	require.Len(t, all, 1)
	all, _ = list(&sdk.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("CacheNodeId"), Value: aws.String("0002")}}})
	require.Empty(t, all)
	clk.Move(4 * time.Hour)
	all, _ = list(&sdk.ListMetricsInput{RecentlyActive: types.RecentlyActivePt3h})
	require.Empty(t, all)
}

func TestDashboards(t *testing.T) {
	_, c, _, _ := start(t)
	put := func(body string) (*sdk.PutDashboardOutput, error) {
		return c.PutDashboard(t.Context(), &sdk.PutDashboardInput{DashboardName: aws.String("perf"), DashboardBody: &body})
	}
	good := `{"start":"-PT1H","periodOverride":"inherit","widgets":[
		{"type":"text","x":0,"y":0,"width":24,"height":2,"properties":{"markdown":"# run"}},
		{"type":"metric","x":0,"y":2,"width":12,"height":6,"properties":{"region":"us-east-1","view":"timeSeries","period":60,"stat":"Sum","yAxis":{"left":{"min":0}},"legend":{"position":"right"},
		 "annotations":{"horizontal":[{"label":"full","value":100},[{"value":1},{"value":2,"fill":"none"}]]},
		 "metrics":[["AWS/ElastiCache","GetTypeCmds","CacheClusterId","a",{"label":"a","id":"m1","visible":false}],["...","b",{"id":"m2"}],[".","SetTypeCmds",".","."],[{"expression":"SUM(METRICS())"}]]}},
		{"type":"log","x":12,"y":2,"width":12,"height":6,"properties":{"region":"us-east-1","query":"SOURCE '/x' | fields @message","view":"table"}}]}`
	out, err := put(good)
	require.NoError(t, err)
	require.Empty(t, out.DashboardValidationMessages)
	got, err := c.GetDashboard(t.Context(), &sdk.GetDashboardInput{DashboardName: aws.String("perf")})
	require.NoError(t, err)
	require.Equal(t, good, *got.DashboardBody)
	require.Equal(t, "arn:aws:cloudwatch::123456789012:dashboard/perf", *got.DashboardArn)
	out, err = put(strings.Replace(good, `"view":"table"`, `"view":"table","colour":"red"`, 1))
	require.NoError(t, err)
	require.Equal(t, "/widgets/2/properties/colour", *out.DashboardValidationMessages[0].DataPath)

	for from, to := range map[string]string{`"type":"text"`: `"type":"texts"`, `"x":12`: `"x":24`, `"y":0,`: ``, `"width":24`: `"width":25`, `"markdown"`: `"mark"`, `["...","b",`: `["a",`, `"id":"m2"`: `"id":"m1"`, `"id":"m1"`: `"id":"M1"`, `"visible":false`: `"visible":"no"`, `"value":100`: `"value":"100"`, `{"value":1}`: `{"label":"1"}`, `"fill":"none"`: `"fill":"all"`,
		`"min":0`: `"min":"0"`, `"right"`: `"top"`, `"label":"a"`: `"label":1`, `"expression":"SUM(METRICS())"`: `"expression":""`,
		`"view":"timeSeries"`: `"view":"line"`, `"period":60`: `"period":90`, `"region":"us-east-1","view"`: `"view"`, `"-PT1H"`: `"1h"`, `"widgets":[`: `"w":[`, `"start"`: `"start`} {
		require.Contains(t, good, from)
		_, err = put(strings.Replace(good, from, to, 1))
		require.ErrorContains(t, err, "InvalidParameterInput", "%s", to)
	}
	graph := `{"type":"metric","properties":{"region":"us-east-1","metrics":[` + strings.Repeat(`["N","m"],`, 499) + `["N","m"]]}},`
	_, err = put(`{"widgets":[` + strings.Repeat(graph, 4) + strings.TrimSuffix(graph, ",") + `]}`)
	require.NoError(t, err)
	_, err = put(`{"widgets":[` + strings.Repeat(graph, 5) + `{"type":"metric","properties":{"region":"us-east-1","metrics":[["N","m"]]}}]}`)
	require.ErrorContains(t, err, "there are 2501")
	_, err = put(good)
	require.NoError(t, err)

	_, err = c.DeleteDashboards(t.Context(), &sdk.DeleteDashboardsInput{DashboardNames: []string{"perf", "other"}})
	require.ErrorContains(t, err, "Dashboard other does not exist")
	_, err = c.DeleteDashboards(t.Context(), &sdk.DeleteDashboardsInput{DashboardNames: []string{"perf"}})
	require.NoError(t, err)
	_, err = c.GetDashboard(t.Context(), &sdk.GetDashboardInput{DashboardName: aws.String("perf")})
	require.ErrorContains(t, err, "ResourceNotFound")
}

// The SDK knows errors by their shape, and the provider, which is older, by the code of the query protocol: both get theirs.
func TestErrorsAreTyped(t *testing.T) {
	_, c, _, _ := start(t)
	ctx := t.Context()
	_, noDashboard := c.GetDashboard(ctx, &sdk.GetDashboardInput{DashboardName: aws.String("none")})
	_, badDashboard := c.PutDashboard(ctx, &sdk.PutDashboardInput{DashboardName: aws.String("d"), DashboardBody: aws.String("{")})
	_, noAlarm := c.DeleteAlarms(ctx, &sdk.DeleteAlarmsInput{AlarmNames: []string{"none"}})
	_, badToken := c.ListMetrics(ctx, &sdk.ListMetricsInput{NextToken: aws.String("?")})
	for _, e := range []struct {
		err  error
		as   any
		code string
	}{
		{noDashboard, new(*types.DashboardNotFoundError), "ResourceNotFound"},
		{badDashboard, new(*types.DashboardInvalidInputError), "InvalidParameterInput"},
		{noAlarm, new(*types.ResourceNotFound), "ResourceNotFound"},
		{badToken, new(*types.InvalidParameterValueException), "InvalidParameterValue"},
	} {
		require.ErrorAs(t, e.err, e.as)
		var api smithy.APIError
		require.ErrorAs(t, e.err, &api)
		require.Equal(t, e.code, api.ErrorCode())
	}
}

func TestAlarm(t *testing.T) {
	s, c, clk, p := start(t)
	topic := "arn:aws:sns:us-east-1:123456789012:alerts"
	in := &sdk.PutMetricAlarmInput{AlarmName: aws.String("late"), Namespace: aws.String("AWS/ElastiCache"), MetricName: aws.String("Evictions"), Statistic: types.StatisticSum,
		Period: aws.Int32(60), EvaluationPeriods: aws.Int32(2), Threshold: aws.Float64(5), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
		AlarmActions: []string{topic}, OKActions: []string{topic}, TreatMissingData: aws.String("notBreaching"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}
	_, err := c.PutMetricAlarm(t.Context(), in)
	require.NoError(t, err)
	state := func() types.StateValue {
		out, err := c.DescribeAlarms(t.Context(), &sdk.DescribeAlarmsInput{AlarmNames: []string{"late"}})
		require.NoError(t, err)
		require.Len(t, out.MetricAlarms, 1)
		require.True(t, *out.MetricAlarms[0].ActionsEnabled)
		return out.MetricAlarms[0].StateValue
	}
	require.Equal(t, types.StateValueInsufficientData, state())
	pass := func() { // a minute, and what is done in it
		t.Helper()
		clk.Next(t, time.Minute)
		wiretest.Until(t, "alarms are evaluated", func() (any, bool) { return clk.Sleeping(), len(clk.Sleeping()) == 1 })
	}
	for range 2 {
		s.Put(cloudwatch.Metric{Namespace: "AWS/ElastiCache", Name: "Evictions", Unit: "Count"}, clk.Now(), 6)
		pass()
	}
	require.Equal(t, types.StateValueAlarm, state())
	for range 3 { // until the range of two periods and two more holds one value only
		require.Equal(t, types.StateValueAlarm, state())
		pass()
	}
	require.Equal(t, types.StateValueOk, state())
	require.Equal(t, []string{topic + ` OK: "late" in us-east-1`, topic + ` ALARM: "late" in us-east-1`, topic + ` OK: "late" in us-east-1`}, p.all())

	arn := "arn:aws:cloudwatch:us-east-1:123456789012:alarm:late"
	_, err = c.TagResource(t.Context(), &sdk.TagResourceInput{ResourceARN: &arn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("")}}})
	require.NoError(t, err)
	_, err = c.UntagResource(t.Context(), &sdk.UntagResourceInput{ResourceARN: &arn, TagKeys: []string{"k"}})
	require.NoError(t, err)
	tags, err := c.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceARN: &arn})
	require.NoError(t, err)
	require.Len(t, tags.Tags, 1)

	in.Period = aws.Int32(15)
	_, err = c.PutMetricAlarm(t.Context(), in)
	require.ErrorContains(t, err, "parameter Period")
	in.Period, in.AlarmActions = aws.Int32(60), []string{"topic"}
	_, err = c.PutMetricAlarm(t.Context(), in)
	require.ErrorContains(t, err, "Invalid arn syntax")
	_, err = c.DeleteAlarms(t.Context(), &sdk.DeleteAlarmsInput{AlarmNames: []string{"late"}})
	require.NoError(t, err)
	_, err = c.DeleteAlarms(t.Context(), &sdk.DeleteAlarmsInput{AlarmNames: []string{"late"}})
	require.ErrorContains(t, err, "does not exist")
}
