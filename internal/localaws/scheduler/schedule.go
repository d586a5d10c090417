package scheduler

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// settings is a request's settings of a schedule. An update replaces all of them.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
type settings struct {
	ActionAfterCompletion      *string
	Description                *string
	StartDate, EndDate         *wire.Time
	FlexibleTimeWindow         flexibleTimeWindow `wire:",required"`
	GroupName                  *string
	ScheduleExpression         string `wire:",required"`
	ScheduleExpressionTimezone *string
	State                      *string
	Target                     target `wire:",required"`
}

type flexibleTimeWindow struct {
	Mode                   string `wire:",required"`
	MaximumWindowInMinutes *int
}

type target struct {
	Arn              string `wire:",required"`
	RoleArn          string `wire:",required"`
	Input            *string
	RetryPolicy      *retryPolicy
	DeadLetterConfig *deadLetterConfig
}

type retryPolicy struct{ MaximumEventAgeInSeconds, MaximumRetryAttempts *int }

type deadLetterConfig struct{ Arn *string }

// schedule is one of a group.
type schedule struct {
	settings
	name, token       string
	created, modified time.Time
	expression        expression
	stop              context.CancelFunc // ends its goroutines; never nil
}

type scheduleIn struct {
	Name        string `at:"uri"`
	ClientToken *string
	settings
}

type scheduleOut struct{ ScheduleArn string }

func (in *scheduleIn) group() string {
	if in.GroupName == nil {
		return defaultGroup
	}
	return *in.GroupName
}

func (s *Service) arn(group, name string) string {
	return s.acct.ARN("scheduler", "schedule/"+group+"/"+name)
}

func (s *Service) createSchedule(_ context.Context, in *scheduleIn) (*scheduleOut, error) {
	sc, err := s.parse(in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.group())
	switch {
	case err != nil:
		return nil, err
	case !g.deleted.IsZero():
		return nil, conflict("Schedule group %s is being deleted.", g.name)
	case g.schedules[in.Name] != nil && again(in.ClientToken, g.schedules[in.Name].token):
		return &scheduleOut{s.arn(g.name, in.Name)}, nil
	case g.schedules[in.Name] != nil:
		return nil, conflict("Schedule %s already exists.", in.Name)
	}
	g.schedules[in.Name] = sc
	s.arm(sc, sc.created)
	return &scheduleOut{s.arn(g.name, in.Name)}, nil
}

