// Package sqs is the Simple Queue Service: standard queues with visibility, delay, retention, dead-letter queues
// and long polling.
//
// API reference: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html
//
// Only the JSON protocol is served. Of CloudWatch's metrics there is ApproximateNumberOfMessagesVisible, once a minute as on AWS. Message
// attributes exist only on messages of services. It does not do: FIFO queues, sender ids, batches, redrive tasks, and keys other than SQS's own and alias/aws/sqs. A deleted queue is gone at
// once and its name is free at once; AWS takes up to 60 seconds for either.
package sqs

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Service is SQS of one account.
type Service struct {
	acct *account.Account
	// CloudWatch takes the queues' metrics; nil: there are none. Set it before there is a queue.
	CloudWatch interface {
		Put(m cloudwatch.Metric, t time.Time, value float64)
	}

	ctx  context.Context
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex
	queues   map[string]*queue // by name
	measured bool              // measure runs
	arrived  chan struct{}     // closed and replaced when a message may have become visible
}

type queue struct {
	name, arn         string
	created, modified time.Time
	attributes        map[string]string // as set: see settable
	tags              tagset.Set
	messages          []*message
}

// New is SQS without queues.
func New(acct *account.Account) *Service {
	s := &Service{acct: acct, queues: map[string]*queue{}, arrived: make(chan struct{})}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Close ends the measuring and waits for it.
func (s *Service) Close() error {
	s.stop()
	s.wg.Wait()
	return nil
}

// measure publishes every queue's length once a minute, or as often as metrics are; the mutex is held.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
func (s *Service) measure() {
	if s.measured || s.CloudWatch == nil {
		return
	}
	s.measured = true
	every := min(max(s.acct.MetricsPeriod, time.Second), time.Minute)
	s.wg.Go(func() {
		for s.acct.Clock.Sleep(s.ctx, every) == nil {
			now, lengths := s.acct.Clock.Now(), map[string]int{}
			s.mu.Lock()
			for name, q := range s.queues {
				lengths[name], _, _ = q.count(now)
			}
			s.mu.Unlock()
			for name, visible := range lengths {
				s.CloudWatch.Put(cloudwatch.Metric{Namespace: "AWS/SQS", Name: "ApproximateNumberOfMessagesVisible", Unit: "Count",
					Dimensions: []cloudwatch.Dimension{{Name: "QueueName", Value: name}}}, now, float64(visible))
			}
		}
	})
}

// Register serves SQS's actions.
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "sqs", Codes: codes},
		wire.Action("CreateQueue", s.createQueue),
		wire.Action("DeleteQueue", s.deleteQueue),
		wire.Action("GetQueueUrl", s.getQueueURL),
		wire.Action("ListQueues", s.listQueues),
		wire.Action("GetQueueAttributes", s.getAttributes),
		wire.Action("SetQueueAttributes", s.setAttributes),
		wire.Action("ListQueueTags", s.listTags),
		wire.Action("TagQueue", s.tagQueue),
		wire.Action("UntagQueue", s.untagQueue),
		wire.Action("SendMessage", s.sendMessage),
		wire.Action("ReceiveMessage", s.receiveMessage),
		wire.Action("DeleteMessage", s.deleteMessage),
	)
}

type none struct{}

// codes are those of the query protocol: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-json-faqs.html
var codes = map[string]string{"QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue", "QueueNameExists": "QueueAlreadyExists",
	"InvalidParameterValueException":    "InvalidParameterValue",
	"MissingRequiredParameterException": "MissingParameter", "AccessDeniedException": "AccessDenied"}

func fail(shape, format string, args ...any) error {
	if !strings.Contains(shape, "#") {
		shape = "com.amazonaws.sqs#" + shape
	}
	return wire.Errorf(http.StatusBadRequest, shape, format, args...)
}

func missing() error {
	return fail("QueueDoesNotExist", "The specified queue does not exist.")
}

func badParameter(format string, args ...any) error {
	return fail("com.amazon.coral.service#InvalidParameterValueException", format, args...)
}

func badValue(format string, args ...any) error {
	return fail("InvalidAttributeValue", format, args...)
}

func unknown(attribute string) error {
	return fail("InvalidAttributeName", "Unknown Attribute %s.", attribute)
}

// find gives a queue by its URL, whatever host the URL names; the caller holds the lock.
func (s *Service) find(url string) (*queue, error) {
	parts := strings.Split(url, "/")
	if len(parts) < 2 || parts[len(parts)-2] != s.acct.ID {
		return nil, fail("InvalidAddress", "The address %s is not valid for this endpoint.", url)
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

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

type createQueueIn struct {
	QueueName  string `wire:",required"`
	Attributes map[string]string
	Tags       map[string]string `wire:"tags"`
}

type urlOut struct{ QueueUrl string }

func (s *Service) createQueue(ctx context.Context, in *createQueueIn) (*urlOut, error) {
	if !queueName.MatchString(in.QueueName) {
		return nil, badParameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := s.acct.ARN("sqs", in.QueueName)
	if q, ok := s.queues[in.QueueName]; ok {
		for k, v := range in.Attributes {
			if q.attributes[k] != v {
				return nil, fail("QueueNameExists", "A queue already exists with the same name and a different value for attribute %s", k)
			}
		}
		return &urlOut{s.url(ctx, in.QueueName)}, nil
	}
	attributes, err := s.set(settable, in.Attributes, arn)
	if err != nil {
		return nil, err
	}
	tags, err := rules.Merge(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	now := s.acct.Clock.Now()
	s.queues[in.QueueName] = &queue{name: in.QueueName, arn: arn, created: now, modified: now, attributes: attributes, tags: tags}
	s.measure()
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
		if match(q) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	size, ok := paging.Size(in.MaxResults, 1000, 1, 1000)
	if !ok {
		return nil, "", badParameter("Value %d for parameter MaxResults is invalid. Reason: Must be between 1 and 1000, if provided.", size)
	}
	if names, next, ok = paging.Names(names, size, in.NextToken); !ok {
		return nil, "", badParameter("Value %s for parameter NextToken is invalid.", in.NextToken)
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

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-tags.html
var rules = tagset.Rules{Refuse: func(p tagset.Problem, t tagset.Tag) error {
	if p == tagset.TooMany {
		return badParameter("Too many tags added for queue: at most 50.")
	}
	return badParameter("Tag key %q is not valid: keys have 1 to 128 characters and do not begin with aws:, values have at most 256.", t.Key)
}}

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

func (s *Service) tagQueue(_ context.Context, in *struct {
	queueIn
	Tags map[string]string `wire:",required"`
}) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return &none{}, tagset.Put(rules, &q.tags, tagset.List[tagset.Tag](in.Tags))
}

func (s *Service) untagQueue(_ context.Context, in *struct {
	queueIn
	TagKeys []string `wire:",required"`
}) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err == nil {
		q.tags = rules.Remove(q.tags, in.TagKeys)
	}
	return &none{}, err
}

// Tagged are the tags of all queues, by ARN.
func (s *Service) Tagged() map[string]tagset.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]tagset.Set{}
	for _, q := range s.queues {
		all[q.arn] = q.tags.Clone()
	}
	return all
}
