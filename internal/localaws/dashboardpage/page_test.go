package dashboardpage

import (
	"errors"
	"fmt"
	"html"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var now = time.Date(2026, 11, 23, 15, 30, 0, 0, time.UTC)

// module is what the dashboard module gives, with metrics that tremble and a log.
func module(t testing.TB) Source {
	t.Helper()
	body, err := os.ReadFile("testdata/body.json")
	require.NoError(t, err)
	levels := map[string]float64{"ProcessedCommands": 2.7e6, "GetTypeCmds": 2.45e6, "SetTypeCmds": 2.4e5, "GetTypeCmdsLatency": 1.6, "SetTypeCmdsLatency": 2.1, "SuccessfulReadRequestLatency": 62, "SuccessfulWriteRequestLatency": 71,
		"CacheHits": 2.3e6, "CacheMisses": 1.1e5, "NetworkBaselineUsageInPercentage": 65, "NetworkBaselineUsageOutPercentage": 154, "RejectedConnections": 0, "TrafficManagementActive": 0, "NetworkBytesIn": 3.1e8, "NetworkBytesOut": 7.4e8, "EngineCPUUtilization": 61, "CPUUtilization": 43, "DatabaseMemoryUsagePercentage": 31,
		"Evictions": 0, "Reclaimed": 0, "CurrItems": 99000, "CurrConnections": 24, "NewConnections": 2, "MemoryUtilization": 6}
	return Source{
		Now:        func() time.Time { return now },
		Dashboards: func() []string { return []string{"elasticache-perf"} },
		Body:       func(name string) (string, bool) { return string(body), name == "elasticache-perf" },
		Absent:     func(metric string) string { return "" },
		Series: func(m Metric, from, to time.Time) (times []time.Time, values []float64, err error) {
			level, ok := levels[m.Name]
			if m.Stat == "SampleCount" {
				level = 2
			}
			for at := from.Truncate(m.Period).Add(4 * time.Minute); ok && at.Before(to); at = at.Add(m.Period) {
				x := float64(at.Unix() / 60)
				v := level * (1 + 0.06*math.Sin(x*1.3+float64(len(m.label))))
				if m.Stat == "p99" {
					v *= 4
				}
				times, values = append(times, at), append(values, v)
			}
			return times, values, nil
		},
		Events: func(group string, from time.Time, limit int, match func(string) bool) (found []Event, err error) {
			if group == "/aws/vendedlogs/elasticache/elasticache-perf/slow" {
				return nil, nil
			}
			require.Equal(t, "/elasticache-perf/elasticache-perf/load", group)
			require.Contains(t, []int{50, math.MaxInt32}, limit)
			for i := range 600 { // the newest first
				at := now.Add(-time.Duration(i) * time.Second)
				record := fmt.Sprintf("[RUN #1 50%%, %3d secs]  2 threads 10 conns:     4094000 ops,   %d (avg:   45031) ops/sec, 9.58MB/sec (avg: 9.58MB/sec),  0.%d (avg:  0.42) msec latency", 600-i, 45000+i%700, 40+i%9)
				if match(record) && at.After(from) {
					found = append(found, Event{at, "load/memtier/d5bf5abffe43", record})
				}
			}
			for _, e := range []Event{{now.Add(-7 * time.Minute), "load/memtier/d5bf5abffe43", "load: hdr sha256=1 part=1/1 <b>"}, {now.Add(-7*time.Minute - 1), "load/memtier/d5bf5abffe43", "connection dropped."},
				{now.Add(-8 * time.Minute), "load/memtier/d5bf5abffe43", "load: ready"},
				{now.Add(-9 * time.Minute), "load/memtier/d5bf5abffe43", "load: run=2026-11-23T15-18-57Z task=d5bf5abffe43 generator=\"memtier_benchmark 2.3.1\""}} {
				if match(e.Message) && e.Time.After(from) {
					found = append(found, e)
				}
			}
			return found, nil
		},
	}
}

func get(t testing.TB, s Source, path string) (int, string) {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET /_localaws/dashboard/{name...}", Handler(s))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/_localaws/dashboard/"+path, nil))
	require.NotContains(t, w.Body.String(), "ZgotmplZ", "html/template refused something")
	return w.Code, w.Body.String()
}