func (s *Service) updateSchedule(_ context.Context, in *scheduleIn) (*scheduleOut, error) {
	sc, err := s.parse(in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.find(in.group(), in.Name)
	if err != nil {
		return nil, err
	}
	old.stop()
	sc.created = old.created
	s.groups[in.group()].schedules[in.Name] = sc
	s.arm(sc, sc.modified) // AWS does not document whether an update restarts a rate; here it does
	return &scheduleOut{s.arn(in.group(), in.Name)}, nil
}

// find is a schedule of a group; s.mu is held.
func (s *Service) find(group, name string) (*schedule, error) {
	g, err := s.group(group)
	if err != nil {
		return nil, err
	}
	if sc := g.schedules[name]; sc != nil {
		return sc, nil
	}
	return nil, missing("Schedule %s does not exist.", name)
}

var (
	lambdaARN = regexp.MustCompile(`^arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?$`)
	anyARN    = regexp.MustCompile(`^arn:aws(-[a-z]+)?:[a-z0-9-]+:[a-z0-9-]*:\d*:.+$`)
	roleARN   = regexp.MustCompile(`^arn:aws(-[a-z]+)?:iam::\d{12}:role/[\w+=,.@/-]+$`)
	queueARN  = regexp.MustCompile(`^arn:aws(-[a-z]+)?:sqs:[a-z0-9\-]+:\d{12}:[a-zA-Z0-9\-_]+$`)
)

// Defaults and bounds of deliveries: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
const (
	maxRetries  = 185
	minEventAge = 60     // seconds
	maxEventAge = 86_400 // seconds
)

// parse validates a request and fills in AWS's defaults.
func (s *Service) parse(in *scheduleIn) (*schedule, error) {
	if err := checkName("name", in.Name); err != nil {
		return nil, err
	}
	if err := checkName("groupName", in.group()); err != nil {
		return nil, err
	}
	now := s.acct.Clock.Now()
	sc := &schedule{settings: in.settings, name: in.Name, token: value(in.ClientToken), created: now, modified: now, stop: func() {}}
	group := in.group()
	sc.GroupName = &group
	for _, d := range []struct {
		to      **string
		member  string
		allowed []string // the first is the default
	}{{&sc.State, "state", []string{"ENABLED", "DISABLED"}}, {&sc.ActionAfterCompletion, "actionAfterCompletion", []string{"NONE", "DELETE"}}} {
		if *d.to == nil {
			*d.to = &d.allowed[0]
		} else if !slices.Contains(d.allowed, **d.to) {
			return nil, enum(d.member, **d.to, d.allowed...)
		}
	}
	if d := in.Description; d != nil && len(*d) > 512 {
		return nil, invalid("1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 512")
	}
	switch w := in.FlexibleTimeWindow; {
	case w.Mode != "OFF" && w.Mode != "FLEXIBLE":
		return nil, enum("flexibleTimeWindow.mode", w.Mode, "OFF", "FLEXIBLE")
	case w.Mode == "OFF" && w.MaximumWindowInMinutes != nil:
		return nil, invalid("MaximumWindowInMinutes must not be specified when FlexibleTimeWindow is OFF.")
	case w.Mode == "FLEXIBLE" && w.MaximumWindowInMinutes == nil:
		return nil, invalid("MaximumWindowInMinutes must be specified when FlexibleTimeWindow is FLEXIBLE.")
	case w.MaximumWindowInMinutes != nil && (*w.MaximumWindowInMinutes < 1 || *w.MaximumWindowInMinutes > 1440):
		return nil, bound("flexibleTimeWindow.maximumWindowInMinutes", *w.MaximumWindowInMinutes, 1, 1440)
	}
	if sc.ScheduleExpressionTimezone == nil {
		utc := "UTC"
		sc.ScheduleExpressionTimezone = &utc
	}
	var err error
	if sc.expression, err = parseExpression(in.ScheduleExpression, *sc.ScheduleExpressionTimezone); err != nil {
		return nil, err
	}
	if sc.expression.every > 0 {
		if d := in.StartDate; d != nil && d.Before(now.Add(-5*time.Minute)) {
			return nil, invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
		}
		if d := in.EndDate; d != nil && (!d.After(now) || in.StartDate != nil && !d.After(in.StartDate.Time)) {
			return nil, invalid("The EndDate you specify must be in the future and later than the StartDate.")
		}
	}
	return sc, s.parseTarget(&sc.Target, group)
}

func enum(member, value string, allowed ...string) error {
	return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]", value, member, strings.Join(allowed, ", "))
}

func bound(member string, value, least, most int) error {
	word, limit := "greater", least
	if value > most {
		word, limit = "less", most
	}
	return invalid("1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value %s than or equal to %d", value, member, word, limit)
}

