package scheduler_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/apimodel"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/scheduler"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

type fixture struct {
	*sdk.Client
	service *scheduler.Service
	clock   *wiretest.Clock
	events  chan string // what the function and the queue got

	mu     sync.Mutex
	denied []string
	broken error
	letter map[string]string // attributes of the last dead letter
}

func (w *fixture) TrustsFor(role, service, source string) bool {
	return role == "arn:aws:iam::123456789012:role/s" && service == "scheduler.amazonaws.com" && strings.HasPrefix(source, "arn:aws:scheduler:us-east-1:123456789012:schedule-group/")
}

func (w *fixture) Allowed(_, action, _ string, _ map[string]string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !slices.Contains(w.denied, action)
}

func (w *fixture) InvokeAsync(_ string, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		w.events <- string(payload)
	}
	return w.broken
}

func (w *fixture) SendWith(queue, body string, attributes map[string]string) error {
	w.mu.Lock()
	w.letter = attributes
	w.mu.Unlock()
	w.events <- queue + " " + body
	return nil
}

func start(t *testing.T) *fixture {
	w := &fixture{clock: wiretest.NewClock(), events: make(chan string, 100)}
	w.clock.Move(8*time.Minute + 9*time.Second) // 2026-11-23T03:08:09Z
	acct := wiretest.Account(t)
	acct.Clock = w.clock
	w.service = scheduler.New(acct, scheduler.Deps{IAM: w, Lambda: w, SQS: w})
	t.Cleanup(func() { require.NoError(t, w.service.Close()) })
	r := wire.NewRegistry()
	r.Record = record(t)
	w.service.Register(r)
	w.Client = sdk.NewFromConfig(wiretest.Config(t, r))
	_, err := w.CreateScheduleGroup(t.Context(), &sdk.CreateScheduleGroupInput{Name: aws.String("perf"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}})
	require.NoError(t, err)
	return w
}

const function = "arn:aws:lambda:us-east-1:123456789012:function:fn"

func (w *fixture) create(t *testing.T, name, expression string, change func(*sdk.CreateScheduleInput)) error {
	t.Helper()
	in := &sdk.CreateScheduleInput{Name: &name, GroupName: aws.String("perf"), ScheduleExpression: &expression, FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target: &types.Target{Arn: aws.String(function), RoleArn: aws.String("arn:aws:iam::123456789012:role/s"), Input: aws.String(`{"action":"watch"}`)}}
	if change != nil {
		change(in)
	}
	_, err := w.CreateSchedule(t.Context(), in)
	return err
}

func (w *fixture) event(t *testing.T) string {
	t.Helper()
	var e string
	wiretest.Until(t, "something is delivered", func() (any, bool) {
		select {
		case e = <-w.events:
			return e, true
		default:
			return w.clock.Sleeping(), false
		}
	})
	return e
}

// quiet waits until all that goes on are these sleeps: nothing was delivered before.
func (w *fixture) quiet(t *testing.T, sleeps ...time.Duration) {
	t.Helper()
	wiretest.Until(t, fmt.Sprintf("nobody does anything but to sleep for %v", sleeps), func() (any, bool) {
		now := w.clock.Sleeping()
		return now, slices.Equal(now, sleeps)
	})
	require.Empty(t, w.events)
}

var models = sync.OnceValues(apimodel.Load)

// record holds every exchange against AWS's own model.
func record(t *testing.T) func(wire.Exchange) {
	m, err := models()
	require.NoError(t, err)
	return func(x wire.Exchange) {
		if x.Action == "UntagResource" { // the check does not read lists in a query
			return
		}
		if p := m.Check(x); len(p) > 0 {
			t.Errorf("%s %s: %q\n%s\n%s", x.Service, x.Action, p, x.RequestBody, x.ResponseBody)
		}
	}
}

func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode() + ": " + e.ErrorMessage()
	}
	return fmt.Sprint(err)
}

