package export

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var target = Target{Cluster: "perf", Service: "perf-load", Membership: Membership{ReplicationGroup: "perf",
	Nodes: []Node{{CacheClusterID: "perf-001", CacheNodeID: "0001"}, {CacheClusterID: "perf-002", CacheNodeID: "0001"}}}}

func series(t *testing.T, metric, stat, source string) Series {
	t.Helper()
	for _, s := range target.Catalog() {
		if s.Metric == metric && s.Stat == stat && s.Source == source && s.label != "ReplicationGroupId=perf" {
			return s
		}
	}
	t.Fatalf("the catalog has no %s %s of %s", metric, stat, source)
	return Series{}
}

func TestCatalogHasEachSeriesOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range target.Catalog() {
		key := s.Namespace + s.Metric + s.label + s.Stat
		assert.False(t, seen[key], "%v occurs twice", s)
		seen[key] = true
		assert.NotEqual(t, "CacheClusterId=perf-001", s.label, "a duplicate of {CacheClusterId,CacheNodeId}")
	}
	for _, stat := range []string{"p50", "p99", "p99.9", "SampleCount"} {
		assert.Equal(t, "Microseconds", series(t, "SuccessfulReadRequestLatency", stat, "perf-001").Unit)
	}
	assert.Equal(t, "CacheClusterId=perf-002;CacheNodeId=0001", series(t, "EngineCPUUtilization", "Average", "perf-002").label)
	assert.Equal(t, "ClusterName=perf;ServiceName=perf-load", series(t, "CPUUtilization", "Average", "perf-load").label)
	assert.False(t, series(t, "ReplicationLag", "Maximum", "perf-001").Expected, "a primary has none")
}

// A serverless cache has one dimension, its name, and no nodes.
func TestServerlessCatalog(t *testing.T) {
	serverless := Target{Cluster: "perf", Service: "perf-load", Membership: Membership{ServerlessCache: "perf"}}
	stats := map[string][]string{}
	for _, s := range serverless.Catalog() {
		if s.Namespace != NamespaceCache {
			continue
		}
		assert.Equal(t, "clusterId=perf", s.label)
		assert.Equal(t, "perf", s.Source)
		stats[s.Metric] = append(stats[s.Metric], s.Stat)
	}
	assert.Equal(t, []string{"Average", "Minimum", "Maximum", "SampleCount", "p50", "p90", "p99", "p99.9"}, stats["SuccessfulReadRequestLatency"])
	assert.Equal(t, []string{"Sum"}, stats["ElastiCacheProcessingUnits"])
	assert.Equal(t, []string{"Sum"}, stats["GetTypeCmdsECPUs"])
	assert.NotContains(t, stats, "EngineCPUUtilization")

	api := &fakeMetrics{listed: []types.Metric{
		metric(NamespaceCache, "JsonBasedCmds", "clusterId=perf"),
		metric(NamespaceCache, "CurrItems", "clusterId=perf"),
		metric(NamespaceCache, "JsonBasedCmds", "clusterId=other"),
	}}
	found, err := serverless.Discover(t.Context(), api, &ticker{now: at("2026-11-23T03:00:00Z")})
	require.NoError(t, err)
	require.Len(t, found, 2)
	assert.Equal(t, "JsonBasedCmds clusterId=perf", found[0].Metric+" "+found[0].label)

	api = &fakeMetrics{size: 1}
	for _, s := range serverless.Catalog() {
		if s.Metric == "CurrConnections" && s.Stat == "Average" {
			api.put(s, at("2026-11-23T03:09:00Z"), 5)
		}
	}
	settled, _, err := serverless.Settled(t.Context(), api, at("2026-11-23T03:10:00Z"), time.Minute)
	require.NoError(t, err)
	assert.True(t, settled)
	settled, _, err = serverless.Settled(t.Context(), api, at("2026-11-23T03:11:00Z"), time.Minute)
	require.NoError(t, err)
	assert.False(t, settled)
}

