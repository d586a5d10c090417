// Package sqs is the Simple Queue Service: standard queues with visibility, delay, retention, dead-letter queues
// and long polling.
//
// API reference: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html
//
// Only the JSON protocol is served. It does not do: FIFO queues, message
// attributes, sender ids, batches, redrive tasks, and keys other than SQS's own and alias/aws/sqs. A deleted queue is gone at
// once and its name is free at once; AWS takes up to 60 seconds for either.
package sqs

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam/policy"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Service is SQS of one account.
type Service struct {
	acct *account.Account

	mu      sync.Mutex
	queues  map[string]*queue // by name
	arrived chan struct{}     // closed and replaced when a message may have become visible
}

type queue struct {
	name, arn         string
	created, modified time.Time
	attributes        map[string]string // as set: see settable
	tags              map[string]string
	messages          []*message
}

// New is SQS without queues.
func New(acct *account.Account) *Service {
	return &Service{acct: acct, queues: map[string]*queue{}, arrived: make(chan struct{})}
}

// Register serves SQS's actions.
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "sqs"},
		wire.Action("CreateQueue", s.createQueue),
		wire.Action("DeleteQueue", s.deleteQueue),
		wire.Action("GetQueueUrl", s.getQueueURL),
		wire.Action("ListQueues", s.listQueues),
		wire.Action("ListDeadLetterSourceQueues", s.listSources),
		wire.Action("GetQueueAttributes", s.getAttributes),
		wire.Action("SetQueueAttributes", s.setAttributes),
		wire.Action("ListQueueTags", s.listTags),
		wire.Action("TagQueue", s.tagQueue),
		wire.Action("UntagQueue", s.untagQueue),
		wire.Action("SendMessage", s.sendMessage),
		wire.Action("ReceiveMessage", s.receiveMessage),
		wire.Action("DeleteMessage", s.deleteMessage),
		wire.Action("ChangeMessageVisibility", s.changeVisibility),
		wire.Action("PurgeQueue", s.purgeQueue),
	)
}

type none struct{}

// fail makes an error of the JSON protocol with its name in the query protocol beside it: clients that were written
// for the latter, the Terraform provider among them, read the header.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-json-faqs.html
func fail(code, queryCode, format string, args ...any) error {
	e := wire.Errorf(http.StatusBadRequest, "com.amazonaws.sqs#"+code, format, args...)
	e.Header = http.Header{}
	e.Header.Set("X-Amzn-Query-Error", queryCode+";Sender")
	return e
}

