package sns

import (
	"context"
	"encoding/json"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
)

type subscription struct {
	arn, topic, protocol, endpoint, token string
	pending, raw                          bool
}

type subscribeIn struct {
	topicIn
	Protocol              string `wire:",required"`
	Endpoint              string
	Attributes            map[string]string
	ReturnSubscriptionArn bool
}

type subscriptionArn struct{ SubscriptionArn string }

// subscribe answers "pending confirmation" in place of the ARN of an unconfirmed subscription, unless the
// request asks for the ARN. https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
func (s *Service) subscribe(_ context.Context, in *subscribeIn) (*subscriptionArn, error) {
	sub := &subscription{topic: in.TopicArn, protocol: in.Protocol, endpoint: in.Endpoint}
	switch in.Protocol {
	case "email", "email-json":
		if _, err := mail.ParseAddress(in.Endpoint); err != nil {
			return nil, invalid("Email address")
		}
		sub.pending = true
	case "sqs":
		if !strings.HasPrefix(in.Endpoint, "arn:aws:sqs:") {
			return nil, invalid("SQS endpoint ARN")
		}
	case "http", "https", "sms", "application", "lambda", "firehose":
		return nil, invalid("Protocol Reason: localaws delivers to email, email-json and sqs, not to %s", in.Protocol)
	default:
		return nil, invalid("Does not support this protocol string: %s", in.Protocol)
	}
	for name, value := range in.Attributes {
		if err := sub.set(name, value); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.TopicArn)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(t.subscriptions, func(o *subscription) bool { return o.protocol == sub.protocol && o.endpoint == sub.endpoint }); i >= 0 {
		if sub.raw != t.subscriptions[i].raw {
			return nil, invalid("Attributes Reason: Subscription already exists with different attributes")
		}
		sub = t.subscriptions[i]
	} else {
		h := account.NewID(32)
		sub.arn = fmt.Sprintf("%s:%s-%s-%s-%s-%s", t.arn, h[:8], h[8:12], h[12:16], h[16:20], h[20:])
		sub.token = account.NewID(64)
		t.subscriptions = append(t.subscriptions, sub)
	}
	if sub.pending && !in.ReturnSubscriptionArn {
		return &subscriptionArn{"pending confirmation"}, nil
	}
	return &subscriptionArn{sub.arn}, nil
}

func (sub *subscription) set(name, value string) error {
	switch name {
	case "RawMessageDelivery":
		if value != "true" && value != "false" && value != "" {
			return invalid("Attributes Reason: RawMessageDelivery: Invalid value [%s]. Must be true or false.", value)
		}
		if value == "true" && sub.protocol != "sqs" {
			return invalid("Attributes Reason: RawMessageDelivery: Delivery protocol [%s] does not support raw message delivery.", sub.protocol)
		}
		sub.raw = value == "true"
		return nil
	case "FilterPolicy", "FilterPolicyScope", "DeliveryPolicy", "RedrivePolicy", "SubscriptionRoleArn", "ReplayPolicy":
		if value == "" {
			return nil
		}
		return invalid("Attributes Reason: localaws does not serve %s", name)
	}
	return invalid("AttributeName")
}

// subscription finds one by its ARN; the caller holds the lock.
func (s *Service) subscription(arn string) (*topic, *subscription, error) {
	if n := strings.Count(arn, ":") + 1; n < 6 {
		return nil, nil, invalid("SubscriptionArn Reason: An ARN must have at least 6 elements, not %d", n)
	}
	for _, t := range s.topics {
		for _, sub := range t.subscriptions {
			if sub.arn == arn {
				return t, sub, nil
			}
		}
	}
	return nil, nil, notFound("Subscription")
}

// Token is what the confirmation e-mail of a pending subscription would have carried.
func (s *Service) Token(subscriptionARN string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, sub, err := s.subscription(subscriptionARN)
	if err != nil || !sub.pending {
		return "", false
	}
	return sub.token, true
}

type confirmIn struct {
	topicIn
	Token                     string `wire:",required"`
	AuthenticateOnUnsubscribe string
}

func (s *Service) confirm(_ context.Context, in *confirmIn) (*subscriptionArn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.TopicArn)
	if err != nil {
		return nil, err
	}
	for _, sub := range t.subscriptions {
		if sub.token == in.Token {
			sub.pending = false
			return &subscriptionArn{sub.arn}, nil
		}
	}
	return nil, invalid("Token")
}

type subscriptionIn struct {
	SubscriptionArn string `wire:",required"`
}