func TestDiscoverAddsListedMetrics(t *testing.T) {
	api := &fakeMetrics{listed: []types.Metric{
		metric(NamespaceCache, "CurrItems", "CacheClusterId=perf-001"),                                        // duplicate of the next one
		metric(NamespaceCache, "CurrItems", "CacheClusterId=perf-001", "CacheNodeId=0001"),                    // in the catalog
		metric(NamespaceCache, "CurrItems", "CacheClusterId=perf-001", "CacheNodeId=0001", "Tier=Memory"),     // new dimensions
		metric(NamespaceCache, "BrandNew", "CacheClusterId=perf-001", "CacheNodeId=0001"),                     // new metric
		metric(NamespaceCache, "BrandNew", "CacheClusterId=perf-001"),                                         // its duplicate
		metric(NamespaceCache, "OnlyCluster", "CacheClusterId=perf-002"),                                      // no duplicate of another
		metric(NamespaceCache, "EngineCPUUtilization", "ReplicationGroupId=perf", "Role=primary"),             // group
		metric(NamespaceCache, "CurrItems", "CacheClusterId=other-001", "CacheNodeId=0001"),                   // another cache
		metric(NamespaceInsights, "NetworkRxBytes", "ClusterName=perf", "ServiceName=perf-load"),              // insights
		metric(NamespaceInsights, "NetworkRxBytes", "ClusterName=perf", "ServiceName=perf-load", "TaskId=1"),  // of one task
		metric(NamespaceInsights, "NetworkRxBytes", "ClusterName=foreign", "ServiceName=perf-load"),           // another cluster
		metric(NamespaceECS, "EBSFilesystemUtilization", "ClusterName=perf", "ServiceName=perf-load"),         // not in the catalog
		metric(NamespaceECS, "CPUUtilization", "ClusterName=perf", "ServiceName=perf-load"),                   // in the catalog
		metric(NamespaceCache, "EngineCPUUtilization", "ReplicationGroupId=perf", "Role=replica", "Extra=a"),  // unknown dimensions are kept
		metric(NamespaceCache, "DatabaseCapacityUsageCountedForEvictPercentage", "ReplicationGroupId=perf"),   // in the catalog
		metric(NamespaceCache, "EngineCPUUtilization", "NodeGroupId=0001", "ReplicationGroupId=perf"),         // shard
		metric(NamespaceCache, "EngineCPUUtilization", "NodeGroupId=0001", "ReplicationGroupId=perf-another"), // another group
	}}
	found, err := target.Discover(t.Context(), api, &ticker{now: at("2026-11-23T03:00:00Z")})
	require.NoError(t, err)
	all := target.Series(found)
	require.True(t, slices.IsSortedFunc(all, Series.compare))
	var added []string
	for _, s := range all {
		if !slices.ContainsFunc(target.Catalog(), func(c Series) bool { return c.compare(s) == 0 }) {
			added = append(added, s.Metric+" "+s.Stat+" "+s.Unit+" "+s.label)
		}
	}
	assert.Equal(t, []string{
		"EBSFilesystemUtilization Average  ClusterName=perf;ServiceName=perf-load",
		"EBSFilesystemUtilization Maximum  ClusterName=perf;ServiceName=perf-load",
		"BrandNew Average  CacheClusterId=perf-001;CacheNodeId=0001",
		"BrandNew Maximum  CacheClusterId=perf-001;CacheNodeId=0001",
		"CurrItems Average Count CacheClusterId=perf-001;CacheNodeId=0001;Tier=Memory",
		"CurrItems Maximum Count CacheClusterId=perf-001;CacheNodeId=0001;Tier=Memory",
		"EngineCPUUtilization Average Percent Extra=a;ReplicationGroupId=perf;Role=replica",
		"EngineCPUUtilization Maximum Percent Extra=a;ReplicationGroupId=perf;Role=replica",
		"EngineCPUUtilization Average Percent NodeGroupId=0001;ReplicationGroupId=perf",
		"EngineCPUUtilization Maximum Percent NodeGroupId=0001;ReplicationGroupId=perf",
		"EngineCPUUtilization Average Percent ReplicationGroupId=perf;Role=primary",
		"EngineCPUUtilization Maximum Percent ReplicationGroupId=perf;Role=primary",
		"OnlyCluster Average  CacheClusterId=perf-002",
		"OnlyCluster Maximum  CacheClusterId=perf-002",
		"NetworkRxBytes Average Bytes/Second ClusterName=perf;ServiceName=perf-load",
		"NetworkRxBytes Maximum Bytes/Second ClusterName=perf;ServiceName=perf-load",
		"NetworkRxBytes Sum Bytes/Second ClusterName=perf;ServiceName=perf-load",
	}, added)
}