func missing() error {
	return fail("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
}

func badValue(format string, args ...any) error {
	return fail("InvalidAttributeValue", "InvalidAttributeValue", format, args...)
}

// find gives a queue by its URL, whatever host the URL names; the caller holds the lock.
func (s *Service) find(url string) (*queue, error) {
	parts := strings.Split(url, "/")
	if len(parts) < 2 || parts[len(parts)-2] != s.acct.ID {
		return nil, fail("InvalidAddress", "InvalidAddress", "The address %s is not valid for this endpoint.", url)
	}
	q, ok := s.queues[parts[len(parts)-1]]
	if !ok {
		return nil, missing()
	}
	return q, nil
}

func (s *Service) byARN(arn string) (*queue, bool) {
	name, ok := strings.CutPrefix(arn, s.acct.ARN("sqs", ""))
	q, exists := s.queues[name]
	return q, ok && exists
}

func (s *Service) url(ctx context.Context, name string) string {
	return wire.From(ctx).Endpoint + "/" + s.acct.ID + "/" + name
}

// settable are the attributes that a caller may set, with their defaults; ranges hold the numeric ones.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
var (
	settable = map[string]string{"DelaySeconds": "0", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600",
		"ReceiveMessageWaitTimeSeconds": "0", "VisibilityTimeout": "30", "SqsManagedSseEnabled": "true",
		"Policy": "", "RedrivePolicy": "", "RedriveAllowPolicy": "", "KmsMasterKeyId": "", "KmsDataKeyReusePeriodSeconds": ""}
	ranges = map[string][2]int{"DelaySeconds": {0, 900}, "MaximumMessageSize": {1024, 1048576}, "MessageRetentionPeriod": {60, 1209600},
		"ReceiveMessageWaitTimeSeconds": {0, 20}, "VisibilityTimeout": {0, 43200}, "KmsDataKeyReusePeriodSeconds": {60, 86400}}
)

// set applies attributes to a copy of those there are; the caller holds the lock.
func (s *Service) set(have, in map[string]string, arn string) (map[string]string, error) {
	out := map[string]string{}
	for k, v := range have {
		out[k] = v
	}
	for k, v := range in {
		if _, ok := settable[k]; !ok {
			return nil, fail("InvalidAttributeName", "InvalidAttributeName", "Unknown Attribute %s.", k)
		}
		invalid := badValue("Invalid value for the parameter %s.", k)
		if r, ok := ranges[k]; ok && v != "" {
			if n, err := strconv.Atoi(v); err != nil || n < r[0] || n > r[1] {
				return nil, invalid
			}
		}
		switch k {
		case "Policy":
			if _, err := policy.Parse(policy.Resource, v); v != "" && err != nil {
				return nil, invalid
			}
		case "SqsManagedSseEnabled":
			if v != "true" && v != "false" {
				return nil, invalid
			}
		case "KmsMasterKeyId":
			if v != "" && v != "alias/aws/sqs" {
				return nil, badValue("key %s is not known to localaws: it knows alias/aws/sqs", v)
			}
		case "RedrivePolicy":
			if v == "" {
				break
			}
			r, err := redrive(v)
			if err != nil {
				return nil, badValue("Value %s for parameter RedrivePolicy is invalid. Reason: %v", v, err)
			}
			if r.DeadLetterTargetArn == arn {
				return nil, badValue("Value %s for parameter RedrivePolicy is invalid. Reason: Dead-letter target owner should be a different queue.", v)
			}
			target, ok := s.byARN(r.DeadLetterTargetArn)
			if !ok {
				return nil, badValue("Value %s for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.", v)
			}
			if !allows(target.attributes["RedriveAllowPolicy"], arn) {
				return nil, badValue("Value %s for parameter RedrivePolicy is invalid. Reason: the dead-letter queue's RedriveAllowPolicy does not let %s use it.", v, arn)
			}
		case "RedriveAllowPolicy":
			var p redriveAllow
			if v != "" && (json.Unmarshal([]byte(v), &p) != nil || !slices.Contains([]string{"allowAll", "denyAll", "byQueue"}, p.RedrivePermission) ||
				(p.RedrivePermission == "byQueue") != (len(p.SourceQueueArns) > 0) || len(p.SourceQueueArns) > 10) {
				return nil, badValue("Value %s for parameter RedriveAllowPolicy is invalid.", v)
			}
		}
		out[k] = v
	}
	// A queue is encrypted by SQS's own key or by one in KMS, not both.
	switch {
	case in["KmsMasterKeyId"] != "" && in["SqsManagedSseEnabled"] == "true":
		return nil, badValue("You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.")
	case in["KmsMasterKeyId"] != "":
		out["SqsManagedSseEnabled"] = "false"
	case in["SqsManagedSseEnabled"] == "true":
		out["KmsMasterKeyId"] = ""
	}
	if out["KmsMasterKeyId"] != "" && out["KmsDataKeyReusePeriodSeconds"] == "" {
		out["KmsDataKeyReusePeriodSeconds"] = "300"
	}
	return out, nil
}

type redrivePolicy struct {
	DeadLetterTargetArn string      `json:"deadLetterTargetArn"`
	MaxReceiveCount     json.Number `json:"maxReceiveCount"`
	max                 int
}

type redriveAllow struct {
	RedrivePermission string   `json:"redrivePermission"`
	SourceQueueArns   []string `json:"sourceQueueArns"`
}

func redrive(text string) (redrivePolicy, error) {
	var r redrivePolicy
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, err
	}
	n, err := strconv.Atoi(r.MaxReceiveCount.String())
	if err != nil || n < 1 || n > 1000 {
		return r, errors.New("maxReceiveCount must be an integer between 1 and 1000")
	}
	r.max = n
	return r, nil
}

