package cloudwatch

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// alarmConfig is what PutMetricAlarm sets and DescribeAlarms shows.
type alarmConfig struct {
	AlarmName                                        string `wire:",required"`
	AlarmDescription                                 *string
	ActionsEnabled                                   *bool
	OKActions, AlarmActions, InsufficientDataActions []string
	MetricName, Namespace                            *string
	Statistic, ExtendedStatistic                     *string
	Dimensions                                       []Dimension
	Period                                           *int
	Unit                                             *string
	EvaluationPeriods                                *int
	DatapointsToAlarm                                *int
	Threshold                                        *float64
	ComparisonOperator                               *string
	TreatMissingData                                 *string
	EvaluateLowSampleCountPercentile                 *string
}

type alarm struct {
	alarmConfig
	stat                            statistic
	state, reason                   string
	configured, updated, transition time.Time
	tags                            tagset.Set
}

type putMetricAlarmIn struct {
	alarmConfig
	Tags []tagset.Pair
}

var comparisons = map[string]func(v, threshold float64) bool{
	"GreaterThanOrEqualToThreshold": func(v, t float64) bool { return v >= t },
	"GreaterThanThreshold":          func(v, t float64) bool { return v > t },
	"LessThanThreshold":             func(v, t float64) bool { return v < t },
	"LessThanOrEqualToThreshold":    func(v, t float64) bool { return v <= t },
}

func (s *Service) checkAlarm(c *alarmConfig) (statistic, error) {
	if c.AlarmName == "" || len(c.AlarmName) > 255 {
		return nil, validation("The value %q for parameter AlarmName is invalid: it must have 1 to 255 characters.", c.AlarmName)
	}
	if c.MetricName == nil || c.Namespace == nil {
		return nil, validation("MetricName and Namespace must be specified: localaws has alarms on one metric each.")
	}
	if err := checkMetric(*c.Namespace, *c.MetricName, c.Dimensions); err != nil {
		return nil, err
	}
	if _, err := checkUnit(c.Unit); err != nil {
		return nil, err
	}
	switch {
	case c.Period == nil || c.EvaluationPeriods == nil || c.Threshold == nil || c.ComparisonOperator == nil:
		return nil, validation("Period, EvaluationPeriods, Threshold and ComparisonOperator must be specified.")
	case !slices.Contains([]int{10, 20, 30}, *c.Period) && (*c.Period < 60 || *c.Period%60 != 0):
		return nil, validation("The value %d for parameter Period is invalid: it must be 10, 20, 30 or a multiple of 60.", *c.Period)
	case *c.EvaluationPeriods < 1 || *c.Period**c.EvaluationPeriods > 604_800:
		return nil, validation("Metrics cannot be checked across more than seven days: Period is %d and EvaluationPeriods %d.", *c.Period, *c.EvaluationPeriods)
	case c.DatapointsToAlarm != nil && (*c.DatapointsToAlarm < 1 || *c.DatapointsToAlarm > *c.EvaluationPeriods):
		return nil, validation("DatapointsToAlarm is %d: it must be 1 to EvaluationPeriods, %d.", *c.DatapointsToAlarm, *c.EvaluationPeriods)
	case comparisons[*c.ComparisonOperator] == nil:
		return nil, validation("The value %s for parameter ComparisonOperator is invalid: localaws compares with a fixed threshold.", *c.ComparisonOperator)
	case c.TreatMissingData != nil && !slices.Contains([]string{"breaching", "notBreaching", "ignore", "missing"}, *c.TreatMissingData):
		return nil, validation("The value %s for parameter TreatMissingData is invalid: it must be breaching, notBreaching, ignore or missing.", *c.TreatMissingData)
	case c.EvaluateLowSampleCountPercentile != nil && *c.EvaluateLowSampleCountPercentile != "evaluate":
		return nil, validation("localaws always evaluates percentiles: EvaluateLowSampleCountPercentile cannot be %s.", *c.EvaluateLowSampleCountPercentile)
	case (c.Statistic == nil) == (c.ExtendedStatistic == nil):
		return nil, validation("Exactly one of Statistic and ExtendedStatistic must be specified.")
	}
	for _, arns := range [][]string{c.OKActions, c.AlarmActions, c.InsufficientDataActions} {
		if len(arns) > 5 {
			return nil, validation("An alarm has at most 5 actions for a state, not %d.", len(arns))
		}
		for _, arn := range arns {
			if !strings.HasPrefix(arn, "arn:aws:sns:") {
				return nil, validation("Invalid arn syntax: %s: localaws runs actions that are SNS topics.", arn)
			}
		}
	}
	if c.Statistic != nil {
		if f, ok := plain[*c.Statistic]; ok {
			return f, nil
		}
		return nil, validation("The value %s for parameter Statistic is invalid.", *c.Statistic)
	}
	return parseStatistic(*c.ExtendedStatistic)
}