func job(api DataAPI, clock Clock, from, to string, period time.Duration, all ...Series) MetricsJob {
	slices.SortFunc(all, Series.compare)
	return MetricsJob{API: api, Clock: clock, Series: all, Window: Window{at(from), at(to)}, Period: period}
}

func TestMetricsRows(t *testing.T) {
	api := &fakeMetrics{}
	cpu, items, ecs := series(t, "EngineCPUUtilization", "Average", "perf-001"), series(t, "CurrItems", "Average", "perf-002"), series(t, "CPUUtilization", "Maximum", "perf-load")
	silent := series(t, "Evictions", "Sum", "perf-001")
	api.put(cpu, at("2026-11-23T03:08:00Z"), 12.5)
	api.put(cpu, at("2026-11-23T03:09:00Z"), math.NaN())
	api.put(items, at("2026-11-23T03:08:00Z"), 1e6)
	api.put(items, at("2026-11-23T03:10:00Z"), math.Inf(1))
	api.put(ecs, at("2026-11-23T03:09:00Z"), 0.1)
	api.put(ecs, at("2026-11-23T03:07:00Z"), 1) // before the window
	api.put(ecs, at("2026-11-23T03:11:00Z"), 1) // EndTime is exclusive
	var out bytes.Buffer
	sum, err := job(api, &ticker{now: at("2026-11-23T03:20:00Z")}, "2026-11-23T03:08:00Z", "2026-11-23T03:11:00Z", time.Minute, items, silent, cpu, ecs).Write(t.Context(), &out)
	require.NoError(t, err)
	assert.Equal(t, `Timestamp,Namespace,MetricName,Stat,Value,Unit,Dimensions
2026-11-23T03:08:00+00:00,AWS/ElastiCache,CurrItems,Average,1000000,Count,CacheClusterId=perf-002;CacheNodeId=0001
2026-11-23T03:08:00+00:00,AWS/ElastiCache,EngineCPUUtilization,Average,12.5,Percent,CacheClusterId=perf-001;CacheNodeId=0001
2026-11-23T03:09:00+00:00,AWS/ECS,CPUUtilization,Maximum,0.1,Percent,ClusterName=perf;ServiceName=perf-load
2026-11-23T03:09:00+00:00,AWS/ElastiCache,EngineCPUUtilization,Average,NaN,Percent,CacheClusterId=perf-001;CacheNodeId=0001
2026-11-23T03:10:00+00:00,AWS/ElastiCache,CurrItems,Average,+Inf,Count,CacheClusterId=perf-002;CacheNodeId=0001
`, out.String())
	assert.Equal(t, Metrics{PeriodSeconds: 60, SourceAge: "12m0s", SeriesAsked: 4, SeriesExpected: 4, SeriesFound: 3, Points: 5, MinutesExpected: 3,
		Sources: []Source{{"perf-001", 1, 2}, {"perf-002", 1, 2}, {"perf-load", 1, 1}}, Missing: []string{"AWS/ElastiCache/Evictions"}}, sum)

	var rows []Row
	for row, err := range ReadMetrics(&out) {
		require.NoError(t, err)
		rows = append(rows, row)
	}
	require.Len(t, rows, 5)
	assert.Equal(t, Row{Timestamp{at("2026-11-23T03:09:00Z")}, "AWS/ECS", "CPUUtilization", "Maximum", 0.1, "Percent", "ClusterName=perf;ServiceName=perf-load", false}, rows[2])
	assert.True(t, math.IsNaN(rows[3].Value))
}

