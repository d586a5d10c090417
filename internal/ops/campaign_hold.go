package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// hold is an object in the bucket that names the command running a campaign. It is written only if none exists, or over one whose command is dead.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
type hold struct {
	o    *opened
	key  string
	etag string
}

// holder is the command that runs a campaign.
type holder struct {
	Host    string    `json:"host"`
	Process int       `json:"process"`
	Renewed time.Time `json:"renewed"`
}

// A command renews its hold every minute, and counts as dead after five minutes without a renewal.
const (
	renewsEvery = time.Minute
	deadAfter   = 5 * time.Minute
)

// holdCampaign takes the campaign for this command. The context ends if another command takes it over; let releases it.
func holdCampaign(ctx context.Context, o *opened) (held context.Context, let func(), err error) {
	h, err := takeHold(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	held, cancel := context.WithCancelCause(ctx)
	release := h.keep(held, cancel)
	return held, func() { release(); cancel(nil) }, nil
}

func takeHold(ctx context.Context, o *opened) (*hold, error) {
	h := &hold{o: o, key: o.c.Prefix(o.base.Prefix) + "/command.json"}
	for range 3 {
		err := h.write(ctx, &s3.PutObjectInput{IfNoneMatch: aws.String("*")})
		if !lostRace(err) {
			return h, err
		}
		out, err := o.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &o.base.Bucket, Key: &h.key})
		if stack.Missing(err) {
			continue // the other command has just ended
		}
		if err != nil {
			return nil, fmt.Errorf("s3://%s/%s: %w", o.base.Bucket, h.key, err)
		}
		text, err := io.ReadAll(out.Body)
		_ = out.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("s3://%s/%s: %w", o.base.Bucket, h.key, err)
		}
		var by holder
		_ = json.Unmarshal(text, &by) // one that cannot be read counts as dead
		if !by.dead() {
			return nil, fmt.Errorf("the campaign %s is already running, in process %d on %s, which was alive %s ago. Wait for it, or end it (Ctrl-C in its terminal). Nothing was created",
				o.c.Name, by.Process, by.Host, page.Duration(time.Since(by.Renewed)))
		}
		if err := h.write(ctx, &s3.PutObjectInput{IfMatch: out.ETag}); !lostRace(err) {
			if err == nil {
				o.con.Say("the command that ran the campaign died (process %d on %s): this one continues", by.Process, by.Host)
			}
			return h, err
		}
	}
	return nil, fmt.Errorf("other commands keep taking over the campaign %s; nothing was created", o.c.Name)
}

// dead reports whether a command ended without releasing its hold. Its own host's kernel knows at once; other hosts see only that the renewals stop.
func (by holder) dead() bool {
	if time.Since(by.Renewed) > deadAfter {
		return true
	}
	host, err := os.Hostname()
	return err == nil && host == by.Host && errors.Is(syscall.Kill(by.Process, 0), syscall.ESRCH)
}

func lostRace(err error) bool {
	code := stack.Code(err)
	return code == "PreconditionFailed" || code == "ConditionalRequestConflict"
}

func (h *hold) write(ctx context.Context, in *s3.PutObjectInput) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	text, err := json.Marshal(holder{host, os.Getpid(), time.Now().UTC()})
	if err != nil {
		return err
	}
	in.Bucket, in.Key, in.Body, in.ContentType = &h.o.base.Bucket, &h.key, bytes.NewReader(text), aws.String("application/json")
	in.ServerSideEncryption, in.SSEKMSKeyId = shutdown.Encryption(h.o.base.KMSKey)
	out, err := h.o.s3.PutObject(ctx, in)
	if err != nil {
		return fmt.Errorf("s3://%s/%s: %w", h.o.base.Bucket, h.key, err)
	}
	h.etag = aws.ToString(out.ETag)
	return nil
}

// keep renews the hold until let is called, which releases it. This command ends if another one takes the hold, or if renewals fail for too long.
func (h *hold) keep(ctx context.Context, end context.CancelCauseFunc) (let func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		renewed := time.Now()
		for tick := time.NewTicker(renewsEvery); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
				switch err := h.write(ctx, &s3.PutObjectInput{IfMatch: &h.etag}); {
				case err == nil:
					renewed = time.Now()
				case lostRace(err) || stack.Missing(err) || time.Since(renewed) > deadAfter:
					end(fmt.Errorf("another command runs the campaign %s, or has taken this one for dead: %w", h.o.c.Name, err))
					tick.Stop()
					return
				}
			}
		}
	}()
	return func() {
		close(stop)
		<-done
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if out, err := h.o.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &h.o.base.Bucket, Key: &h.key}); err == nil && aws.ToString(out.ETag) == h.etag {
			_, _ = h.o.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &h.o.base.Bucket, Key: &h.key}) // if it stays, it counts as dead in five minutes
		}
	}
}
