package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // AWS knows every time zone; this machine may not

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// expression is a parsed schedule expression: one time, or a rate.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
type expression struct {
	at    time.Time
	every time.Duration
}

var (
	atForm   = regexp.MustCompile(`^at\((\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\)$`)
	rateForm = regexp.MustCompile(`^rate\(([1-9]\d{0,8}) (minute|hour|day)s?\)$`)
	units    = map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
)

func parseExpression(text, zone string) (expression, error) {
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" {
		return expression{}, invalid("Invalid Schedule Expression Timezone %s.", zone)
	}
	if strings.HasPrefix(text, "cron(") {
		return expression{}, invalid("localaws does not serve %s: only at() and rate()", text)
	}
	if m := atForm.FindStringSubmatch(text); m != nil {
		if at, err := time.ParseInLocation("2006-01-02T15:04:05", m[1], location); err == nil {
			return expression{at: at}, nil
		}
	}
	if m := rateForm.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		if every := time.Duration(n) * units[m[2]]; err == nil && every/units[m[2]] == time.Duration(n) {
			return expression{every: every}, nil
		}
	}
	return expression{}, invalid("Invalid Schedule Expression %s.", text)
}

// next is the first time after last (zero: none yet) at which a schedule that was armed at start fires; false if there is none.
func (e expression) next(start, last time.Time, end *time.Time) (time.Time, bool) {
	switch {
	case e.every == 0:
		return e.at, last.IsZero()
	case !last.IsZero():
		start = last.Add(e.every)
	}
	return start, end == nil || !start.After(*end)
}

// arm starts a schedule; s.mu is held.
func (s *Service) arm(sc *schedule, start time.Time) {
	if *sc.State != "ENABLED" || s.ctx.Err() != nil {
		return
	}
	if sc.StartDate != nil && sc.StartDate.After(start) {
		start = sc.StartDate.Time
	}
	var end *time.Time
	if sc.EndDate != nil {
		end = &sc.EndDate.Time
	}
	ctx, stop := context.WithCancel(s.ctx)
	sc.stop = stop
	e := sc.expression
	if s.RateScale > 1 {
		e.every /= s.RateScale
	}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		var last time.Time
		for {
			due, more := e.next(start, last, end)
			if !more {
				break
			}
			when := due
			if s.Precision > 0 {
				when = due.Add(rand.N(s.Precision))
			}
			if s.acct.Clock.Sleep(ctx, max(0, when.Sub(s.acct.Clock.Now()))) != nil {
				return
			}
			if late := s.acct.Clock.Now().Sub(due); e.every > 0 { // what passed while the machine slept is one
				due = due.Add(late.Truncate(e.every))
			}
			last = due
			if e.every == 0 { // its completion waits for its delivery
				s.deliver(ctx, sc, due)
				continue
			}
			s.wg.Add(1)
			go func() {
				defer s.wg.Done()
				s.deliver(ctx, sc, due)
			}()
		}
		// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-delete.html: otherwise it stays, completed
		if ctx.Err() == nil && *sc.ActionAfterCompletion == "DELETE" {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.remove(sc)
		}
	}()
}

// longestBackoff between two attempts of a delivery.
const longestBackoff = 5 * time.Minute

// deliver invokes the target until it accepts the event, or the retry policy is exhausted. Then the event goes to
// the dead-letter queue. Lambda accepts an event into its own queue, so the function's errors are not seen here.
func (s *Service) deliver(ctx context.Context, sc *schedule, due time.Time) {
	t := sc.Target
	arn := s.arn(*sc.GroupName, sc.name)
	began, backoff := s.acct.Clock.Now(), s.Backoff
	var payload []byte
	var err error
	var execution, exhausted string
	attempt := 1
	for ; ; attempt++ {
		execution = account.NewID(16)
		payload = s.input(sc, arn, due, execution, attempt)
		if err = s.invoke(sc, payload); err == nil {
			return
		}
		s.acct.Log.Warn("schedule could not invoke its target", "schedule", arn, "attempt", attempt, "error", err)
		age := s.acct.Clock.Now().Add(backoff).Sub(began)
		if attempt > *t.RetryPolicy.MaximumRetryAttempts {
			exhausted = "MaximumRetryAttempts"
			break
		}
		if age > time.Duration(*t.RetryPolicy.MaximumEventAgeInSeconds)*time.Second {
			exhausted = "MaximumEventAgeInSeconds"
			break
		}
		if s.acct.Clock.Sleep(ctx, backoff) != nil {
			return
		}
		backoff = min(2*backoff, longestBackoff)
	}
	if t.DeadLetterConfig == nil || t.DeadLetterConfig.Arn == nil {
		return
	}
	code, message := "InternalFailure", err.Error()
	if e := (*wire.Error)(nil); errors.As(err, &e) {
		code, message = e.Code, e.Message
	}
	// https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html#configuring-schedule-dlq-dead-letter-event
	attributes := map[string]string{"ERROR_CODE": code, "ERROR_MESSAGE": message, "EXECUTION_ID": execution, "EXHAUSTED_RETRY_CONDITION": exhausted,
		"IS_PAYLOAD_TRUNCATED": "false", "RETRY_ATTEMPTS": strconv.Itoa(attempt - 1), "SCHEDULED_TIME": stamp(due), "SCHEDULE_ARN": arn, "TARGET_ARN": t.Arn}
	queue := *t.DeadLetterConfig.Arn
	if !s.IAM.Allowed(t.RoleArn, "sqs:SendMessage", queue, nil) {
		s.acct.Log.Warn("schedule's role may not send to its dead-letter queue", "schedule", arn, "queue", queue)
	} else if err := s.SQS.SendWith(queue, string(payload), attributes); err != nil {
		s.acct.Log.Warn("schedule's dead-letter queue", "schedule", arn, "queue", queue, "error", err)
	}
}

// invoke calls the target as the schedule's role.
func (s *Service) invoke(sc *schedule, payload []byte) error {
	t := sc.Target
	if !s.IAM.TrustsFor(t.RoleArn, service, s.groupARN(*sc.GroupName)) || !s.IAM.Allowed(t.RoleArn, "lambda:InvokeFunction", t.Arn, nil) {
		return wire.Errorf(http.StatusForbidden, "AccessDeniedException", "role %s is not allowed lambda:InvokeFunction on %s", t.RoleArn, t.Arn)
	}
	return s.Lambda.InvokeAsync(t.Arn, payload)
}

// input is the target's input with context attributes filled in; without an input it is a notification.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
func (s *Service) input(sc *schedule, arn string, due time.Time, execution string, attempt int) []byte {
	at := stamp(due)
	if sc.Target.Input == nil {
		b, _ := json.Marshal(struct { // strings always encode
			Version    string   `json:"version"`
			ID         string   `json:"id"`
			DetailType string   `json:"detail-type"`
			Source     string   `json:"source"`
			Account    string   `json:"account"`
			Time       string   `json:"time"`
			Region     string   `json:"region"`
			Resources  []string `json:"resources"`
			Detail     string   `json:"detail"`
		}{"0", account.NewID(32), "Scheduled Event", "aws.scheduler", s.acct.ID, at, s.acct.Region, []string{arn}, "{}"})
		return b
	}
	return []byte(strings.NewReplacer("<aws.scheduler.schedule-arn>", arn, "<aws.scheduler.scheduled-time>", at,
		"<aws.scheduler.execution-id>", execution, "<aws.scheduler.attempt-number>", strconv.Itoa(attempt)).Replace(*sc.Target.Input))
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