// A day of 1,200 series takes 3 calls per page and 8 pages. Every datapoint is exported once, whatever the size of an answer.
func TestMetricsPages(t *testing.T) {
	var all []Series
	nodes := Target{Membership: Membership{Nodes: make([]Node, 0)}}
	for i := range 12 {
		nodes.Membership.Nodes = append(nodes.Membership.Nodes, Node{CacheClusterID: "perf-" + string(rune('a'+i)), CacheNodeID: "0001"})
	}
	all = nodes.Catalog()[:1200]
	slices.SortFunc(all, Series.compare)
	clock := &ticker{now: at("2026-11-24T03:20:00Z")}
	j := MetricsJob{Clock: clock, Series: all, Window: Window{at("2026-11-23T03:00:00Z"), at("2026-11-24T03:00:00Z")}, Period: time.Minute}
	api := &fakeMetrics{}
	for i, s := range all[:40] {
		for minute := range 1440 {
			api.put(s, j.Window.Start.Add(time.Duration(minute)*time.Minute), float64(i*minute))
		}
	}
	j.API = api
	var whole bytes.Buffer
	sum, err := j.Write(t.Context(), &whole)
	require.NoError(t, err)
	assert.EqualValues(t, 40*1440, sum.Points)
	assert.Equal(t, 3*8, api.calls, "500 queries a call, 201 minutes a page")
	assert.Equal(t, 1440, sum.Sources[0].MinutesFound)
	assert.Greater(t, clock.slept, 4300*time.Millisecond, "1,728,000 datapoints at 396,000 a second, the last page at 180,000")
	assert.Less(t, clock.slept, 6*time.Second)

	api.size, api.calls = 777, 0
	var parts bytes.Buffer
	_, err = j.Write(t.Context(), &parts)
	require.NoError(t, err)
	assert.Greater(t, api.calls, 24)
	assert.True(t, bytes.Equal(whole.Bytes(), parts.Bytes()), "the same bytes from small answers")
	assert.Equal(t, 1+40*1440, bytes.Count(whole.Bytes(), []byte("\n")))
}

func TestMetricsPagesFitIntoMemory(t *testing.T) {
	for series, want := range map[int]int{0: 100_800, 1: 100_800, 500: 201, 5_400: 201, 61_500: 65, 10_000_000: 1} {
		assert.Equal(t, want, pagePeriods(series), "%d series", series)
	}
}

// Series that are found while the first page is read are exported as if they had been known before.
func TestMetricsFoundDuringTheFirstPage(t *testing.T) {
	known, found := []Series{}, []Series{}
	api := &fakeMetrics{}
	j := job(api, &ticker{now: at("2026-11-24T03:20:00Z")}, "2026-11-23T03:00:00Z", "2026-11-23T09:00:00Z", time.Minute)
	for i, s := range target.Series(nil)[:60] {
		if i%3 == 1 {
			found = append(found, s)
		} else {
			known = append(known, s)
		}
		for minute := i % 7; minute < 360; minute += 7 {
			api.put(s, j.Window.Start.Add(time.Duration(minute)*time.Minute), float64(i*minute))
		}
	}
	j.Series = target.Series(nil)[:60]
	var want, got bytes.Buffer
	sum, err := j.Write(t.Context(), &want)
	require.NoError(t, err)

	slices.Reverse(found) // in any order
	j.Series, api.calls = known, 0
	var same Metrics
	synctest.Test(t, func(t *testing.T) {
		j.Find = func(context.Context) ([]Series, error) {
			synctest.Wait()
			assert.Equal(t, 1, api.calls, "the known series do not wait")
			return found, nil
		}
		same, err = j.Write(t.Context(), &got)
	})
	require.NoError(t, err)
	assert.Equal(t, want.String(), got.String())
	assert.Equal(t, sum, same)
	assert.Equal(t, 2, api.calls, "first the known series, then the found ones, in one page")

	j.Find = func(context.Context) ([]Series, error) { return nil, errFull }
	_, err = j.Write(t.Context(), &got)
	assert.ErrorIs(t, err, errFull)
}