// parseTarget does not check whether the function exists; neither does AWS.
func (s *Service) parseTarget(t *target, group string) error {
	switch {
	case !anyARN.MatchString(t.Arn):
		return invalid("Provided Arn is not in correct format.")
	case !lambdaARN.MatchString(t.Arn):
		return invalid("localaws does not serve the target %s: only Lambda functions", t.Arn)
	case !roleARN.MatchString(t.RoleArn):
		return invalid("1 validation error detected: Value '%s' at 'target.roleArn' failed to satisfy constraint: Member must satisfy regular expression pattern: ^arn:aws(-[a-z]+)?:iam::\\d{12}:role\\/[\\w+=,.@\\/-]+$", t.RoleArn)
	case t.Input != nil && !json.Valid([]byte(*t.Input)):
		// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Target.html: for Lambda it must be well-formed JSON.
		return invalid("The Input of a Lambda target must be well-formed JSON.")
	}
	if d := t.DeadLetterConfig; d != nil && d.Arn != nil && !queueARN.MatchString(*d.Arn) {
		return invalid("1 validation error detected: Value '%s' at 'target.deadLetterConfig.arn' failed to satisfy constraint: Member must satisfy regular expression pattern: ^arn:aws(-[a-z]+)?:sqs:[a-z0-9\\-]+:\\d{12}:[a-zA-Z0-9\\-_]+$", *d.Arn)
	}
	age, retries := maxEventAge, maxRetries
	p := &retryPolicy{&age, &retries}
	if t.RetryPolicy != nil {
		if n := t.RetryPolicy.MaximumEventAgeInSeconds; n != nil {
			if *n < minEventAge || *n > maxEventAge {
				return bound("target.retryPolicy.maximumEventAgeInSeconds", *n, minEventAge, maxEventAge)
			}
			p.MaximumEventAgeInSeconds = n
		}
		if n := t.RetryPolicy.MaximumRetryAttempts; n != nil {
			if *n < 0 || *n > maxRetries {
				return bound("target.retryPolicy.maximumRetryAttempts", *n, 0, maxRetries)
			}
			p.MaximumRetryAttempts = n
		}
	}
	t.RetryPolicy = p
	if !s.IAM.TrustsFor(t.RoleArn, service, s.groupARN(group)) {
		return invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")
	}
	return nil
}

// service is who assumes the roles.
const service = "scheduler.amazonaws.com"

type nameIn struct {
	Name        string  `at:"uri"`
	GroupName   *string `at:"query=groupName"`
	ClientToken *string `at:"query=clientToken"`
}

func (in *nameIn) group() string {
	if in.GroupName == nil {
		return defaultGroup
	}
	return *in.GroupName
}

type getScheduleOut struct {
	Arn, Name                          string
	CreationDate, LastModificationDate wire.Time
	settings
}

func (s *Service) getSchedule(_ context.Context, in *nameIn) (*getScheduleOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc, err := s.find(in.group(), in.Name)
	if err != nil {
		return nil, err
	}
	return &getScheduleOut{s.arn(*sc.GroupName, sc.name), sc.name, wire.Time{Time: sc.created}, wire.Time{Time: sc.modified}, sc.settings}, nil
}

func (s *Service) deleteSchedule(_ context.Context, in *nameIn) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc, err := s.find(in.group(), in.Name)
	if err != nil {
		return nil, err
	}
	s.remove(sc)
	return &struct{}{}, nil
}

// remove forgets a schedule and ends it; s.mu is held.
func (s *Service) remove(sc *schedule) {
	sc.stop()
	if g := s.groups[*sc.GroupName]; g != nil && g.schedules[sc.name] == sc {
		delete(g.schedules, sc.name)
	}
}

type scheduleSummary struct {
	Arn, GroupName, Name, State        string
	CreationDate, LastModificationDate wire.Time
	Target                             struct{ Arn string }
}

type listSchedulesOut struct {
	Schedules []scheduleSummary
	NextToken string `wire:",omitempty"`
}

func (s *Service) listSchedules(_ context.Context, in *listIn) (*listSchedulesOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.State != nil && *in.State != "ENABLED" && *in.State != "DISABLED" {
		return nil, enum("state", *in.State, "ENABLED", "DISABLED")
	}
	if in.GroupName != nil {
		if _, err := s.group(*in.GroupName); err != nil {
			return nil, err
		}
	}
	all := []scheduleSummary{}
	for _, groupName := range slices.Sorted(maps.Keys(s.groups)) {
		if in.GroupName != nil && *in.GroupName != groupName {
			continue
		}
		g := s.groups[groupName]
		for _, name := range slices.Sorted(maps.Keys(g.schedules)) {
			sc := g.schedules[name]
			if in.NamePrefix != nil && !strings.HasPrefix(name, *in.NamePrefix) || in.State != nil && *in.State != *sc.State {
				continue
			}
			item := scheduleSummary{s.arn(groupName, name), groupName, name, *sc.State, wire.Time{Time: sc.created}, wire.Time{Time: sc.modified}, struct{ Arn string }{sc.Target.Arn}}
			all = append(all, item)
		}
	}
	out, next, err := page(in, all, func(sc scheduleSummary) string { return sc.Arn })
	return &listSchedulesOut{out, next}, err
}
