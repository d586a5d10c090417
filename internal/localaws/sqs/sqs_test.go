package sqs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sqs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

func client(t *testing.T, clocks ...*wiretest.Clock) (*sqs.Service, *sdk.Client, string) {
	acct := wiretest.Account(t)
	for _, c := range clocks {
		acct.Clock = c
	}
	s := sqs.New(acct)
	r := wire.NewRegistry()
	s.Register(r)
	cfg := wiretest.Config(t, r)
	return s, sdk.NewFromConfig(cfg), *cfg.BaseEndpoint
}

func create(t *testing.T, c *sdk.Client, name string, attributes map[string]string) string {
	t.Helper()
	out, err := c.CreateQueue(t.Context(), &sdk.CreateQueueInput{QueueName: &name, Attributes: attributes})
	require.NoError(t, err)
	return *out.QueueUrl
}

func attributes(t *testing.T, c *sdk.Client, url string) map[string]string {
	t.Helper()
	out, err := c.GetQueueAttributes(t.Context(), &sdk.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []types.QueueAttributeName{"All"}})
	require.NoError(t, err)
	return out.Attributes
}

func TestQueue(t *testing.T) {
	_, c, endpoint := client(t)
	ctx := t.Context()
	out, err := c.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: aws.String("n-stop-dlq"), Tags: map[string]string{"name": "n"},
		Attributes: map[string]string{"MessageRetentionPeriod": "1209600"}})
	require.NoError(t, err)
	url := *out.QueueUrl
	require.Equal(t, endpoint+"/123456789012/n-stop-dlq", url)
	got := attributes(t, c, url)
	require.Equal(t, "1209600", got["MessageRetentionPeriod"])
	require.Equal(t, "30", got["VisibilityTimeout"])
	require.Equal(t, "true", got["SqsManagedSseEnabled"])
	require.Equal(t, "arn:aws:sqs:us-east-1:123456789012:n-stop-dlq", got["QueueArn"])
	require.NotContains(t, got, "Policy")

	require.Equal(t, url, create(t, c, "n-stop-dlq", map[string]string{"MessageRetentionPeriod": "1209600"}), "the same queue again")
	_, err = c.CreateQueue(ctx, &sdk.CreateQueueInput{QueueName: aws.String("n-stop-dlq"), Attributes: map[string]string{"DelaySeconds": "5"}})
	var exists *types.QueueNameExists
	require.ErrorAs(t, err, &exists)
	found, err := c.GetQueueUrl(ctx, &sdk.GetQueueUrlInput{QueueName: aws.String("n-stop-dlq")})
	require.NoError(t, err)
	require.Equal(t, url, *found.QueueUrl)

	_, err = c.TagQueue(ctx, &sdk.TagQueueInput{QueueUrl: &url, Tags: map[string]string{"a": "1"}})
	require.NoError(t, err)
	_, err = c.UntagQueue(ctx, &sdk.UntagQueueInput{QueueUrl: &url, TagKeys: []string{"name"}})
	require.NoError(t, err)
	tags, err := c.ListQueueTags(ctx, &sdk.ListQueueTagsInput{QueueUrl: &url})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "1"}, tags.Tags)

	_, err = c.DeleteQueue(ctx, &sdk.DeleteQueueInput{QueueUrl: &url})
	require.NoError(t, err)
	_, err = c.GetQueueAttributes(ctx, &sdk.GetQueueAttributesInput{QueueUrl: &url})
	var gone *types.QueueDoesNotExist
	require.ErrorAs(t, err, &gone)
	var api smithy.APIError
	require.True(t, errors.As(err, &api))
	require.Equal(t, "AWS.SimpleQueueService.NonExistentQueue", api.ErrorCode(), "the provider goes by the query protocol's code")
}

func TestMessages(t *testing.T) {
	s, c, _ := client(t)
	ctx := t.Context()
	url := create(t, c, "q", nil)
	require.NoError(t, s.Send("arn:aws:sqs:us-east-1:123456789012:q", "one"))
	_, err := c.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("two")})
	require.NoError(t, err)
	require.Equal(t, "2", attributes(t, c, url)["ApproximateNumberOfMessages"])

	got, err := c.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}})
	require.NoError(t, err)
	require.Len(t, got.Messages, 2)
	require.Equal(t, "one", *got.Messages[0].Body)
	require.Equal(t, "1", got.Messages[0].Attributes["ApproximateReceiveCount"])
	require.Equal(t, "2", attributes(t, c, url)["ApproximateNumberOfMessagesNotVisible"])
	empty, err := c.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url})
	require.NoError(t, err)
	require.Empty(t, empty.Messages)

	_, err = c.DeleteMessage(ctx, &sdk.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: got.Messages[0].ReceiptHandle})
	require.NoError(t, err)
	require.Error(t, s.Send("arn:aws:sqs:us-east-1:123456789012:none", "x"))
}

