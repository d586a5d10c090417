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

// hold is a campaign's object in the bucket that says which command carries it out: written only where there is none, or over one whose command is dead.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
type hold struct {
	o    *opened
	key  string
	etag string
}

// holder is the command that has a campaign.
type holder struct {
	Host    string    `json:"host"`
	Process int       `json:"process"`
	Renewed time.Time `json:"renewed"`
}

// A command renews its hold every minute, and is dead when it has not for five.
const (
	renewsEvery = time.Minute
	deadAfter   = 5 * time.Minute
)

// holdCampaign takes the campaign for this command. The context ends when another command takes it over; let gives it back.
func holdCampaign(ctx context.Context, o *opened) (held context.Context, let func(), err error) {
	h, err := takeHold(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	held, cancel := context.WithCancelCause(ctx)
	giveBack := h.keep(held, cancel)
	return held, func() { giveBack(); cancel(nil) }, nil
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
			continue // it has just ended
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
		_ = json.Unmarshal(text, &by) // what cannot be read is of nobody
		if !by.dead() {
			return nil, fmt.Errorf("the campaign %s is carried out already, by process %d on %s, which was alive %s ago. Wait for it, or end it (Ctrl-C in its terminal). Nothing was made",
				o.c.Name, by.Process, by.Host, page.Duration(time.Since(by.Renewed)))
		}
		if err := h.write(ctx, &s3.PutObjectInput{IfMatch: out.ETag}); !lostRace(err) {
			if err == nil {
				o.con.Say("the command that carried the campaign out is dead (process %d on %s): this one goes on", by.Process, by.Host)
			}
			return h, err
		}
	}
	return nil, fmt.Errorf("the campaign %s is taken by others again and again; nothing was made", o.c.Name)
}

// dead tells whether a command has ended without a word: the kernel of its own host knows at once, others by its silence.
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

// keep renews the hold until let is called, which gives it back. When another command has taken it, this one ends.
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
					end(fmt.Errorf("another command carries the campaign %s out, or takes this one for dead: %w", h.o.c.Name, err))
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
			_, _ = h.o.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &h.o.base.Bucket, Key: &h.key}) // one that stays is dead in five minutes
		}
	}
}