// unsubscribe refuses pending subscriptions: AWS drops them by itself after 48 hours.
// https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html
func (s *Service) unsubscribe(_ context.Context, in *subscriptionIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, sub, err := s.subscription(in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	if sub.pending {
		return nil, invalid("This subscription is pending: Cannot unsubscribe a subscription that is pending confirmation")
	}
	t.subscriptions = slices.DeleteFunc(t.subscriptions, func(o *subscription) bool { return o == sub })
	t.deleted++
	return &none{}, nil
}

func (s *Service) getSubscriptionAttributes(_ context.Context, in *subscriptionIn) (*struct{ Attributes map[string]string }, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, sub, err := s.subscription(in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	return &struct{ Attributes map[string]string }{map[string]string{"SubscriptionArn": sub.arn, "TopicArn": sub.topic, "Owner": s.acct.ID,
		"Protocol": sub.protocol, "Endpoint": sub.endpoint, "PendingConfirmation": fmt.Sprint(sub.pending), "RawMessageDelivery": fmt.Sprint(sub.raw),
		"ConfirmationWasAuthenticated": fmt.Sprint(!sub.pending && sub.protocol == "sqs")}}, nil
}

type setSubscriptionIn struct {
	subscriptionIn
	AttributeName  string `wire:",required"`
	AttributeValue string
}

func (s *Service) setSubscriptionAttributes(_ context.Context, in *setSubscriptionIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, sub, err := s.subscription(in.SubscriptionArn)
	if err != nil {
		return nil, err
	}
	return &none{}, sub.set(in.AttributeName, in.AttributeValue)
}

type subscriptionOut struct{ SubscriptionArn, Owner, Protocol, Endpoint, TopicArn string }

type listSubscriptionsOut struct {
	Subscriptions []subscriptionOut
	NextToken     string `wire:",omitempty"`
}

func (s *Service) list(topics []*topic, token string) (*listSubscriptionsOut, error) {
	byARN := map[string]*subscription{}
	var all []string
	for _, t := range topics {
		for _, sub := range t.subscriptions {
			byARN[sub.arn], all = sub, append(all, sub.arn)
		}
	}
	slices.Sort(all)
	page, next, err := pageOf(all, token)
	if err != nil {
		return nil, err
	}
	out := &listSubscriptionsOut{[]subscriptionOut{}, next}
	for _, arn := range page {
		sub := byARN[arn]
		o := subscriptionOut{arn, s.acct.ID, sub.protocol, sub.endpoint, sub.topic}
		if sub.pending {
			o.SubscriptionArn = "PendingConfirmation"
		}
		out.Subscriptions = append(out.Subscriptions, o)
	}
	return out, nil
}

type byTopicIn struct {
	topicIn
	NextToken string
}

func (s *Service) listSubscriptionsByTopic(_ context.Context, in *byTopicIn) (*listSubscriptionsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.TopicArn)
	if err != nil {
		return nil, err
	}
	return s.list([]*topic{t}, in.NextToken)
}

type publishIn struct {
	TopicArn, TargetArn, Subject string
	Message                      string `wire:",required"`
}

func (s *Service) publish(_ context.Context, in *publishIn) (*struct{ MessageId string }, error) {
	arn := in.TopicArn
	if arn == "" {
		arn = in.TargetArn
	}
	id, err := s.send(arn, in.Subject, in.Message)
	if err != nil {
		return nil, err
	}
	return &struct{ MessageId string }{id}, nil
}

// Publish publishes for another service that may use the topic: see Permits.
func (s *Service) Publish(topicARN, subject, message string) error {
	if _, err := s.send(topicARN, subject, message); err != nil {
		return fmt.Errorf("publish to %s: %w", topicARN, err)
	}
	return nil
}

// send keeps a message and delivers it. Limits: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
func (s *Service) send(topicARN, subject, body string) (id string, err error) {
	s.mu.Lock()
	t, err := s.find(topicARN)
	if err != nil {
		s.mu.Unlock()
		return "", err
	}
	control := strings.ContainsFunc(subject, func(r rune) bool { return r < 0x20 || r == 0x7F })
	switch {
	case body == "":
		err = invalid("Empty message")
	case len(body) > 256<<10:
		err = invalid("Message too long")
	case utf8.RuneCountInString(subject) > 100 || control || !utf8.ValidString(subject):
		err = invalid("Subject")
	}
	if err != nil {
		s.mu.Unlock()
		return "", err
	}
	h := account.NewID(32)
	m := Message{fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:]), subject, body, s.acct.Clock.Now()}
	t.messages = append(t.messages[max(0, len(t.messages)-remembered+1):], m)
	var to []subscription
	for _, sub := range t.subscriptions {
		if !sub.pending && sub.protocol == "sqs" {
			to = append(to, *sub)
		}
	}
	s.mu.Unlock()
	for _, sub := range to { // SNS drops what a queue refuses; localaws logs it
		if !s.queues.Permits(sub.endpoint, "sns.amazonaws.com", topicARN) {
			s.acct.Log.Warn("sns: the queue's policy does not let the topic send", "queue", sub.endpoint, "topic", topicARN)
			continue
		}
		if err := s.queues.Send(sub.endpoint, sub.envelope(m)); err != nil {
			s.acct.Log.Warn("sns: not delivered", "topic", topicARN, "error", err)
		}
	}
	return m.ID, nil
}

// envelope is what a queue gets: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
func (sub *subscription) envelope(m Message) string {
	if sub.raw {
		return m.Body
	}
	b, _ := json.Marshal(struct { // strings always encode
		Type, MessageId, TopicArn                                                       string
		Subject                                                                         string `json:",omitempty"`
		Message, Timestamp, SignatureVersion, Signature, SigningCertURL, UnsubscribeURL string
	}{"Notification", m.ID, sub.topic, m.Subject, m.Body, m.Time.UTC().Format("2006-01-02T15:04:05.000Z"), "1", "", "", ""})
	return string(b)
}