func TestRate(t *testing.T) {
	w := start(t)
	require.NoError(t, w.create(t, "watch", "rate(10 minutes)", nil))
	require.Equal(t, `{"action":"watch"}`, w.event(t), "fires at once without a StartDate")
	for range 3 {
		w.clock.Next(t, 10*time.Minute)
		w.event(t)
	}
	// After the machine slept for an hour: once, and on at the old beat.
	w.quiet(t, 10*time.Minute)
	w.clock.Move(64 * time.Minute)
	w.event(t)
	w.clock.Next(t, 6*time.Minute)
	w.event(t)
	_, err := w.DeleteSchedule(t.Context(), &sdk.DeleteScheduleInput{Name: aws.String("watch"), GroupName: aws.String("perf")})
	require.NoError(t, err)
	w.quiet(t)
}

func TestRateWithDates(t *testing.T) {
	w := start(t)
	now := w.clock.Now()
	require.Equal(t, "ValidationException: The StartDate you specify cannot be earlier than 5 minutes ago.",
		code(w.create(t, "r", "rate(1 hour)", func(in *sdk.CreateScheduleInput) { in.StartDate = aws.Time(now.Add(-6 * time.Minute)) })))
	require.Contains(t, code(w.create(t, "r", "rate(1 hour)", func(in *sdk.CreateScheduleInput) { in.EndDate = aws.Time(now) })), "ValidationException: The EndDate")
	require.NoError(t, w.create(t, "r", "rate(1 hour)", func(in *sdk.CreateScheduleInput) {
		in.StartDate, in.EndDate = aws.Time(now.Add(time.Minute)), aws.Time(now.Add(62*time.Minute))
		in.ActionAfterCompletion = types.ActionAfterCompletionDelete
		in.Target.Input = aws.String(`{"at":"<aws.scheduler.scheduled-time>","arn":"<aws.scheduler.schedule-arn>","try":"<aws.scheduler.attempt-number>"}`)
	}))
	w.quiet(t, time.Minute)
	w.clock.Next(t, time.Minute)
	require.Equal(t, `{"at":"2026-11-23T03:09:09Z","arn":"arn:aws:scheduler:us-east-1:123456789012:schedule/perf/r","try":"1"}`, w.event(t))
	w.clock.Next(t, time.Hour)
	require.Contains(t, w.event(t), "04:09:09Z")
	wiretest.Until(t, "it is deleted after its completion", func() (any, bool) {
		_, err := w.GetSchedule(t.Context(), &sdk.GetScheduleInput{Name: aws.String("r"), GroupName: aws.String("perf")})
		return err, code(err) == "ResourceNotFoundException: Schedule r does not exist."
	})
}

