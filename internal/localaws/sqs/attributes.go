package sqs

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam/policy"
)

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
			return nil, unknown(k)
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
			return nil, unknown(name)
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