// CloudWatch rounds a StartTime down to the minute: a page of 5-second data that does not start on a minute would repeat datapoints.
func TestMetricsPageEdgesAtShortPeriods(t *testing.T) {
	api, s := &fakeMetrics{}, series(t, "CurrItems", "Average", "perf-001")
	j := job(api, &ticker{now: at("2026-11-23T04:30:00Z")}, "2026-11-23T03:00:05Z", "2026-11-23T04:30:00Z", 5*time.Second, s)
	for i := 0; i < 600; i++ {
		j.Series = append(j.Series, Series{Namespace: "X", Metric: "M", Stat: "Sum", label: strings.Repeat("x", i)})
	}
	for tick := j.Window.Start.Add(-time.Minute); tick.Before(j.Window.End); tick = tick.Add(5 * time.Second) {
		api.put(s, tick, 1)
	}
	var out bytes.Buffer
	sum, err := j.Write(t.Context(), &out)
	require.NoError(t, err)
	assert.EqualValues(t, 90*12-1, sum.Points)
	assert.Equal(t, 90, sum.MinutesExpected)
}

func TestMetricsAnswersThatAreNotComplete(t *testing.T) {
	s := series(t, "CurrItems", "Average", "perf-001")
	for name, test := range map[string]struct {
		edit  func(call int, out *cloudwatch.GetMetricDataOutput)
		calls int
		fails string
	}{
		"partial, then complete": {func(call int, out *cloudwatch.GetMetricDataOutput) {
			if call == 1 {
				r := &out.MetricDataResults[0]
				r.StatusCode, r.Timestamps, r.Values = types.StatusCodePartialData, r.Timestamps[:1], []float64{-1} // with a value that the next answer corrects
			}
		}, 2, ""},
		"internal error, then complete": {func(call int, out *cloudwatch.GetMetricDataOutput) {
			if call < 3 {
				out.MetricDataResults[0] = types.MetricDataResult{Id: out.MetricDataResults[0].Id, StatusCode: types.StatusCodeInternalError}
			}
		}, 3, ""},
		"internal error forever": {func(call int, out *cloudwatch.GetMetricDataOutput) {
			out.MetricDataResults[0].StatusCode = types.StatusCodeInternalError
		}, 4, "InternalError for AWS/ElastiCache CurrItems CacheClusterId=perf-001;CacheNodeId=0001 after 4 attempts"},
		"forbidden": {func(call int, out *cloudwatch.GetMetricDataOutput) {
			out.MetricDataResults[0].StatusCode = types.StatusCodeForbidden
		}, 1, "allow cloudwatch:GetMetricData"},
		"token forever": {func(call int, out *cloudwatch.GetMetricDataOutput) { out.NextToken = aws.String("9") }, 2, "the same page token twice"},
		"unasked":       {func(call int, out *cloudwatch.GetMetricDataOutput) { out.MetricDataResults[0].Id = aws.String("s7") }, 1, `answered for "s7", which was not asked`},
		"uneven":        {func(call int, out *cloudwatch.GetMetricDataOutput) { out.MetricDataResults[0].Values = nil }, 1, "2 timestamps and 0 values"},
	} {
		t.Run(name, func(t *testing.T) {
			api := &fakeMetrics{edit: test.edit}
			api.put(s, at("2026-11-23T03:08:00Z"), 1)
			api.put(s, at("2026-11-23T03:09:00Z"), 2)
			var out bytes.Buffer
			_, err := job(api, &ticker{now: at("2026-11-23T03:20:00Z")}, "2026-11-23T03:08:00Z", "2026-11-23T03:10:00Z", time.Minute, s).Write(t.Context(), &out)
			assert.Equal(t, test.calls, api.calls)
			if test.fails != "" {
				require.ErrorContains(t, err, test.fails)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, 3, strings.Count(out.String(), "\n"))
			assert.Contains(t, out.String(), "03:08:00+00:00,AWS/ElastiCache,CurrItems,Average,1,", "the later answer counts")
		})
	}
}