func TestAt(t *testing.T) {
	w := start(t)
	require.NoError(t, w.create(t, "stop", "at(2026-11-23T05:08:09)", func(in *sdk.CreateScheduleInput) {
		in.ScheduleExpressionTimezone = aws.String("Europe/Berlin")
		in.Target.Input = nil
	}))
	w.clock.Next(t, time.Hour)
	require.Regexp(t, `^{"version":"0","id":"[^"]+","detail-type":"Scheduled Event","source":"aws.scheduler","account":"123456789012","time":"2026-11-23T04:08:09Z","region":"us-east-1","resources":\["arn:aws:scheduler:us-east-1:123456789012:schedule/perf/stop"\],"detail":"{}"}$`, w.event(t))
	got, err := w.GetSchedule(t.Context(), &sdk.GetScheduleInput{Name: aws.String("stop"), GroupName: aws.String("perf")})
	require.NoError(t, err)
	require.Equal(t, types.ActionAfterCompletionNone, got.ActionAfterCompletion)
	require.Equal(t, types.ScheduleStateEnabled, got.State)
	require.Equal(t, int32(185), *got.Target.RetryPolicy.MaximumRetryAttempts)
	require.Equal(t, int32(86400), *got.Target.RetryPolicy.MaximumEventAgeInSeconds)

	// A time that has passed fires at once.
	require.NoError(t, w.create(t, "past", "at(2026-11-23T00:00:00)", func(in *sdk.CreateScheduleInput) { in.ActionAfterCompletion = types.ActionAfterCompletionDelete }))
	w.event(t)
	wiretest.Until(t, "only stop is left", func() (any, bool) {
		list, err := w.ListSchedules(t.Context(), &sdk.ListSchedulesInput{GroupName: aws.String("perf")})
		require.NoError(t, err)
		return len(list.Schedules), len(list.Schedules) == 1 && *list.Schedules[0].Name == "stop"
	})

	// Disabled it does not fire; an update arms it again.
	require.NoError(t, w.create(t, "off", "at(2026-11-23T00:00:00)", func(in *sdk.CreateScheduleInput) { in.State = types.ScheduleStateDisabled }))
	w.quiet(t)
	_, err = w.UpdateSchedule(t.Context(), &sdk.UpdateScheduleInput{Name: aws.String("off"), GroupName: aws.String("perf"), ScheduleExpression: aws.String("at(2026-11-23T04:09:09)"),
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeFlexible, MaximumWindowInMinutes: aws.Int32(5)}, Target: got.Target})
	require.NoError(t, err)
	w.clock.Next(t, time.Minute)
	require.Contains(t, w.event(t), `"time":"2026-11-23T04:09:09Z"`)
}

// AWS fires within the minute; the switch for it makes that so here.
func TestPrecision(t *testing.T) {
	w := start(t)
	w.service.Precision = time.Minute
	require.NoError(t, w.create(t, "stop", "at(2026-11-23T04:08:09)", nil))
	var slept time.Duration
	wiretest.Until(t, "the schedule sleeps", func() (any, bool) {
		all := w.clock.Sleeping()
		if len(all) == 1 {
			slept = all[0]
		}
		return all, len(all) == 1
	})
	require.Empty(t, w.events)
	require.GreaterOrEqual(t, slept, time.Hour)
	require.Less(t, slept, time.Hour+time.Minute)
}

func TestRetriesAndDeadLetters(t *testing.T) {
	w := start(t)
	w.broken = errors.New("no such function")
	queue := "arn:aws:sqs:us-east-1:123456789012:dlq"
	policy := func(in *sdk.CreateScheduleInput) {
		in.Target.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(2), MaximumEventAgeInSeconds: aws.Int32(60)}
		in.Target.DeadLetterConfig = &types.DeadLetterConfig{Arn: &queue}
	}
	require.NoError(t, w.create(t, "stop", "at(2026-11-23T03:08:09)", policy))
	w.clock.Next(t, time.Second)
	w.clock.Next(t, 2*time.Second)
	require.Equal(t, queue+` {"action":"watch"}`, w.event(t))
	letter := func() map[string]string { w.mu.Lock(); defer w.mu.Unlock(); return w.letter }
	require.Len(t, letter()["EXECUTION_ID"], 16)
	require.Equal(t, map[string]string{"ERROR_CODE": "InternalFailure", "ERROR_MESSAGE": "no such function", "EXECUTION_ID": letter()["EXECUTION_ID"],
		"EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts", "IS_PAYLOAD_TRUNCATED": "false", "RETRY_ATTEMPTS": "2", "SCHEDULED_TIME": "2026-11-23T03:08:09Z",
		"SCHEDULE_ARN": "arn:aws:scheduler:us-east-1:123456789012:schedule/perf/stop", "TARGET_ARN": function}, letter())

	// It works at the second try.
	require.NoError(t, w.create(t, "again", "at(2026-11-23T03:08:09)", policy))
	w.quiet(t, time.Second)
	w.mu.Lock()
	w.broken = nil
	w.mu.Unlock()
	w.clock.Next(t, time.Second)
	require.Equal(t, `{"action":"watch"}`, w.event(t))

	// A role that may not invoke, and an event that grows too old for a third try.
	w.mu.Lock()
	w.denied = []string{"lambda:InvokeFunction"}
	w.mu.Unlock()
	w.service.Backoff = 40 * time.Second
	require.NoError(t, w.create(t, "denied", "at(2026-11-23T03:08:09)", policy))
	w.clock.Next(t, 40*time.Second)
	require.Equal(t, queue+` {"action":"watch"}`, w.event(t))
	require.Equal(t, "MaximumEventAgeInSeconds", letter()["EXHAUSTED_RETRY_CONDITION"])
	require.Equal(t, "AccessDeniedException", letter()["ERROR_CODE"])
}