// putMetricAlarm: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
func (s *Service) putMetricAlarm(_ context.Context, in *putMetricAlarmIn) (*none, error) {
	stat, err := s.checkAlarm(&in.alarmConfig)
	if err != nil {
		return nil, err
	}
	if in.ActionsEnabled == nil {
		in.ActionsEnabled = new(bool)
		*in.ActionsEnabled = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.acct.Clock.Now()
	a := s.alarms[in.AlarmName]
	if a == nil { // tags count only when an alarm is new; its state is left alone when it is not
		t, err := tagset.Add(rules, nil, in.Tags)
		if err != nil {
			return nil, err
		}
		a = &alarm{tags: t, state: "INSUFFICIENT_DATA", reason: "Unchecked: Initial alarm creation", updated: now, transition: now}
		s.alarms[in.AlarmName] = a
	}
	a.alarmConfig, a.stat, a.configured = in.alarmConfig, stat, now
	s.watch()
	return &none{}, nil
}

type metricAlarm struct {
	alarmConfig
	AlarmArn                           string
	AlarmConfigurationUpdatedTimestamp *wire.Time
	StateValue, StateReason            string
	StateUpdatedTimestamp              *wire.Time
	StateTransitionedTimestamp         *wire.Time
}

func (s *Service) describe(a *alarm) metricAlarm {
	c := a.alarmConfig
	for _, l := range []*[]string{&c.OKActions, &c.AlarmActions, &c.InsufficientDataActions} {
		if *l == nil {
			*l = []string{}
		}
	}
	c.Dimensions = present(c.Dimensions)
	return metricAlarm{c, s.acct.ARN("cloudwatch", "alarm:"+c.AlarmName), wire.At(a.configured), a.state, a.reason,
		wire.At(a.updated), wire.At(a.transition)}
}

type describeAlarmsIn struct {
	AlarmNames, AlarmTypes                    []string
	AlarmNamePrefix, StateValue, ActionPrefix *string
	NextToken                                 string
	ChildrenOfAlarmName, ParentsOfAlarmName   *string // of composite alarms: there are none
	MaxRecords                                *int
}

type describeAlarmsOut struct {
	MetricAlarms    []metricAlarm
	CompositeAlarms []none
	NextToken       string `wire:",omitempty"`
}

// describeAlarms: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
func (s *Service) describeAlarms(_ context.Context, in *describeAlarmsIn) (*describeAlarmsOut, error) {
	limit, ok := paging.Size(in.MaxRecords, 50, 1, 100)
	if !ok {
		return nil, validation("The value %d for parameter MaxRecords is invalid: it must be 1 to 100.", limit)
	}
	if len(in.AlarmNames) > 100 {
		return nil, validation("The collection AlarmNames has %d members: it must have at most 100.", len(in.AlarmNames))
	}
	if in.AlarmNamePrefix != nil && len(in.AlarmNames) > 0 {
		return nil, validation("AlarmNames and AlarmNamePrefix cannot both be specified.")
	}
	out := &describeAlarmsOut{MetricAlarms: []metricAlarm{}, CompositeAlarms: []none{}}
	if in.ChildrenOfAlarmName != nil || in.ParentsOfAlarmName != nil || len(in.AlarmTypes) > 0 && !slices.Contains(in.AlarmTypes, "MetricAlarm") {
		return out, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.alarms)), func(name string) bool {
		a := s.alarms[name]
		hasAction := func(arn string) bool { return in.ActionPrefix == nil || strings.HasPrefix(arn, *in.ActionPrefix) }
		return len(in.AlarmNames) > 0 && !slices.Contains(in.AlarmNames, name) ||
			in.AlarmNamePrefix != nil && !strings.HasPrefix(name, *in.AlarmNamePrefix) || in.StateValue != nil && a.state != *in.StateValue ||
			in.ActionPrefix != nil && !slices.ContainsFunc(slices.Concat(a.OKActions, a.AlarmActions, a.InsufficientDataActions), hasAction)
	})
	if names, out.NextToken, ok = paging.Names(names, limit, in.NextToken); !ok {
		return nil, wire.Errorf(400, "InvalidNextToken", "The next token %s is not one that DescribeAlarms gave.", in.NextToken)
	}
	for _, name := range names {
		out.MetricAlarms = append(out.MetricAlarms, s.describe(s.alarms[name]))
	}
	return out, nil
}

// deleteAlarms takes up to 100 names; one that does not exist is an error only alone, as on AWS.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteAlarms.html
func (s *Service) deleteAlarms(_ context.Context, in *struct {
	AlarmNames []string `wire:",required"`
}) (*none, error) {
	if n := len(in.AlarmNames); n < 1 || n > 100 {
		return nil, validation("The collection AlarmNames has %d members: it must have 1 to 100.", n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(in.AlarmNames) == 1 && s.alarms[in.AlarmNames[0]] == nil {
		return nil, wire.Errorf(404, "ResourceNotFound", "Alarm %s does not exist.", in.AlarmNames[0])
	}
	for _, n := range in.AlarmNames {
		delete(s.alarms, n)
	}
	return &none{}, nil
}