// A query that is missing from the answer is sent again; one that is always missing is reported.
func TestMetricsQueriesThatAreLeftOut(t *testing.T) {
	for _, times := range []int{1, 1 << 30} {
		cpu, items := series(t, "EngineCPUUtilization", "Average", "perf-001"), series(t, "CurrItems", "Average", "perf-001")
		api := &fakeMetrics{edit: func(call int, out *cloudwatch.GetMetricDataOutput) {
			if call <= times {
				out.MetricDataResults = slices.DeleteFunc(out.MetricDataResults, func(r types.MetricDataResult) bool { return *r.Id == "s0" })
			}
		}}
		for _, s := range []Series{cpu, items} {
			api.put(s, at("2026-11-23T03:08:00Z"), 1)
		}
		var out bytes.Buffer
		sum, err := job(api, &ticker{now: at("2026-11-23T03:20:00Z")}, "2026-11-23T03:08:00Z", "2026-11-23T03:11:00Z", time.Minute, items, cpu).Write(t.Context(), &out)
		require.NoError(t, err)
		if times == 1 {
			assert.EqualValues(t, 2, sum.Points)
			assert.Empty(t, sum.Messages)
		} else {
			assert.EqualValues(t, 1, sum.Points)
			assert.Equal(t, []string{"GetMetricData gave no answer for AWS/ElastiCache CurrItems CacheClusterId=perf-001;CacheNodeId=0001"}, sum.Messages)
		}
	}
}

func TestResolutionDividesADay(t *testing.T) {
	for _, age := range []time.Duration{time.Hour, 5 * time.Hour, 20 * day, 90 * day} {
		for wanted := time.Second; wanted <= day; wanted += 7 * time.Second {
			got := Resolution(wanted, age)
			require.True(t, day%got == 0 && got >= wanted, "%s of %s: %s", wanted, age, got)
		}
	}
	assert.Equal(t, 30*time.Minute, Resolution(24*time.Minute, 20*day))
}