func TestGroups(t *testing.T) {
	w := start(t)
	arn := "arn:aws:scheduler:us-east-1:123456789012:schedule-group/perf"
	got, err := w.GetScheduleGroup(t.Context(), &sdk.GetScheduleGroupInput{Name: aws.String("perf")})
	require.NoError(t, err)
	require.Equal(t, arn, *got.Arn)
	require.Equal(t, types.ScheduleGroupStateActive, got.State)
	_, err = w.CreateScheduleGroup(t.Context(), &sdk.CreateScheduleGroupInput{Name: aws.String("perf")})
	require.Equal(t, "ConflictException: Schedule group perf already exists.", code(err))
	_, err = w.CreateScheduleGroup(t.Context(), &sdk.CreateScheduleGroupInput{Name: aws.String("a b")})
	require.Contains(t, code(err), "ValidationException")
	_, err = w.TagResource(t.Context(), &sdk.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}, {Key: aws.String("a"), Value: aws.String("3")}}})
	require.NoError(t, err)
	_, err = w.UntagResource(t.Context(), &sdk.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"b"}})
	require.NoError(t, err)
	tags, err := w.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceArn: &arn})
	require.NoError(t, err)
	require.Equal(t, []types.Tag{{Key: aws.String("a"), Value: aws.String("3")}}, tags.Tags)
	_, err = w.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceArn: aws.String("arn:aws:scheduler:us-east-1:123456789012:schedule/perf/x")})
	require.Contains(t, code(err), "ValidationException")

	// Its schedules go with it, and it is DELETING for a while.
	require.NoError(t, w.create(t, "stop", "at(2026-11-23T04:08:09)", nil))
	w.service.Settling = time.Minute
	_, err = w.DeleteScheduleGroup(t.Context(), &sdk.DeleteScheduleGroupInput{Name: aws.String("perf")})
	require.NoError(t, err)
	got, err = w.GetScheduleGroup(t.Context(), &sdk.GetScheduleGroupInput{Name: aws.String("perf")})
	require.NoError(t, err)
	require.Equal(t, types.ScheduleGroupStateDeleting, got.State)
	_, err = w.GetSchedule(t.Context(), &sdk.GetScheduleInput{Name: aws.String("stop"), GroupName: aws.String("perf")})
	require.Contains(t, code(err), "ResourceNotFoundException")
	require.Contains(t, code(w.create(t, "x", "rate(1 day)", nil)), "ConflictException")
	w.clock.Move(time.Minute)
	_, err = w.GetScheduleGroup(t.Context(), &sdk.GetScheduleGroupInput{Name: aws.String("perf")})
	require.Equal(t, "ResourceNotFoundException: Schedule group perf does not exist.", code(err))
	_, err = w.DeleteScheduleGroup(t.Context(), &sdk.DeleteScheduleGroupInput{Name: aws.String("default")})
	require.Contains(t, code(err), "ValidationException")
}

