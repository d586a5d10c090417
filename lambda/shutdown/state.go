package shutdown

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// State is the run's record between invocations. Later attempts keep what an earlier one found: the window and the membership fix the bytes of
// the exports.
type State struct {
	Name          string             `json:"name"`
	Run           string             `json:"run"`
	Begun         time.Time          `json:"begun"`
	Attempts      int                `json:"attempts"`
	Holder        string             `json:"holder,omitempty"`  // the request that holds the run
	Attempt       string             `json:"attempt,omitempty"` // the invocation that wrote this: Lambda can deliver a request twice
	HeldUntil     time.Time          `json:"held_until,omitzero"`
	LoadStopped   bool               `json:"load_stopped"`     // Window is known, or no load ever ran
	Window        *export.Window     `json:"window,omitempty"` // absent: no load ever ran
	LoadStart     *time.Time         `json:"load_start,omitempty"`
	PeriodSeconds int                `json:"period_seconds,omitempty"`
	Tasks         []export.Task      `json:"tasks,omitempty"`
	Membership    *export.Membership `json:"membership,omitempty"`
	DeletionAsked *time.Time         `json:"deletion_asked,omitempty"` // if set, this run's stop removed the cache, not an apply that recreates it
	Metrics       *export.Metrics    `json:"metrics,omitempty"`
	Logs          *export.Logs       `json:"logs,omitempty"`
	Objects       []export.Object    `json:"objects,omitempty"`
	Outgrown      bool               `json:"outgrown,omitempty"` // the objects cover a shorter window
	Progress      *Progress          `json:"progress,omitempty"` // the only open upload
	Complete      bool               `json:"complete"`           // of the manifest
	Notified      []string           `json:"notified,omitempty"`
	Warnings      []string           `json:"warnings,omitempty"`
}

// Progress is an export that the next invocation continues.
type Progress struct {
	export.Progress
	ToolVersion string          `json:"tool_version"`     // another version may read positions differently, and starts again
	Series      []export.Series `json:"series,omitempty"` // of the metrics, besides the catalog's
}

var (
	errHeld  = errors.New("another invocation is working on this run")
	errTaken = errors.New("another invocation took this run over")

	errReplaced = errors.New("the stack has another run by now, whose guard does the rest")
)

// store keeps a run's small JSON objects. Writes are conditional on the version that was read.
type store struct {
	s3            S3
	bucket, owner string
}

// get reads an object of this run; text is nil when there is none. It retries a truncated body, because the SDK does not.
func (s store) get(ctx context.Context, key string) (text []byte, etag string, err error) {
	for range 3 {
		if text, etag, err = s.read(ctx, key); !errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
	}
	return text, etag, err
}

func (s store) read(ctx context.Context, key string) (text []byte, etag string, err error) {
	out, err := s.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	if notFound(err) {
		return nil, "", nil
	}
	if denied(err) {
		return nil, "", fmt.Errorf("read s3://%s/%s: allow s3:GetObject on the object, and s3:ListBucket on the bucket (without it a missing object reads as denied): %w", s.bucket, key, err)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read s3://%s/%s: %w", s.bucket, key, err)
	}
	text, err = io.ReadAll(out.Body)
	_ = out.Body.Close() // only read
	if err != nil {
		return nil, "", fmt.Errorf("read s3://%s/%s: %w", s.bucket, key, err)
	}
	return text, aws.ToString(out.ETag), s.owns(key, out.Metadata)
}

// size returns the size in bytes of an object of this run, -1 when there is none.
func (s store) size(ctx context.Context, key string) (int64, error) {
	out, err := s.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if notFound(err) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("look at s3://%s/%s: %w", s.bucket, key, err)
	}
	return aws.ToInt64(out.ContentLength), s.owns(key, out.Metadata)
}

func (s store) owns(key string, metadata map[string]string) error {
	if owner := metadata[export.Metadata]; owner != s.owner {
		return &export.ForeignError{Bucket: s.bucket, Key: key, Owner: owner, Want: s.owner}
	}
	return nil
}

