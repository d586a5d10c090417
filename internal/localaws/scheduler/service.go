package scheduler

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Deps are the services that schedules need.
type Deps struct {
	IAM interface {
		TrustsFor(roleARN, service, sourceARN string) bool
		Allowed(principalARN, action, resource string, context map[string]string) bool
	}
	Lambda interface {
		InvokeAsync(functionARN string, payload []byte) error
	}
	SQS interface {
		SendWith(queueARN, body string, attributes map[string]string) error
	}
}

// Service is EventBridge Scheduler in one account and Region.
type Service struct {
	acct *account.Account
	Deps
	// Precision is how late a schedule may fire; the delay is random. AWS's is a minute.
	Precision time.Duration
	// RateScale speeds up rate() schedules by this factor, for journeys that cannot wait ten minutes. Set it before they are created.
	RateScale time.Duration
	// Settling is how long a deleted group stays DELETING.
	Settling time.Duration
	// Backoff is the pause before the first retry of a delivery; it doubles, up to five minutes. AWS does not document its own.
	Backoff time.Duration

	ctx   context.Context
	close context.CancelFunc
	wg    sync.WaitGroup // schedules and deliveries

	mu     sync.Mutex // guards what follows
	groups map[string]*group
}

type group struct {
	name, token       string
	created, modified time.Time
	deleted           time.Time // when it is gone; zero for an active one
	tags              tagset.Set
	schedules         map[string]*schedule
}

// defaultGroup exists in every account.
const defaultGroup = "default"

// New has the default group.
func New(acct *account.Account, deps Deps) *Service {
	now := acct.Clock.Now()
	s := &Service{acct: acct, Deps: deps, Backoff: time.Second, groups: map[string]*group{
		defaultGroup: {name: defaultGroup, created: now, modified: now, schedules: map[string]*schedule{}}}}
	s.ctx, s.close = context.WithCancel(context.Background())
	return s
}

// Register adds Scheduler's actions; https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Operations.html
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "scheduler", Message: "Message"},
		wire.Route("CreateScheduleGroup", "POST /schedule-groups/{Name}", 200, s.createScheduleGroup),
		wire.Route("GetScheduleGroup", "GET /schedule-groups/{Name}", 200, s.getScheduleGroup),
		wire.Route("DeleteScheduleGroup", "DELETE /schedule-groups/{Name}", 200, s.deleteScheduleGroup),

		wire.Route("CreateSchedule", "POST /schedules/{Name}", 200, s.createSchedule),
		wire.Route("GetSchedule", "GET /schedules/{Name}", 200, s.getSchedule),
		wire.Route("UpdateSchedule", "PUT /schedules/{Name}", 200, s.updateSchedule),
		wire.Route("DeleteSchedule", "DELETE /schedules/{Name}", 200, s.deleteSchedule),
		wire.Route("ListSchedules", "GET /schedules", 200, s.listSchedules),

		wire.Route("ListTagsForResource", "GET /tags/{ResourceArn}", 200, s.listTagsForResource),
		wire.Route("TagResource", "POST /tags/{ResourceArn}", 200, s.tagResource),
		wire.Route("UntagResource", "DELETE /tags/{ResourceArn}", 200, s.untagResource),
	)
}

// Close ends every schedule and delivery, and waits for them.
func (s *Service) Close() error {
	s.mu.Lock()
	s.close()
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

func invalid(format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, "ValidationException", format, args...)
}

func missing(format string, args ...any) error {
	return wire.Errorf(http.StatusNotFound, "ResourceNotFoundException", format, args...)
}

func conflict(format string, args ...any) error {
	return wire.Errorf(http.StatusConflict, "ConflictException", format, args...)
}

var nameForm = regexp.MustCompile(`^[0-9a-zA-Z-_.]{1,64}$`)

func checkName(member, name string) error {
	if nameForm.MatchString(name) {
		return nil
	}
	return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$ and have length less than or equal to 64", name, member)
}

// group finds a group, and removes it when its deletion is over; s.mu is held.
func (s *Service) group(name string) (*group, error) {
	g := s.groups[name]
	if g != nil && !g.deleted.IsZero() && !s.acct.Clock.Now().Before(g.deleted) {
		delete(s.groups, name)
		g = nil
	}
	if g == nil {
		return nil, missing("Schedule group %s does not exist.", name)
	}
	return g, nil
}

func (s *Service) groupARN(name string) string {
	return s.acct.ARN("scheduler", "schedule-group/"+name)
}

type groupIn struct {
	Name        string `at:"uri"`
	Tags        []tagset.Pair
	ClientToken *string
}

type groupOut struct{ ScheduleGroupArn string }

