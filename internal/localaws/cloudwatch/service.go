package cloudwatch

import (
	"context"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Publisher is the part of SNS that alarms act on.
type Publisher interface {
	Publish(topicARN, subject, message string) error
}

// Service is CloudWatch of one account and Region.
type Service struct {
	// ListDelay is how long ListMetrics hides a new metric; GetMetricData shows it at once. On AWS up to 15 minutes.
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
	ListDelay time.Duration

	acct *account.Account
	sns  Publisher // nil: alarm actions are refused
	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	dashboards *Dashboards

	mu         sync.Mutex
	metrics    map[string]*metric
	coming     []coming // the earliest first
	alarms     map[string]*alarm
	evaluating bool
}

// New is CloudWatch without metrics and alarms, and with the account's dashboards. Alarms publish to sns, which may be nil.
func New(acct *account.Account, sns Publisher, dashboards *Dashboards) *Service {
	s := &Service{acct: acct, sns: sns, metrics: map[string]*metric{}, dashboards: dashboards, alarms: map[string]*alarm{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Register serves CloudWatch.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Operations.html
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "monitoring", XMLNS: "http://monitoring.amazonaws.com/doc/2010-08-01/", Invalid: "ValidationError", Codes: codes},
		wire.Action("GetMetricData", s.getMetricData),
		wire.Action("ListMetrics", s.listMetrics),
		wire.Action("PutDashboard", s.putDashboard),
		wire.Action("GetDashboard", s.getDashboard),
		wire.Action("DeleteDashboards", s.deleteDashboards),
		wire.Action("PutMetricAlarm", s.putMetricAlarm),
		wire.Action("DescribeAlarms", s.describeAlarms),
		wire.Action("DeleteAlarms", s.deleteAlarms),
		wire.Action("ListTagsForResource", s.listTags),
		wire.Action("TagResource", s.tagResource),
		wire.Action("UntagResource", s.untagResource),
	)
}

// Close ends the evaluation of alarms and waits for it.
func (s *Service) Close() error {
	s.stop()
	s.wg.Wait()
	return nil
}

// codes are those of the query protocol. https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html#API_PutDashboard_Errors
var codes = map[string]string{"DashboardInvalidInputError": "InvalidParameterInput", "DashboardNotFoundError": "ResourceNotFound", "InternalServiceFault": "InternalServiceError",
	"InvalidParameterCombinationException": "InvalidParameterCombination", "InvalidParameterValueException": "InvalidParameterValue",
	"MissingRequiredParameterException": "MissingParameter"}

type none struct{}

func invalidValue(format string, args ...any) error {
	return wire.Errorf(400, "InvalidParameterValueException", format, args...)
}

func missing(member string) error {
	return wire.Errorf(400, "MissingRequiredParameterException", "The parameter %s is required.", member)
}

func validation(format string, args ...any) error {
	return wire.Errorf(400, "ValidationError", format, args...)
}
