package localaws

import (
	"net/http"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/dashboardpage"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache"
)

// dashboardPath is the path of a dashboard's page; the dashboard's name follows.
const dashboardPath = "/_localaws/dashboard/"

// dashboards shows the dashboards of this embedded AWS, with its metrics and logs.
func (s *Server) dashboards() http.Handler {
	return dashboardpage.Handler(dashboardpage.Source{
		Now: s.acct.Clock.Now, Dashboards: s.CloudWatch.Dashboards, Body: s.CloudWatch.Dashboard, Finest: s.acct.MetricsPeriod,
		Absent: func(metric string) string {
			if elasticache.Unpublished(metric) {
				return "AWS alone has this: a process on this machine cannot honestly give it"
			}
			return ""
		},
		Series: func(m dashboardpage.Metric, from, to time.Time) ([]time.Time, []float64, error) {
			of := cloudwatch.Metric{Namespace: m.Namespace, Name: m.Name}
			for _, d := range m.Dimensions {
				of.Dimensions = append(of.Dimensions, cloudwatch.Dimension{Name: d[0], Value: d[1]})
			}
			return s.CloudWatch.Values(of, m.Stat, m.Period, from, to)
		},
		Events: func(group string, from time.Time, limit int, match func(string) bool) ([]dashboardpage.Event, error) {
			found, err := s.Logs.Newest(group, from, limit, match)
			events := make([]dashboardpage.Event, 0, len(found))
			for _, e := range found {
				events = append(events, dashboardpage.Event{Time: e.Time, Stream: e.Stream, Message: e.Message})
			}
			return events, err
		},
	})
}

// DashboardURL is the page of all dashboards, for people.
func (s *Server) DashboardURL() string { return s.url + dashboardPath }