func (s *Service) createScheduleGroup(_ context.Context, in *groupIn) (*groupOut, error) {
	if err := checkName("name", in.Name); err != nil {
		return nil, err
	}
	tags, err := tagset.Add(rules, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, err := s.group(in.Name); err == nil {
		if again(in.ClientToken, old.token) {
			return &groupOut{s.groupARN(in.Name)}, nil
		}
		return nil, conflict("Schedule group %s already exists.", in.Name)
	}
	now := s.acct.Clock.Now()
	s.groups[in.Name] = &group{name: in.Name, token: value(in.ClientToken), created: now, modified: now, tags: tags, schedules: map[string]*schedule{}}
	return &groupOut{s.groupARN(in.Name)}, nil
}

// again reports whether a creation was carried out before: it has the same client token.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html#API_CreateSchedule_RequestSyntax
func again(token *string, before string) bool { return value(token) != "" && *token == before }

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Tag.html
var rules = tagset.Rules{Value: true, Once: true, Refuse: func(p tagset.Problem, t tagset.Tag) error {
	if p == tagset.TooMany {
		return invalid("A resource cannot have more than 50 tags.")
	}
	return invalid("Tag %q: keys are unique, have 1 to 128 characters and do not begin with aws:, values have 1 to 256", t.Key)
}}

type groupSummary struct {
	Arn, Name, State                   string
	CreationDate, LastModificationDate wire.Time
}

func (s *Service) summary(g *group) groupSummary {
	state := "ACTIVE"
	if !g.deleted.IsZero() {
		state = "DELETING"
	}
	return groupSummary{s.groupARN(g.name), g.name, state, wire.Time{Time: g.created}, wire.Time{Time: g.modified}}
}

func (s *Service) getScheduleGroup(_ context.Context, in *struct {
	Name string `at:"uri"`
}) (*groupSummary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.Name)
	if err != nil {
		return nil, err
	}
	out := s.summary(g)
	return &out, nil
}

type deleteGroupIn struct {
	Name        string  `at:"uri"`
	ClientToken *string `at:"query=clientToken"`
}

// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_DeleteScheduleGroup.html: its schedules go with it.
func (s *Service) deleteScheduleGroup(_ context.Context, in *deleteGroupIn) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.Name)
	switch {
	case err != nil:
		return nil, err
	case in.Name == defaultGroup:
		return nil, invalid("The default schedule group cannot be deleted.")
	case !g.deleted.IsZero():
		return nil, conflict("Schedule group %s is being deleted.", in.Name)
	}
	for name, sc := range g.schedules {
		sc.stop()
		delete(g.schedules, name)
	}
	g.deleted = s.acct.Clock.Now().Add(s.Settling)
	return &struct{}{}, nil
}

type listIn struct {
	GroupName  *string `at:"query=ScheduleGroup"`
	NamePrefix *string `at:"query=NamePrefix"`
	State      *string `at:"query=State"`
	MaxResults *int    `at:"query=MaxResults"`
	NextToken  string  `at:"query=NextToken"`
}

// page cuts sorted items to the requested page.
func page[T any](in *listIn, items []T, arn func(T) string) ([]T, string, error) {
	size, ok := paging.Size(in.MaxResults, 100, 1, 100)
	if !ok {
		return nil, "", invalid("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and 100", size)
	}
	items, next, ok := paging.Cut(items, arn, size, in.NextToken)
	if !ok {
		return nil, "", invalid("Invalid NextToken: %s", in.NextToken)
	}
	return items, next, nil
}

type tagsIn struct {
	ResourceArn string `at:"uri"`
	Tags        []tagset.Pair
	TagKeys     []string `at:"query=TagKeys"`
}

type tagsOut struct{ Tags []tagset.Tag }

// tagged is the group that an ARN names; s.mu is held. Only groups have tags.
func (s *Service) tagged(arn string) (*group, error) {
	name, ok := strings.CutPrefix(arn, s.groupARN(""))
	if !ok {
		return nil, invalid("1 validation error detected: Value '%s' at 'resourceArn' failed to satisfy constraint: Member must satisfy regular expression pattern: ^arn:aws(-[a-z]+)?:scheduler:[a-z0-9\\-]+:\\d{12}:schedule-group\\/[0-9a-zA-Z-_.]+$", arn)
	}
	return s.group(name)
}

func (s *Service) listTagsForResource(_ context.Context, in *struct {
	ResourceArn string `at:"uri"`
}) (*tagsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &tagsOut{tagset.List[tagset.Tag](g.tags)}, nil
}

func (s *Service) tagResource(_ context.Context, in *tagsIn) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &struct{}{}, tagset.Put(rules, &g.tags, in.Tags)
}

func (s *Service) untagResource(_ context.Context, in *tagsIn) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.tagged(in.ResourceArn)
	if err == nil {
		g.tags = rules.Remove(g.tags, in.TagKeys)
	}
	return &struct{}{}, err
}

// Tagged are the tags of all schedule groups, by ARN.
func (s *Service) Tagged() map[string]tagset.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]tagset.Set{}
	for name, one := range s.groups {
		all[s.groupARN(name)] = one.tags.Clone()
	}
	return all
}