// put replaces the version etag of an object, or writes a new object when etag is empty. errTaken: the object has another version, and mine does
// not recognize it. https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (s store) put(ctx context.Context, key string, value any, etag string, mine func(there []byte) bool) (string, error) {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return "", err
	}
	text = append(text, '\n')
	for attempt := 1; ; attempt++ {
		in := &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(text), ContentType: aws.String("application/json"),
			Metadata: map[string]string{export.Metadata: s.owner}}
		if etag == "" {
			in.IfNoneMatch = aws.String("*")
		} else {
			in.IfMatch = &etag
		}
		out, err := s.s3.PutObject(ctx, in)
		if err == nil {
			return aws.ToString(out.ETag), nil
		}
		failed := fmt.Errorf("write s3://%s/%s: %w", s.bucket, key, err)
		if denied(err) {
			return "", failed
		}
		// If only the answer was lost, the write took effect: the object shows it.
		there, now, err := s.get(ctx, key)
		code := errorCode(failed)
		switch {
		case err == nil && bytes.Equal(there, text):
			return now, nil
		case code != "PreconditionFailed" && code != "ConditionalRequestConflict":
			return "", failed
		case err != nil:
			return "", err
		case attempt == 4, now != etag && !mine(there):
			return "", fmt.Errorf("write s3://%s/%s: %w", s.bucket, key, errTaken)
		}
		etag = now // either nothing changed, or our previous write took effect although its answer was lost
	}
}

// onlyAsRead makes put accept no other version than the one that was read.
func onlyAsRead([]byte) bool { return false }

// record reads the run's record, zero when there is none. If it has no attempts, no stop has started: the preflight wrote it, and messages were added.
func (r *run) record(ctx context.Context) (state State, etag string, err error) {
	ctx, done := r.brief(ctx)
	defer done()
	text, etag, err := r.store.get(ctx, r.cfg.StateKey(r.id))
	if err != nil || text == nil {
		return state, etag, err
	}
	if err := json.Unmarshal(text, &state); err != nil {
		return state, etag, fmt.Errorf("read s3://%s/%s: %w: it is not a record; remove it: the run is then exported from what CloudWatch has", r.cfg.Bucket, r.cfg.StateKey(r.id), err)
	}
	return state, etag, nil
}

// take reads the record and holds the run until this invocation's deadline. Without a deadline each write of the record renews the hold.
func (r *run) take(ctx context.Context) error {
	state, etag, err := r.record(ctx)
	if err != nil {
		r.unread = !errors.As(err, new(*export.ForeignError))
		return err
	}
	now := r.clock.Now()
	if state.Attempts == 0 {
		state.Name, state.Run, state.Begun = r.cfg.Name, r.id, now
	}
	r.state, r.etag = state, etag
	if state.Holder != "" && state.Holder != r.holder && now.Before(state.HeldUntil) {
		return fmt.Errorf("%w until %s", errHeld, state.HeldUntil.Format(time.RFC3339))
	}
	r.state.Attempts++
	r.state.Holder, r.state.Attempt, r.recorded = r.holder, rand.Text(), true
	if err := r.save(ctx); err != nil {
		// After any other failure the write may have taken effect; the next write finds out.
		r.recorded = !denied(err) && !errors.Is(err, errTaken)
		return err
	}
	return nil
}

// hold is how long a holder without a deadline holds the run after each write of the record: Lambda's longest invocation.
const hold = 15 * time.Minute

// turn is a lock that is held during a call. It is a channel because synctest does not count a wait for a sync.Mutex as idle.
type turn chan struct{}

func (t turn) take() { t <- struct{}{} }
func (t turn) give() { <-t }

// save writes the record, unless it could not be taken.
func (r *run) save(ctx context.Context) error {
	r.turn.take()
	defer r.turn.give()
	if !r.recorded {
		return nil
	}
	if r.state.Holder != "" {
		r.state.HeldUntil = r.clock.Now().Add(hold)
		if !r.ends.IsZero() {
			r.state.HeldUntil = r.ends
		}
	}
	ctx, done := r.brief(ctx)
	defer done()
	etag, err := r.store.put(ctx, r.cfg.StateKey(r.id), r.state, r.etag, r.mine)
	if r.unsaved = err != nil; err != nil {
		return err
	}
	r.etag, r.saved = etag, r.clock.Now()
	return nil
}

// mine reports whether this invocation wrote the record.
func (r *run) mine(record []byte) bool {
	var there State
	return json.Unmarshal(record, &there) == nil && there.Attempt == r.state.Attempt
}

// release lets the next invocation start at once. If it fails, the hold expires.
func (r *run) release(ctx context.Context) {
	r.state.Holder, r.state.HeldUntil = "", time.Time{}
	ctx, done := r.limit(context.WithoutCancel(ctx), 10*time.Second)
	defer done()
	if err := r.save(ctx); err != nil {
		r.log.Warn("the record keeps its holder", "error", err)
	}
}
