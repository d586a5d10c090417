// Package sns is the Simple Notification Service: standard topics, subscriptions of e-mail addresses and queues.
//
// API reference: https://docs.aws.amazon.com/sns/latest/api/API_Operations.html
//
// Messages are delivered to queues. E-mail is not sent: a subscription is pending until ConfirmSubscription is called with
// its token, and Messages returns what was published. It does not do: FIFO topics, other protocols,
// filter policies, message attributes and structures, logs of the status of deliveries, mobile push and SMS, signatures
// that verify.
package sns

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam/policy"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sqs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Service is SNS of one account.
type Service struct {
	acct   *account.Account
	queues *sqs.Service

	mu     sync.Mutex
	topics map[string]*topic // by ARN
}

type topic struct {
	arn, name     string
	attributes    map[string]string
	tags          tagset.Set
	subscriptions []*subscription
	deleted       int // subscriptions that ended
	messages      []Message
}

// Message is what was published to a topic.
type Message struct {
	ID, Subject, Body string
	Time              time.Time
}

// New is SNS without topics; queues get what is published to their subscriptions.
func New(acct *account.Account, queues *sqs.Service) *Service {
	return &Service{acct: acct, queues: queues, topics: map[string]*topic{}}
}

// Register serves SNS's actions.
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "sns", XMLNS: "http://sns.amazonaws.com/doc/2010-03-31/", Invalid: "InvalidParameter"},
		wire.Action("CreateTopic", s.createTopic),
		wire.Action("DeleteTopic", s.deleteTopic),
		wire.Action("ListTopics", s.listTopics),
		wire.Action("GetTopicAttributes", s.getTopicAttributes),
		wire.Action("SetTopicAttributes", s.setTopicAttributes),
		wire.Action("TagResource", s.tagResource),
		wire.Action("UntagResource", s.untagResource),
		wire.Action("ListTagsForResource", s.listTags),
		wire.Action("Subscribe", s.subscribe),
		wire.Action("ConfirmSubscription", s.confirm),
		wire.Action("Unsubscribe", s.unsubscribe),
		wire.Action("GetSubscriptionAttributes", s.getSubscriptionAttributes),
		wire.Action("SetSubscriptionAttributes", s.setSubscriptionAttributes),
		wire.Action("ListSubscriptionsByTopic", s.listSubscriptionsByTopic),
		wire.Action("Publish", s.publish),
	)
}

type (
	none struct{}
)

func invalid(format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, "InvalidParameter", "Invalid parameter: "+format, args...)
}

func notFound(what string) error {
	return wire.Errorf(http.StatusNotFound, "NotFound", "%s does not exist", what)
}

// find gives a topic; the caller holds the lock.
func (s *Service) find(arn string) (*topic, error) {
	if n := strings.Count(arn, ":") + 1; n < 6 {
		return nil, invalid("TopicArn Reason: An ARN must have at least 6 elements, not %d", n)
	}
	t, ok := s.topics[arn]
	if !ok {
		return nil, notFound("Topic")
	}
	return t, nil
}

// remembered is how many messages of a topic Messages returns.
const remembered = 1000

// Messages returns what was published to a topic last, oldest first. SNS itself keeps nothing that it has delivered.
func (s *Service) Messages(topicARN string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.topics[topicARN]; ok {
		return slices.Clone(t.messages)
	}
	return nil
}

// Permits reports whether a topic's policy lets a service ("cloudwatch.amazonaws.com") publish on behalf of a
// resource; and whether its key does: alias/aws/sns admits no other service.
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
func (s *Service) Permits(topicARN, service, sourceARN string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.topics[topicARN]
	if !ok || t.attributes["KmsMasterKeyId"] != "" {
		return false
	}
	d, err := policy.Parse(policy.Resource, t.attributes["Policy"])
	return err == nil && d.Decide(policy.Request{Principals: []string{"Service:" + service}, Action: "sns:Publish", Resource: topicARN,
		Context: map[string]string{"aws:SourceArn": sourceARN, "aws:SourceAccount": s.acct.ID, "aws:SourceOwner": s.acct.ID}}) == policy.Allow
}

