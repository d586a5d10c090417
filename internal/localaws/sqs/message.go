package sqs

import (
	"context"
	"crypto/md5" // the protocol's checksum
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam/policy"
)

type message struct {
	id, body, handle        string
	sent, received, visible time.Time // received: first; visible: from when on it can be received
	receives                int
	attributes              map[string]string // all of the data type String
}

// Send puts a message on a queue for another service, by the queue's ARN.
// Where AWS checks the queue's policy (SNS), call Permits first; Lambda and Scheduler act under a role instead.
func (s *Service) Send(queueARN, body string) error { return s.SendWith(queueARN, body, nil) }

// SendWith is Send with message attributes.
func (s *Service) SendWith(queueARN, body string, attributes map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, ok := s.byARN(queueARN)
	if !ok {
		return fmt.Errorf("queue %s: %w", queueARN, missing())
	}
	m, err := s.put(q, body, nil)
	if err == nil {
		m.attributes = attributes
	}
	return err
}

// Permits reports whether a queue's policy lets a service ("sns.amazonaws.com") send to it on behalf of a resource.
// https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
func (s *Service) Permits(queueARN, service, sourceARN string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, ok := s.byARN(queueARN)
	if !ok || q.attributes["Policy"] == "" {
		return false
	}
	d, err := policy.Parse(policy.Resource, q.attributes["Policy"])
	return err == nil && d.Decide(policy.Request{Principals: []string{"Service:" + service}, Action: "sqs:SendMessage", Resource: queueARN,
		Context: map[string]string{"aws:SourceArn": sourceARN, "aws:SourceAccount": s.acct.ID}}) == policy.Allow
}

func (q *queue) number(attribute string) int {
	n, _ := strconv.Atoi(q.attributes[attribute]) // set has checked it
	return n
}

// put appends a message; the caller holds the lock. delay is in seconds, nil for the queue's own.
func (s *Service) put(q *queue, body string, delay *int) (*message, error) {
	if body == "" {
		return nil, fail("com.amazon.coral.service#MissingRequiredParameterException", "The request must contain the parameter MessageBody.")
	}
	if size := q.number("MaximumMessageSize"); len(body) > size {
		return nil, badParameter("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", size)
	}
	for _, r := range body { // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return nil, fail("InvalidMessageContents", "Invalid characters found in the message body.")
		}
	}
	seconds := q.number("DelaySeconds")
	if delay != nil {
		if seconds = *delay; seconds < 0 || seconds > 900 {
			return nil, badParameter("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", seconds)
		}
	}
	now := s.acct.Clock.Now()
	m := &message{id: uuid(), body: body, sent: now, visible: now.Add(time.Duration(seconds) * time.Second)}
	q.messages = append(q.messages, m)
	s.wake()
	return m, nil
}

// wake makes every waiting receiver check again; the caller holds the lock.
func (s *Service) wake() {
	close(s.arrived)
	s.arrived = make(chan struct{})
}

func uuid() string {
	h := account.NewID(32)
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:])
}

// count also drops what is past its retention.
func (q *queue) count(now time.Time) (visible, delayed, inFlight int) {
	keep := time.Duration(q.number("MessageRetentionPeriod")) * time.Second
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return now.Sub(m.sent) > keep })
	for _, m := range q.messages {
		switch {
		case !m.visible.After(now):
			visible++
		case m.receives > 0:
			inFlight++
		default:
			delayed++
		}
	}
	return visible, delayed, inFlight
}

type sendIn struct {
	queueIn
	MessageBody  string `wire:",required"`
	DelaySeconds *int
}

type sendOut struct{ MD5OfMessageBody, MessageId string }

func (s *Service) sendMessage(_ context.Context, in *sendIn) (*sendOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	m, err := s.put(q, in.MessageBody, in.DelaySeconds)
	if err != nil {
		return nil, err
	}
	return &sendOut{sum(m.body), m.id}, nil
}

func sum(body string) string {
	h := md5.Sum([]byte(body))
	return hex.EncodeToString(h[:])
}

type receiveIn struct {
	queueIn
	AttributeNames, MessageSystemAttributeNames, MessageAttributeNames []string
	MaxNumberOfMessages, VisibilityTimeout, WaitTimeSeconds            *int
	ReceiveRequestAttemptId                                            string
}

type messageOut struct {
	MessageId, ReceiptHandle, MD5OfBody, Body string
	Attributes                                map[string]string
	MD5OfMessageAttributes                    *string
	MessageAttributes                         map[string]messageAttribute
}

type messageAttribute struct{ DataType, StringValue string }

// asked returns the message attributes that a receiver requested, and their checksum.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation
func (m *message) asked(names []string) (found map[string]messageAttribute, checksum *string) {
	digest := md5.New()
	field := func(text string) {
		_ = binary.Write(digest, binary.BigEndian, uint32(len(text))) // a hash never fails
		digest.Write([]byte(text))
	}
	for _, name := range slices.Sorted(maps.Keys(m.attributes)) {
		if !slices.ContainsFunc(names, func(n string) bool {
			prefix, all := strings.CutSuffix(n, ".*")
			return n == name || n == "All" || all && strings.HasPrefix(name, prefix)
		}) {
			continue
		}
		if found == nil {
			found = map[string]messageAttribute{}
		}
		found[name] = messageAttribute{"String", m.attributes[name]}
		field(name)
		field("String")
		digest.Write([]byte{1}) // a string, not binary
		field(m.attributes[name])
	}
	if found != nil {
		text := hex.EncodeToString(digest.Sum(nil))
		checksum = &text
	}
	return found, checksum
}

