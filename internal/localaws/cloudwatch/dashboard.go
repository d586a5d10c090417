package cloudwatch

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type dashboard struct {
	body string
	tags tagset.Set
}

// Dashboards are those of an account, in all Regions: a name that is taken in one Region is the same dashboard in another.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Dashboards.html
type Dashboards struct {
	mu    sync.Mutex
	named map[string]*dashboard
}

// NewDashboards are none yet.
func NewDashboards() *Dashboards { return &Dashboards{named: map[string]*dashboard{}} }

// dashboardARN has no Region: dashboards are global in an account.
func (s *Service) dashboardARN(name string) string {
	return "arn:aws:cloudwatch::" + s.acct.ID + ":dashboard/" + name
}

var dashboardName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

type validationMessage struct{ DataPath, Message string }

type putDashboardIn struct {
	DashboardName string `wire:",required"`
	DashboardBody string `wire:",required"`
	Tags          []tagset.Pair
}

type putDashboardOut struct{ DashboardValidationMessages []validationMessage }

// putDashboard: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
func (s *Service) putDashboard(_ context.Context, in *putDashboardIn) (*putDashboardOut, error) {
	if !dashboardName.MatchString(in.DashboardName) {
		return nil, wire.Errorf(400, "DashboardInvalidInputError", "The dashboard name %q is invalid: it must have 1 to 255 of A-Z, a-z, 0-9, - and _.", in.DashboardName)
	}
	errs, warnings := checkBody(in.DashboardBody)
	if len(errs) > 0 {
		var b strings.Builder
		for _, e := range errs {
			fmt.Fprintf(&b, "\n%s: %s", e.DataPath, e.Message)
		}
		return nil, wire.Errorf(400, "DashboardInvalidInputError", "The dashboard body is invalid, there are %d validation errors:%s", len(errs), b.String())
	}
	s.dashboards.mu.Lock()
	defer s.dashboards.mu.Unlock()
	d := s.dashboards.named[in.DashboardName]
	if d == nil { // tags count only when a dashboard is new
		t, err := tagset.Add(rules, nil, in.Tags)
		if err != nil {
			return nil, err
		}
		d = &dashboard{tags: t}
		s.dashboards.named[in.DashboardName] = d
	}
	d.body = in.DashboardBody
	return &putDashboardOut{append([]validationMessage{}, warnings...)}, nil
}

type getDashboardOut struct{ DashboardArn, DashboardBody, DashboardName string }

func (s *Service) getDashboard(_ context.Context, in *struct {
	DashboardName string `wire:",required"`
}) (*getDashboardOut, error) {
	s.dashboards.mu.Lock()
	defer s.dashboards.mu.Unlock()
	d := s.dashboards.named[in.DashboardName]
	if d == nil {
		return nil, noDashboard(in.DashboardName)
	}
	return &getDashboardOut{s.dashboardARN(in.DashboardName), d.body, in.DashboardName}, nil
}

func noDashboard(name string) error {
	return wire.Errorf(404, "DashboardNotFoundError", "Dashboard %s does not exist", name)
}

// deleteDashboards deletes all or, when one of them does not exist, none.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteDashboards.html
func (s *Service) deleteDashboards(_ context.Context, in *struct {
	DashboardNames []string `wire:",required"`
}) (*none, error) {
	s.dashboards.mu.Lock()
	defer s.dashboards.mu.Unlock()
	for _, n := range in.DashboardNames {
		if s.dashboards.named[n] == nil {
			return nil, noDashboard(n)
		}
	}
	for _, n := range in.DashboardNames {
		delete(s.dashboards.named, n)
	}
	return &none{}, nil
}