func allows(text, source string) bool {
	var p redriveAllow
	if text == "" || json.Unmarshal([]byte(text), &p) != nil {
		return true
	}
	return p.RedrivePermission == "allowAll" || p.RedrivePermission == "byQueue" && slices.Contains(p.SourceQueueArns, source)
}

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

type createQueueIn struct {
	QueueName  string `wire:",required"`
	Attributes map[string]string
	Tags       map[string]string `wire:"tags"`
}

type urlOut struct{ QueueUrl string }

func (s *Service) createQueue(ctx context.Context, in *createQueueIn) (*urlOut, error) {
	if !queueName.MatchString(in.QueueName) {
		return nil, fail("InvalidParameterValue", "InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := s.acct.ARN("sqs", in.QueueName)
	if q, ok := s.queues[in.QueueName]; ok {
		for k, v := range in.Attributes {
			if q.attributes[k] != v {
				return nil, fail("QueueNameExists", "QueueAlreadyExists", "A queue already exists with the same name and a different value for attribute %s", k)
			}
		}
		return &urlOut{s.url(ctx, in.QueueName)}, nil
	}
	attributes, err := s.set(settable, in.Attributes, arn)
	if err != nil {
		return nil, err
	}
	tags, err := merge(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	now := s.acct.Clock.Now()
	s.queues[in.QueueName] = &queue{name: in.QueueName, arn: arn, created: now, modified: now, attributes: attributes, tags: tags}
	return &urlOut{s.url(ctx, in.QueueName)}, nil
}

type queueIn struct {
	QueueUrl string `wire:",required"`
}

func (s *Service) deleteQueue(_ context.Context, in *queueIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	delete(s.queues, q.name)
	return &none{}, nil
}

type getURLIn struct {
	QueueName              string `wire:",required"`
	QueueOwnerAWSAccountId string
}

func (s *Service) getQueueURL(ctx context.Context, in *getURLIn) (*urlOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.queues[in.QueueName]; !ok || in.QueueOwnerAWSAccountId != "" && in.QueueOwnerAWSAccountId != s.acct.ID {
		return nil, missing()
	}
	return &urlOut{s.url(ctx, in.QueueName)}, nil
}

type pageIn struct {
	NextToken  string
	MaxResults *int
}

// page lists the URLs of queues that match, by name. Without MaxResults up to 1,000 come in one answer.
func (s *Service) page(ctx context.Context, in pageIn, match func(*queue) bool) (urls []string, next string, err error) {
	var names []string
	for name, q := range s.queues {
		if match(q) && name > in.NextToken {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	size := 1000
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	if size < 1 || size > 1000 {
		return nil, "", fail("InvalidParameterValue", "InvalidParameterValue", "Value %d for parameter MaxResults is invalid. Reason: Must be between 1 and 1000, if provided.", size)
	}
	if len(names) > size {
		names = names[:size]
		next = names[size-1]
	}
	urls = []string{}
	for _, name := range names {
		urls = append(urls, s.url(ctx, name))
	}
	return urls, next, nil
}

type listQueuesIn struct {
	QueueNamePrefix string
	pageIn
}

type listQueuesOut struct {
	QueueUrls []string
	NextToken string `wire:",omitempty"`
}

func (s *Service) listQueues(ctx context.Context, in *listQueuesIn) (*listQueuesOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	urls, next, err := s.page(ctx, in.pageIn, func(q *queue) bool { return strings.HasPrefix(q.name, in.QueueNamePrefix) })
	return &listQueuesOut{urls, next}, err
}

type listSourcesIn struct {
	queueIn
	pageIn
}

type listSourcesOut struct {
	QueueUrls []string `wire:"queueUrls"`
	NextToken string   `wire:",omitempty"`
}

func (s *Service) listSources(ctx context.Context, in *listSourcesIn) (*listSourcesOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dead, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	urls, next, err := s.page(ctx, in.pageIn, func(q *queue) bool {
		r, err := redrive(q.attributes["RedrivePolicy"])
		return err == nil && r.DeadLetterTargetArn == dead.arn
	})
	return &listSourcesOut{urls, next}, err
}

type getAttributesIn struct {
	queueIn
	AttributeNames []string
}

func (s *Service) getAttributes(_ context.Context, in *getAttributesIn) (*struct{ Attributes map[string]string }, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	visible, delayed, inFlight := q.count(s.acct.Clock.Now())
	all := map[string]string{"QueueArn": q.arn, "CreatedTimestamp": strconv.FormatInt(q.created.Unix(), 10),
		"LastModifiedTimestamp": strconv.FormatInt(q.modified.Unix(), 10), "ApproximateNumberOfMessages": strconv.Itoa(visible),
		"ApproximateNumberOfMessagesDelayed": strconv.Itoa(delayed), "ApproximateNumberOfMessagesNotVisible": strconv.Itoa(inFlight)}
	for k, v := range q.attributes {
		if v != "" { // AWS leaves out what is not set
			all[k] = v
		}
	}
	out := map[string]string{}
	for _, name := range in.AttributeNames {
		_, known := settable[name]
		v, have := all[name]
		switch {
		case name == "All":
			out = all
		case have:
			out[name] = v
		case !known:
			return nil, fail("InvalidAttributeName", "InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	return &struct{ Attributes map[string]string }{out}, nil
}

type setAttributesIn struct {
	queueIn
	Attributes map[string]string `wire:",required"`
}

func (s *Service) setAttributes(_ context.Context, in *setAttributesIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	attributes, err := s.set(q.attributes, in.Attributes, q.arn)
	if err != nil {
		return nil, err
	}
	q.attributes, q.modified = attributes, s.acct.Clock.Now()
	return &none{}, nil
}

// merge adds tags: at most 50, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-tags.html
func merge(have, add map[string]string) (map[string]string, error) {
	out := map[string]string{}
	for k, v := range have {
		out[k] = v
	}
	for k, v := range add {
		if k == "" || len(k) > 128 || len(v) > 256 || strings.HasPrefix(strings.ToLower(k), "aws:") {
			return nil, fail("InvalidParameterValue", "InvalidParameterValue", "Tag key %q is not valid: keys have 1 to 128 characters and do not begin with aws:, values have at most 256.", k)
		}
		out[k] = v
	}
	if len(out) > 50 {
		return nil, fail("InvalidParameterValue", "InvalidParameterValue", "Too many tags added for queue: at most 50.")
	}
	return out, nil
}

func (s *Service) listTags(_ context.Context, in *queueIn) (*struct{ Tags map[string]string }, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	var tags map[string]string // a queue without tags answers without Tags
	if len(q.tags) > 0 {
		tags = q.tags
	}
	return &struct{ Tags map[string]string }{tags}, nil
}

type tagIn struct {
	queueIn
	Tags map[string]string `wire:",required"`
}

func (s *Service) tagQueue(_ context.Context, in *tagIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	tags, err := merge(q.tags, in.Tags)
	if err != nil {
		return nil, err
	}
	q.tags = tags
	return &none{}, nil
}

type untagIn struct {
	queueIn
	TagKeys []string `wire:",required"`
}

func (s *Service) untagQueue(_ context.Context, in *untagIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	tags, _ := merge(q.tags, nil)
	for _, k := range in.TagKeys {
		delete(tags, k)
	}
	q.tags = tags
	return &none{}, nil
}