type receiveOut struct{ Messages []messageOut }

func between(name string, v *int, low, high, otherwise int) (int, error) {
	if v == nil {
		return otherwise, nil
	}
	if *v < low || *v > high {
		return 0, badParameter("Value %d for parameter %s is invalid. Reason: Must be between %d and %d, if provided.", *v, name, low, high)
	}
	return *v, nil
}

func (s *Service) receiveMessage(ctx context.Context, in *receiveIn) (*receiveOut, error) {
	most, err := between("MaxNumberOfMessages", in.MaxNumberOfMessages, 1, 10, 1)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	q, err := s.find(in.QueueUrl)
	var queueWait, queueHide int
	if err == nil {
		queueWait, queueHide = q.number("ReceiveMessageWaitTimeSeconds"), q.number("VisibilityTimeout")
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	wait, err := between("WaitTimeSeconds", in.WaitTimeSeconds, 0, 20, queueWait)
	if err != nil {
		return nil, err
	}
	hide, err := between("VisibilityTimeout", in.VisibilityTimeout, 0, 43200, queueHide)
	if err != nil {
		return nil, err
	}
	until := s.acct.Clock.Now().Add(time.Duration(wait) * time.Second)
	for {
		s.mu.Lock()
		q, err := s.find(in.QueueUrl)
		if err != nil {
			s.mu.Unlock()
			return nil, err
		}
		now := s.acct.Clock.Now()
		found, next := s.take(q, now, most, time.Duration(hide)*time.Second)
		arrived := s.arrived
		s.mu.Unlock()
		if len(found) > 0 || !now.Before(until) {
			return &receiveOut{out(found, append(slices.Clone(in.AttributeNames), in.MessageSystemAttributeNames...), in.MessageAttributeNames)}, nil
		}
		if next.IsZero() || next.After(until) {
			next = until
		}
		if err := s.sleep(ctx, next.Sub(now), arrived); err != nil {
			return nil, err
		}
	}
}

// sleep waits d, or less when a message arrives; ctx's error when the caller is gone.
func (s *Service) sleep(ctx context.Context, d time.Duration, arrived <-chan struct{}) error {
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-arrived:
			stop()
		case <-waiting.Done():
		}
	}()
	_ = s.acct.Clock.Sleep(waiting, d) // cut short or not: the caller looks again
	return ctx.Err()
}

// take receives up to most visible messages and moves those received too often to the dead-letter queue; next is
// when the first hidden message shows. The caller holds the lock.
func (s *Service) take(q *queue, now time.Time, most int, hide time.Duration) (found []*message, next time.Time) {
	q.count(now)
	dead, limit := (*queue)(nil), 0
	if r, err := redrive(q.attributes["RedrivePolicy"]); err == nil {
		dead, _ = s.byARN(r.DeadLetterTargetArn)
		limit = r.max
	}
	for _, m := range slices.Clone(q.messages) {
		switch {
		case m.visible.After(now):
			if next.IsZero() || m.visible.Before(next) {
				next = m.visible
			}
		case dead != nil && m.receives >= limit:
			q.messages = slices.DeleteFunc(q.messages, func(o *message) bool { return o == m })
			dead.messages = append(dead.messages, m)
			s.wake()
		case len(found) < most:
			if m.receives == 0 {
				m.received = now
			}
			m.receives++
			m.handle, m.visible = account.NewID(48), now.Add(hide)
			copied := *m
			found = append(found, &copied)
		}
	}
	return found, next
}

func out(found []*message, names, attributes []string) []messageOut {
	var list []messageOut // AWS leaves Messages out when there are none
	for _, m := range found {
		o := messageOut{MessageId: m.id, ReceiptHandle: m.handle, MD5OfBody: sum(m.body), Body: m.body}
		o.MessageAttributes, o.MD5OfMessageAttributes = m.asked(attributes)
		all := map[string]string{"SentTimestamp": strconv.FormatInt(m.sent.UnixMilli(), 10),
			"ApproximateReceiveCount": strconv.Itoa(m.receives), "ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.received.UnixMilli(), 10)}
		for k, v := range all {
			if slices.Contains(names, "All") || slices.Contains(names, k) {
				if o.Attributes == nil {
					o.Attributes = map[string]string{}
				}
				o.Attributes[k] = v
			}
		}
		list = append(list, o)
	}
	return list
}

type handleIn struct {
	queueIn
	ReceiptHandle string `wire:",required"`
}

// deleteMessage also succeeds for a message that is gone, as on AWS.
func (s *Service) deleteMessage(_ context.Context, in *handleIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if len(in.ReceiptHandle) != 48 {
		return nil, fail("ReceiptHandleIsInvalid", "The input receipt handle \"%s\" is not a valid receipt handle.", in.ReceiptHandle)
	}
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return m.handle == in.ReceiptHandle })
	return &none{}, nil
}