func TestModulesDashboard(t *testing.T) {
	code, text := get(t, module(t), "?last=15m")
	require.Equal(t, http.StatusOK, code)
	b, err := parse(string(must(os.ReadFile("testdata/body.json"))))
	require.NoError(t, err)
	charts := 0
	for _, w := range b.Widgets {
		if w.Type == "metric" || w.Properties.View == "timeSeries" {
			charts++
			has(t, text, html.EscapeString(w.Properties.Title))
		}
	}
	require.Equal(t, charts, strings.Count(text, `<figure class="chart"`))
	require.Equal(t, 2, strings.Count(text, `class="nodata"`), "allowances and credits, which this source does not have")
	has(t, text, "Busiest node (baseline 0.064, burst 5)")
	has(t, text, `<g class="limit">`, "the baseline and the load's connections are lines")
	require.False(t, strings.Contains(text, "${LAST}"), "labels show values")
	has(t, text, "connection dropped.", "errors are shown")
	has(t, text, "<h2>elasticache-perf</h2>")
	has(t, text, "<strong>cache</strong> valkey 8.1")
	has(t, text, "load: ready")
	require.NotContains(t, text, "load: hdr", "the query's filter")
	require.NotContains(t, text, "[RUN #1", "records are a graph")
	require.Less(t, strings.Index(text, "load: ready"), strings.Index(text, "load: run="), "newest first")
	has(t, text, `"from":1795447140,"step":60`, "the last 15 minutes, values from the 4th on")

	_, text = get(t, module(t), "elasticache-perf")
	has(t, text, `aria-current="true">run</a>`)
	has(t, text, `"from":1795447320,"step":60`, "the run's range is what is shown first")
	has(t, text, ">run starts</text>", "its start is a vertical line")

	_, text = get(t, module(t), "elasticache-perf?last=1h")
	has(t, text, `"from":1795444440,"step":60`, "the last hour")
}

// has is Contains without printing a whole page.
func has(t *testing.T, text, part string, why ...any) {
	t.Helper()
	require.True(t, strings.Contains(text, part), "the page lacks %s %v", part, why)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestWhatIsNotThere(t *testing.T) {
	s := module(t)
	code, text := get(t, s, "other")
	require.Equal(t, http.StatusNotFound, code)
	has(t, text, "There is no dashboard &#34;other&#34;")

	s.Dashboards, s.Body = func() []string { return nil }, func(string) (string, bool) { return "", false }
	code, text = get(t, s, "")
	require.Equal(t, http.StatusOK, code)
	has(t, text, "There is no dashboard yet")

	s = module(t)
	s.Series = func(Metric, time.Time, time.Time) ([]time.Time, []float64, error) {
		return nil, nil, errors.New("no such <metric>")
	}
	_, text = get(t, s, "")
	has(t, text, "no such &lt;metric&gt;")
}

func TestShorthandsOfMetrics(t *testing.T) {
	b, err := parse(`{"widgets":[{"type":"metric","properties":{"stat":"Sum","period":60,"metrics":[
		["AWS/ElastiCache","Evictions","CacheClusterId","a-001","CacheNodeId","0001"],
		[".","CurrItems",".",".",".",".",{"stat":"Maximum","label":"items"}],
		["...","a-002",".","."],
		["...",{"visible":false,"id":"m1"}],
		[{"expression":"m1/60","label":"x"}]]}}]}`)
	require.NoError(t, err)
	require.Equal(t, 6, b.Widgets[0].Width)
	all, math := b.Widgets[0].Properties.metrics()
	node := func(id string) [][2]string {
		return [][2]string{{"CacheClusterId", id}, {"CacheNodeId", "0001"}}
	}
	require.Equal(t, []Metric{
		{Namespace: "AWS/ElastiCache", Name: "Evictions", Dimensions: node("a-001"), Stat: "Sum", Period: time.Minute, label: "Evictions"},
		{Namespace: "AWS/ElastiCache", Name: "CurrItems", Dimensions: node("a-001"), Stat: "Maximum", Period: time.Minute, label: "items"},
		{Namespace: "AWS/ElastiCache", Name: "CurrItems", Dimensions: node("a-002"), Stat: "Sum", Period: time.Minute, label: "CurrItems"},
		{Namespace: "AWS/ElastiCache", Name: "CurrItems", Dimensions: node("a-002"), Stat: "Sum", Period: time.Minute, label: "CurrItems", id: "m1", hidden: true},
	}, all)
	require.Equal(t, []expression{{"m1/60", "x", ""}}, math)
}

func TestMarkdown(t *testing.T) {
	require.Equal(t, "<h2>a &lt;b&gt;</h2><p>one <strong>two</strong> <code>three</code>\nfour\n</p><ul><li>five</li></ul><table><tr><td>k</td><td>v</td></tr><tr><td>1</td><td>2</td></tr></table>",
		string(markdown("# a <b>\none **two** `three`\nfour\n\n- five\n\n| k | v |\n|---|---|\n| 1 | 2 |")))
	require.Equal(t, `<p><a href="https://aws.amazon.com/?a=1&amp;b=2" rel="noreferrer">x</a> [y](javascript:alert)`+"\n</p>", string(markdown("[x](https://aws.amazon.com/?a=1&b=2) [y](javascript:alert)")))
}
