package shutdown

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// The messages in the record's `notified`: each is sent once. A failure is `failed: STEP`.
const (
	messageEnded       = "ended"        // the run is over and exported
	messageGone        = "gone"         // nothing is billed any more
	messageCacheFailed = "cache failed" // create-failed
	messageUnfinished  = "apply failed" // the guard ended it
	messageOverdue     = "overdue"
	messageIncomplete  = "incomplete" // the exports will never be complete
)

// notify publishes what this invocation has done so far. A failed notification does not delay the run.
func (r *run) notify(ctx context.Context) error {
	var errs []error
	if r.createFailed {
		errs = append(errs, r.publishOnce(ctx, messageCacheFailed, r.noCache()))
	}
	if r.unfinished {
		errs = append(errs, r.publishOnce(ctx, messageUnfinished, fmt.Sprintf("The apply of run %s of %s did not finish: by %s there was no schedule %s, which it creates once the load is steady. "+
			"The guard ends the run now: it stops the load, exports what there is and deletes the cache.\n", r.id, r.cfg.Name, r.stopBy.Format(time.RFC3339), r.cfg.Schedules.Stop)))
	}
	if r.state.Complete {
		errs = append(errs, r.publishOnce(ctx, messageEnded, r.result()))
	}
	return errors.Join(append(errs, r.notifyFailures(ctx))...)
}

// notifyFailures publishes the failed steps that were not published before.
func (r *run) notifyFailures(ctx context.Context) error {
	var fresh []string
	for _, f := range r.failures {
		if what := "failed: " + f.step; !slices.Contains(r.state.Notified, what) && !slices.Contains(fresh, what) {
			fresh = append(fresh, what)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return r.publishAs(ctx, "failed", fmt.Sprintf("Ending run %s of %s failed:\n  %s\n%s", r.id, r.cfg.Name, strings.Join(r.problems(), "\n  "), r.advice()), fresh...)
}

// publishOnce publishes a message unless the record has it as sent.
func (r *run) publishOnce(ctx context.Context, what, text string) error {
	if slices.Contains(r.state.Notified, what) {
		return nil
	}
	return r.publishAs(ctx, what, text, what)
}

// publishAs publishes a message and records it. If SNS's answer or this invocation is lost in between, the next invocation sends it again.
func (r *run) publishAs(ctx context.Context, what, text string, notified ...string) error {
	if r.cfg.TopicARN == "" || (!r.recorded || r.unsaved) && r.sentBefore(what, notified) {
		return nil
	}
	if err := r.publish(ctx, what, text); err != nil {
		r.warn("nobody was notified: %v", err)
		return nil
	}
	for _, n := range notified {
		r.sent.Store(r.id+" "+n, true)
	}
	r.state.Notified = append(r.state.Notified, notified...)
	return r.save(ctx)
}

// sentBefore reports, when there is no record, whether a message was sent before. This process remembers what it sent, and Lambda's retries reach
// it. A later tick may run in another process, which knows only how long the run is overdue: it reports a lasting failure after 10, 20, 40, 80
// minutes and so on. So a failure is reported after at most twice the time that the run is overdue, and a day has eight messages.
func (r *run) sentBefore(what string, notified []string) bool {
	fresh := func(n string) bool { _, told := r.sent.Load(r.id + " " + n); return !told }
	if !slices.ContainsFunc(notified, fresh) {
		return true
	}
	tick := int(r.late / WatchEvery)
	return (what == "failed" || what == messageOverdue) && r.late > 0 && tick&(tick-1) != 0
}

// longest bounds a message: SNS accepts 256 KiB. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
const longest = 200_000

func (r *run) publish(ctx context.Context, what, text string) error {
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "\n... and more: see the manifest and the log of this function\n"
	}
	ctx, done := r.brief(ctx)
	defer done()
	subject := fmt.Sprintf("%s: run %s %s", r.cfg.Name, r.id, what) // ASCII, under 100 characters: a name has at most 48
	_, err := r.aws.SNS.Publish(ctx, &sns.PublishInput{TopicArn: &r.cfg.TopicARN, Subject: &subject, Message: &text})
	if err != nil {
		return fmt.Errorf("publish to %s: %w", r.cfg.TopicARN, err)
	}
	return nil
}

// cacheFailed notifies, before the run is overdue, that the cache's creation failed. Nothing is ended yet: an apply may replace the cache.
func (r *run) cacheFailed(ctx context.Context, record State, etag string) error {
	c := r.cache()
	if c == nil || !r.cfg.Cache.Delete || r.cfg.TopicARN == "" || slices.Contains(record.Notified, messageCacheFailed) {
		return nil
	}
	now, err := r.describeCache(ctx, c)
	if err != nil || now == nil || now.status != createFailed {
		return err
	}
	record.Name, record.Run = r.cfg.Name, r.id
	r.state, r.etag, r.recorded = record, etag, true
	if err := r.publishOnce(ctx, messageCacheFailed, r.noCache()); err != nil {
		r.log.Warn("the message was sent, but not recorded", "error", err)
	}
	return nil
}

// running notifies that the load runs, once the service is steady. Terraform invokes it once per run.
func (r *run) running(ctx context.Context, service *types.Service) error {
	if r.cfg.TopicARN == "" || service == nil || service.DesiredCount == 0 {
		return nil
	}
	current, err := r.current(ctx)
	if err != nil || current.Run != r.id {
		return err
	}
	stops, err := r.stopsAt(ctx)
	if err != nil {
		return err
	}
	if stops.IsZero() { // Terraform creates the schedule at the same time
		stops = r.clock.Now().UTC().Add(time.Duration(r.cfg.Minutes) * time.Minute)
	}
	return r.publish(ctx, "runs", r.runningMessage(service, stops, current.StopBy))
}