func TestScheduleIsStrict(t *testing.T) {
	w := start(t)
	for expression, ok := range map[string]bool{"rate(1 minute)": true, "rate(5 hours)": true, "rate(7 days)": true, "at(2027-01-31T23:59:59)": true,
		"rate(0 minutes)": false, "rate(1 week)": false, "rate(1.5 hours)": false, "at(2027-02-30T00:00:00)": false, "at(2027-01-01T00:00:00Z)": false, "at(2027-01-01T00:00:00.5)": false,
		"at(2027-01-01 00:00:00)": false, "cron(0 12 * * ? *)": false, "": false} {
		err := w.create(t, "e", expression, func(in *sdk.CreateScheduleInput) { in.State = types.ScheduleStateDisabled })
		if ok {
			require.NoError(t, err, expression)
			_, err = w.DeleteSchedule(t.Context(), &sdk.DeleteScheduleInput{Name: aws.String("e"), GroupName: aws.String("perf")})
			require.NoError(t, err)
			continue
		}
		require.Contains(t, code(err), "ValidationException", expression)
	}
	for want, change := range map[string]func(*sdk.CreateScheduleInput){
		"The execution role you provide must allow AWS EventBridge Scheduler to assume the role.": func(in *sdk.CreateScheduleInput) {
			in.Target.RoleArn = aws.String("arn:aws:iam::123456789012:role/other")
		},
		"Provided Arn is not in correct format.": func(in *sdk.CreateScheduleInput) { in.Target.Arn = aws.String("fn") },
		"only Lambda functions":                  func(in *sdk.CreateScheduleInput) { in.Target.Arn = aws.String("arn:aws:sqs:us-east-1:123456789012:q") },
		"well-formed JSON":                       func(in *sdk.CreateScheduleInput) { in.Target.Input = aws.String("{") },
		"Value '186' at 'target.retryPolicy.maximumRetry": func(in *sdk.CreateScheduleInput) {
			in.Target.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(186)}
		},
		"Value '59' at 'target.retryPolicy.maximumEvent": func(in *sdk.CreateScheduleInput) {
			in.Target.RetryPolicy = &types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(59)}
		},
		"at 'target.deadLetterConfig.arn'": func(in *sdk.CreateScheduleInput) {
			in.Target.DeadLetterConfig = &types.DeadLetterConfig{Arn: aws.String("q")}
		},
		"Invalid Schedule Expression Timezone Mars/Olympus.": func(in *sdk.CreateScheduleInput) { in.ScheduleExpressionTimezone = aws.String("Mars/Olympus") },
		"MaximumWindowInMinutes must be specified": func(in *sdk.CreateScheduleInput) {
			in.FlexibleTimeWindow = &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeFlexible}
		},
		"Value 'a b' at 'name'":                  func(in *sdk.CreateScheduleInput) { in.Name = aws.String("a b") },
		"Schedule group nothing does not exist.": func(in *sdk.CreateScheduleInput) { in.GroupName = aws.String("nothing") },
	} {
		require.Contains(t, code(w.create(t, "e", "at(2027-01-01T00:00:00)", change)), want)
	}
	require.NoError(t, w.create(t, "e", "at(2027-01-01T00:00:00)", nil))
	require.Equal(t, "ConflictException: Schedule e already exists.", code(w.create(t, "e", "at(2027-01-01T00:00:00)", nil)))
	for range 2 { // the same request sent again
		require.NoError(t, w.create(t, "f", "at(2027-01-01T00:00:00)", func(in *sdk.CreateScheduleInput) { in.ClientToken = aws.String("token") }))
		_, err := w.CreateScheduleGroup(t.Context(), &sdk.CreateScheduleGroupInput{Name: aws.String("again"), ClientToken: aws.String("token")})
		require.NoError(t, err)
	}
	_, err := w.DeleteSchedule(t.Context(), &sdk.DeleteScheduleInput{Name: aws.String("other"), GroupName: aws.String("perf")})
	require.Equal(t, "ResourceNotFoundException: Schedule other does not exist.", code(err))
}