// A receiver that waits gets the message that arrives meanwhile.
func TestLongPolling(t *testing.T) {
	clock := wiretest.NewClock()
	s, c, _ := client(t, clock)
	url := create(t, c, "q", map[string]string{"ReceiveMessageWaitTimeSeconds": "20"})
	type answer struct {
		out *sdk.ReceiveMessageOutput
		err error
	}
	got := make(chan answer)
	go func() {
		out, err := c.ReceiveMessage(t.Context(), &sdk.ReceiveMessageInput{QueueUrl: &url})
		got <- answer{out, err}
	}()
	wiretest.Until(t, "the receiver waits", func() (any, bool) { return clock.Sleeping(), len(clock.Sleeping()) == 1 })
	require.NoError(t, s.Send("arn:aws:sqs:us-east-1:123456789012:q", "x"))
	a := <-got
	require.NoError(t, a.err)
	require.Len(t, a.out.Messages, 1)
}

func TestDeadLetters(t *testing.T) {
	s, c, _ := client(t)
	ctx := t.Context()
	dead := create(t, c, "dead", nil)
	url := create(t, c, "q", map[string]string{"VisibilityTimeout": "0", "RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":2}`})
	require.NoError(t, s.Send("arn:aws:sqs:us-east-1:123456789012:q", "x"))
	for _, want := range []int{1, 1, 0} {
		out, err := c.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url})
		require.NoError(t, err)
		require.Len(t, out.Messages, want)
	}
	out, err := c.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &dead})
	require.NoError(t, err)
	require.Equal(t, "x", *out.Messages[0].Body)
}

func TestRefused(t *testing.T) {
	_, c, _ := client(t)
	ctx := t.Context()
	for want, in := range map[string]*sdk.CreateQueueInput{
		"1 to 80 in length":        {QueueName: aws.String(strings.Repeat("q", 81))},
		"alphanumeric":             {QueueName: aws.String("q.fifo")},
		"Unknown Attribute Colour": {QueueName: aws.String("q"), Attributes: map[string]string{"Colour": "red"}},
		"Invalid value for the parameter VisibilityTimeout":           {QueueName: aws.String("q"), Attributes: map[string]string{"VisibilityTimeout": "43201"}},
		"Invalid value for the parameter Policy":                      {QueueName: aws.String("q"), Attributes: map[string]string{"Policy": "{"}},
		"Dead letter target does not exist":                           {QueueName: aws.String("q"), Attributes: map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:none","maxReceiveCount":2}`}},
		"You can use one type of server-side encryption (SSE) at one": {QueueName: aws.String("q"), Attributes: map[string]string{"KmsMasterKeyId": "alias/aws/sqs", "SqsManagedSseEnabled": "true"}},
	} {
		_, err := c.CreateQueue(ctx, in)
		require.ErrorContains(t, err, want)
	}
	url := create(t, c, "q", map[string]string{"MaximumMessageSize": "1024"})
	_, err := c.SendMessage(ctx, &sdk.SendMessageInput{QueueUrl: &url, MessageBody: aws.String(strings.Repeat("x", 1025))})
	require.ErrorContains(t, err, "Message must be shorter than 1024 bytes")
	_, err = c.ReceiveMessage(ctx, &sdk.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 11})
	require.ErrorContains(t, err, "Must be between 1 and 10")
}

// Services send message attributes; a receiver gets those that it asks for, with AWS's checksum over them.
func TestMessageAttributes(t *testing.T) {
	s, c, _ := client(t)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	url := create(t, c, "dead", nil)
	receive := func(names ...string) types.Message {
		require.NoError(t, s.SendWith("arn:aws:sqs:us-east-1:123456789012:dead", "{}", map[string]string{"ERROR_CODE": "Failure", "ERROR_MESSAGE": "it failed", "OTHER": "x"}))
		out, err := c.ReceiveMessage(t.Context(), &sdk.ReceiveMessageInput{QueueUrl: &url, MessageAttributeNames: names})
		require.NoError(t, err)
		return out.Messages[0]
	}
	require.Nil(t, receive().MessageAttributes)
	require.Nil(t, receive("NONE").MD5OfMessageAttributes)
	m := receive("ERROR_.*")
	require.Equal(t, map[string]types.MessageAttributeValue{"ERROR_CODE": {DataType: aws.String("String"), StringValue: aws.String("Failure")},
		"ERROR_MESSAGE": {DataType: aws.String("String"), StringValue: aws.String("it failed")}}, m.MessageAttributes)
	require.Regexp(t, "^[0-9a-f]{32}$", *m.MD5OfMessageAttributes)
	require.Len(t, receive("All").MessageAttributes, 3)
}