// settable lists the topic attributes that a caller may set, with the form of their values.
// https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
var settable = regexp.MustCompile(`^(Policy|DisplayName|DeliveryPolicy|TracingConfig|KmsMasterKeyId|SignatureVersion|(HTTP|Firehose|Lambda|Application|SQS)(SuccessFeedbackRoleArn|FailureFeedbackRoleArn|SuccessFeedbackSampleRate))$`)

var sampleRate = regexp.MustCompile(`^(100|[1-9]?\d)$`)

func checkAttribute(name, value string) error {
	wrong := invalid("Attributes Reason: %s has an invalid value", name)
	switch {
	case !settable.MatchString(name):
		return invalid("AttributeName")
	case value == "":
		return nil
	case name == "Policy":
		if _, err := policy.Parse(policy.Resource, value); err != nil {
			return invalid("Policy Error: %v", err)
		}
	case name == "DeliveryPolicy" && !json.Valid([]byte(value)),
		name == "TracingConfig" && value != "PassThrough" && value != "Active",
		name == "SignatureVersion" && value != "1" && value != "2",
		name == "DisplayName" && len(value) > 100,
		strings.HasSuffix(name, "SampleRate") && !sampleRate.MatchString(value):
		return wrong
	case name == "KmsMasterKeyId" && value != "alias/aws/sns":
		return invalid("Attributes Reason: key %s is not known to localaws: it knows alias/aws/sns", value)
	case strings.HasSuffix(name, "RoleArn"):
		return invalid("Attributes Reason: localaws does not log the status of deliveries: %s", name)
	}
	return nil
}

// defaultPolicy is what SNS gives a topic: its owner's account may use it.
// https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
func (s *Service) defaultPolicy(arn string) string {
	return fmt.Sprintf(`{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{"Sid":"__default_statement_ID","Effect":"Allow","Principal":{"AWS":"*"},"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission","SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic","SNS:Publish"],"Resource":%q,"Condition":{"StringEquals":{"AWS:SourceOwner":%q}}}]}`, arn, s.acct.ID)
}

const effectiveDeliveryPolicy = `{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}}`

var topicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

type createTopicIn struct {
	Name       string `wire:",required"`
	Attributes map[string]string
	Tags       []tagset.Pair
}