func TestMetricsStopInTime(t *testing.T) {
	api, s := &fakeMetrics{}, series(t, "CurrItems", "Average", "perf-001")
	j := job(api, &ticker{now: at("2026-11-23T03:20:00Z")}, "2026-11-23T03:08:00Z", "2026-11-23T03:10:00Z", time.Minute, s)
	j.Until = at("2026-11-23T03:20:00Z")
	_, err := j.Write(t.Context(), &bytes.Buffer{})
	assert.ErrorIs(t, err, ErrOutOfTime)
	assert.Zero(t, api.calls)

	j.Until = time.Time{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = j.Write(ctx, &bytes.Buffer{})
	assert.ErrorIs(t, err, context.Canceled)
	_, err = j.Write(t.Context(), failing{})
	assert.ErrorIs(t, err, errFull)
}

var errFull = errors.New("no space left")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestResolution(t *testing.T) {
	for _, test := range []struct{ wanted, age, want time.Duration }{
		{5 * time.Second, time.Hour, 5 * time.Second},
		{5 * time.Second, 4 * time.Hour, time.Minute},
		{time.Minute, 14 * day, time.Minute},
		{time.Minute, 16 * day, 5 * time.Minute},
		{2 * time.Hour, 16 * day, 2 * time.Hour},
		{7 * time.Minute, 16 * day, 10 * time.Minute},
		{time.Minute, 64 * day, time.Hour},
	} {
		assert.Equal(t, test.want, Resolution(test.wanted, test.age), "%s at the age of %s", test.wanted, test.age)
	}
}

func FuzzDimensions(f *testing.F) {
	f.Add("CacheClusterId", "perf-001", "CacheNodeId", "0001")
	f.Add("a;b", `c=d\`, "quote\"", "comma,\r\n")
	f.Add("", "", `\`, ";")
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2 string) {
		pairs := []types.Dimension{{Name: &name1, Value: &value1}, {Name: &name2, Value: &value2}}
		text := FormatDimensions(pairs)
		if strings.ContainsAny(text, "\r\n") {
			t.Fatalf("%q would break a row", text)
		}
		slices.Reverse(pairs)
		if again := FormatDimensions(pairs); again != text {
			t.Fatalf("%q and %q from the same pairs", text, again)
		}
		got, err := ParseDimensions(text)
		if err != nil {
			t.Fatal(err)
		}
		if name1 != name2 && (got[name1] != value1 || got[name2] != value2 || len(got) != 2) {
			t.Fatalf("%q parsed to %q", text, got)
		}
	})
}

// A row reads back unchanged, whatever its names and values are.
func FuzzMetricsRow(f *testing.F) {
	f.Add("AWS/ElastiCache", "CurrItems", "p99.9", "Count", "CacheClusterId", "perf-001", 12.5)
	f.Add(`a,"b"`, "c;d=e", "Sum", "", "quote\"", "comma, and\nline;=\\", math.NaN())
	f.Add(`\.`, "in side", "\"", "Bytes/Second", "=", ";", math.Inf(-1))
	f.Add("", "\x00\xff", "Average", "None", "ü", "", math.MaxFloat64)
	f.Add("N", "M", "Maximum", "Percent", "A", "B", math.Copysign(0, -1))
	f.Fuzz(func(t *testing.T, namespace, name, stat, unit, dimension, value string, number float64) {
		s := Series{Namespace: namespace, Metric: name, Stat: stat, Unit: unit, Dimensions: []types.Dimension{{Name: &dimension, Value: &value}}}
		s.label = FormatDimensions(s.Dimensions)
		for _, text := range []string{namespace, name, stat, unit, s.label} {
			if strings.ContainsAny(text, "\r\n") || strings.TrimSpace(text) != text {
				t.Skip("CloudWatch has no control characters in names; blanks around them are another tool's")
			}
		}
		page := &metricsPage{}
		page.begin(Window{logWindow.Start, logWindow.Start.Add(2 * time.Minute)}, time.Minute, []Series{s})
		page.values[1], page.known[1] = number, true
		var out bytes.Buffer
		table := newTable(&out, MetricsJob{Series: page.series, Window: logWindow, Period: time.Minute})
		if err := cmp.Or(table.header(), table.page(page)); err != nil {
			t.Fatal(err)
		}
		n := 0
		for row, err := range ReadMetrics(&out) {
			if err != nil {
				t.Fatal(err)
			}
			same := row.Value == number || math.IsNaN(row.Value) && math.IsNaN(number)
			row.Value = 0
			if want := (Row{Timestamp{logWindow.Start.Add(time.Minute)}, namespace, name, stat, 0, unit, s.label, false}); row != want || !same {
				t.Fatalf("%+v instead of %+v, value the same: %v", row, want, same)
			}
			n++
		}
		if n != 1 {
			t.Fatalf("%d rows", n)
		}
	})
}
