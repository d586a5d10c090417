package ecs

import (
	"bytes"
	"errors"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
)

// eventBytes is the awslogs driver's largest event: 262,144 with 26 of overhead.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html, as it was when Docker's
// driver was written: https://github.com/moby/moby/blob/master/daemon/logger/awslogs/cloudwatchlogs.go
const eventBytes = 262144 - 26

// driver delivers one output stream of a container to CloudWatch Logs.
type driver struct {
	put  func(...logs.Event) error
	now  func() time.Time
	lost func(error)
	part []byte
}

func (s *Service) driver(t *task, c *running) *driver {
	d := &driver{now: s.now, put: func(...logs.Event) error { return nil }} // no log configuration: nowhere
	if l := c.LogConfiguration; l != nil {
		group, stream := l.Options["awslogs-group"], s.streamName(t, c)
		d.put = func(e ...logs.Event) error {
			if reason := s.refusal(t, "logs:PutLogEvents", s.stream(t, c)); reason != "" {
				return errors.New(reason)
			}
			return s.deps.Logs.Put(group, stream, e...)
		}
		d.lost = func(err error) {
			s.acct.Log.Error("log events are lost", "group", group, "stream", stream, "error", err)
		}
	}
	return d
}

// Write never fails: a container does not notice problems of its log driver. It returns when CloudWatch Logs
// has the events, which is mode=blocking.
func (d *driver) Write(p []byte) (int, error) {
	n := len(p)
	var events []logs.Event
	for len(p) > 0 {
		line, rest, ended := cut(p, eventBytes-len(d.part))
		d.part, p = append(d.part, line...), rest
		if ended || len(d.part) == eventBytes {
			events = d.event(events)
		}
	}
	d.deliver(events)
	return n, nil
}

// cut takes a line, or the part of it that has arrived and fits.
func cut(p []byte, most int) (line, rest []byte, ended bool) {
	if i := bytes.IndexByte(p[:min(len(p), most+1)], '\n'); i >= 0 {
		return p[:i], p[i+1:], true
	}
	n := min(len(p), most)
	return p[:n], p[n:], false
}

// event makes an event of what was read. An empty line is no event, as in Docker's driver.
func (d *driver) event(events []logs.Event) []logs.Event {
	if len(d.part) > 0 {
		events = append(events, logs.Event{Time: d.now(), Message: string(d.part)})
	}
	d.part = d.part[:0]
	return events
}

func (d *driver) flush() { d.deliver(d.event(nil)) }

func (d *driver) deliver(events []logs.Event) {
	if len(events) == 0 {
		return
	}
	if err := d.put(events...); err != nil && d.lost != nil {
		d.lost(err)
	}
}