func (s *Service) createTopic(_ context.Context, in *createTopicIn) (*struct{ TopicArn string }, error) {
	if !topicName.MatchString(in.Name) {
		return nil, invalid("Topic Name")
	}
	tags, err := tagset.Add(rules, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	for name, value := range in.Attributes {
		if err := checkAttribute(name, value); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := s.acct.ARN("sns", in.Name)
	out := &struct{ TopicArn string }{arn}
	if t, ok := s.topics[arn]; ok { // creating it twice is not an error
		for name, value := range in.Attributes {
			if t.attributes[name] != value {
				return nil, invalid("Attributes Reason: Topic already exists with different attributes")
			}
		}
		for key, value := range tags {
			if had, ok := t.tags[key]; !ok || had != value {
				return nil, invalid("Tags Reason: Topic already exists with different tags")
			}
		}
		return out, nil
	}
	t := &topic{arn: arn, name: in.Name, tags: tags, attributes: map[string]string{"DisplayName": "", "Policy": s.defaultPolicy(arn)}}
	for name, value := range in.Attributes {
		t.set(name, value, s.defaultPolicy(arn))
	}
	s.topics[arn] = t
	return out, nil
}

// set sets an attribute; an empty value removes it.
func (t *topic) set(name, value, defaultPolicy string) {
	switch {
	case value != "" || name == "DisplayName":
		t.attributes[name] = value
	case name == "Policy":
		t.attributes[name] = defaultPolicy
	default:
		delete(t.attributes, name)
	}
}

type topicIn struct {
	TopicArn string `wire:",required"`
}

// deleteTopic also succeeds for a topic that does not exist: https://docs.aws.amazon.com/sns/latest/api/API_DeleteTopic.html
func (s *Service) deleteTopic(_ context.Context, in *topicIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.topics, in.TopicArn)
	return &none{}, nil
}

// pageOf gives 100 at once. https://docs.aws.amazon.com/sns/latest/api/API_ListTopics.html
func pageOf(sorted []string, token string) (page []string, next string, err error) {
	page, next, ok := paging.Names(sorted, 100, token)
	if !ok {
		return nil, "", invalid("NextToken")
	}
	return page, next, nil
}

type listTopicsOut struct {
	Topics    []topicRef
	NextToken string `wire:",omitempty"`
}

type topicRef struct{ TopicArn string }

func (s *Service) listTopics(_ context.Context, in *struct{ NextToken string }) (*listTopicsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for arn := range s.topics {
		all = append(all, arn)
	}
	slices.Sort(all)
	page, next, err := pageOf(all, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &listTopicsOut{[]topicRef{}, next}
	for _, arn := range page {
		out.Topics = append(out.Topics, topicRef{arn})
	}
	return out, nil
}

func (s *Service) getTopicAttributes(_ context.Context, in *topicIn) (*struct{ Attributes map[string]string }, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.TopicArn)
	if err != nil {
		return nil, err
	}
	pending := 0
	for _, sub := range t.subscriptions {
		if sub.pending {
			pending++
		}
	}
	out := map[string]string{"TopicArn": t.arn, "Owner": s.acct.ID, "EffectiveDeliveryPolicy": effectiveDeliveryPolicy,
		"SubscriptionsPending": fmt.Sprint(pending), "SubscriptionsConfirmed": fmt.Sprint(len(t.subscriptions) - pending), "SubscriptionsDeleted": fmt.Sprint(t.deleted)}
	for k, v := range t.attributes {
		out[k] = v
	}
	return &struct{ Attributes map[string]string }{out}, nil
}

type setTopicIn struct {
	topicIn
	AttributeName  string `wire:",required"`
	AttributeValue string
}

func (s *Service) setTopicAttributes(_ context.Context, in *setTopicIn) (*none, error) {
	if err := checkAttribute(in.AttributeName, in.AttributeValue); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(in.TopicArn)
	if err != nil {
		return nil, err
	}
	t.set(in.AttributeName, in.AttributeValue, s.defaultPolicy(t.arn))
	return &none{}, nil
}

// https://docs.aws.amazon.com/sns/latest/dg/sns-tags.html
var rules = tagset.Rules{Refuse: func(p tagset.Problem, t tagset.Tag) error {
	if p == tagset.TooMany {
		return wire.Errorf(http.StatusBadRequest, "TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")
	}
	return invalid("Tags Reason: tag %q: keys have 1 to 128 characters and do not begin with aws:, values have at most 256", t.Key)
}}

type resourceIn struct {
	ResourceArn string `wire:",required"`
}

// tagged finds the topic whose tags are meant; the caller holds the lock.
func (s *Service) tagged(arn string) (*topic, error) {
	t, ok := s.topics[arn]
	if !ok {
		return nil, wire.Errorf(http.StatusNotFound, "ResourceNotFound", "Resource does not exist")
	}
	return t, nil
}

func (s *Service) tagResource(_ context.Context, in *struct {
	resourceIn
	Tags []tagset.Pair `wire:",required"`
}) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &none{}, tagset.Put(rules, &t.tags, in.Tags)
}

func (s *Service) untagResource(_ context.Context, in *struct {
	resourceIn
	TagKeys []string `wire:",required"`
}) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagged(in.ResourceArn)
	if err == nil {
		t.tags = rules.Remove(t.tags, in.TagKeys)
	}
	return &none{}, err
}

func (s *Service) listTags(_ context.Context, in *resourceIn) (*struct{ Tags []tagset.Tag }, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &struct{ Tags []tagset.Tag }{tagset.List[tagset.Tag](t.tags)}, nil
}

// Tagged are the tags of all topics, by ARN.
func (s *Service) Tagged() map[string]tagset.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]tagset.Set{}
	for name, one := range s.topics {
		all[name] = one.tags.Clone()
	}
	return all
}
