package sns_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	sdksqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sns"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sqs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

func start(t *testing.T) (*sns.Service, *sdk.Client, *sdksqs.Client) {
	acct := wiretest.Account(t)
	r := wire.NewRegistry()
	queues := sqs.New(acct)
	queues.Register(r)
	s := sns.New(acct, queues)
	s.Register(r)
	cfg := wiretest.Config(t, r)
	return s, sdk.NewFromConfig(cfg), sdksqs.NewFromConfig(cfg)
}

func attributes(t *testing.T, c *sdk.Client, arn *string) map[string]string {
	t.Helper()
	out, err := c.GetTopicAttributes(t.Context(), &sdk.GetTopicAttributesInput{TopicArn: arn})
	require.NoError(t, err)
	return out.Attributes
}

func TestTopic(t *testing.T) {
	s, c, _ := start(t)
	ctx := t.Context()
	out, err := c.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("n"), Attributes: map[string]string{"DisplayName": "runs"},
		Tags: []types.Tag{{Key: aws.String("name"), Value: aws.String("n")}}})
	require.NoError(t, err)
	arn := out.TopicArn
	require.Equal(t, "arn:aws:sns:us-east-1:123456789012:n", *arn)
	got := attributes(t, c, arn)
	require.Equal(t, "runs", got["DisplayName"])
	require.Contains(t, got["Policy"], "__default_policy_ID")
	require.True(t, json.Valid([]byte(got["Policy"])))
	require.NotContains(t, got, "KmsMasterKeyId")
	require.True(t, s.Permits(*arn, "cloudwatch.amazonaws.com", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a"))

	_, err = c.SetTopicAttributes(ctx, &sdk.SetTopicAttributesInput{TopicArn: arn, AttributeName: aws.String("KmsMasterKeyId"), AttributeValue: aws.String("alias/aws/sns")})
	require.NoError(t, err)
	require.Equal(t, "alias/aws/sns", attributes(t, c, arn)["KmsMasterKeyId"])
	require.False(t, s.Permits(*arn, "cloudwatch.amazonaws.com", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a"), "alarms cannot use alias/aws/sns")

	_, err = c.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}})
	require.NoError(t, err)
	_, err = c.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"name"}})
	require.NoError(t, err)
	tags, err := c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: arn})
	require.NoError(t, err)
	require.Equal(t, []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}, tags.Tags)
	topics, err := c.ListTopics(ctx, &sdk.ListTopicsInput{})
	require.NoError(t, err)
	require.Equal(t, []types.Topic{{TopicArn: arn}}, topics.Topics)

	_, err = c.DeleteTopic(ctx, &sdk.DeleteTopicInput{TopicArn: arn})
	require.NoError(t, err)
	_, err = c.GetTopicAttributes(ctx, &sdk.GetTopicAttributesInput{TopicArn: arn})
	var gone *types.NotFoundException
	require.ErrorAs(t, err, &gone)
}

func TestEmail(t *testing.T) {
	s, c, _ := start(t)
	ctx := t.Context()
	topic, err := c.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("n")})
	require.NoError(t, err)
	in := &sdk.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("email"), Endpoint: aws.String("me@example.com")}
	out, err := c.Subscribe(ctx, in)
	require.NoError(t, err)
	require.Equal(t, "pending confirmation", *out.SubscriptionArn)
	in.ReturnSubscriptionArn = true
	out, err = c.Subscribe(ctx, in)
	require.NoError(t, err)
	sub := out.SubscriptionArn
	list, err := c.ListSubscriptionsByTopic(ctx, &sdk.ListSubscriptionsByTopicInput{TopicArn: topic.TopicArn})
	require.NoError(t, err)
	require.Len(t, list.Subscriptions, 1)
	require.Equal(t, "PendingConfirmation", *list.Subscriptions[0].SubscriptionArn)
	_, err = c.Unsubscribe(ctx, &sdk.UnsubscribeInput{SubscriptionArn: sub})
	require.ErrorContains(t, err, "Cannot unsubscribe a subscription that is pending confirmation")

	token, ok := s.Token(*sub)
	require.True(t, ok)
	_, err = c.ConfirmSubscription(ctx, &sdk.ConfirmSubscriptionInput{TopicArn: topic.TopicArn, Token: &token})
	require.NoError(t, err)
	got, err := c.GetSubscriptionAttributes(ctx, &sdk.GetSubscriptionAttributesInput{SubscriptionArn: sub})
	require.NoError(t, err)
	require.Equal(t, "false", got.Attributes["PendingConfirmation"])
	require.Equal(t, "1", attributes(t, c, topic.TopicArn)["SubscriptionsConfirmed"])
	_, err = c.Unsubscribe(ctx, &sdk.UnsubscribeInput{SubscriptionArn: sub})
	require.NoError(t, err)

	require.NoError(t, s.Publish(*topic.TopicArn, "started", "run r"))
	m := s.Messages(*topic.TopicArn)
	require.Len(t, m, 1)
	require.Equal(t, "started", m[0].Subject)
	require.Error(t, s.Publish(*topic.TopicArn+"x", "s", "m"))
	for i := range 1000 {
		require.NoError(t, s.Publish(*topic.TopicArn, fmt.Sprint(i), "m"))
	}
	m = s.Messages(*topic.TopicArn)
	require.Len(t, m, 1000, "not more, however long it runs")
	require.Equal(t, "0", m[0].Subject)
}

// A queue gets a topic's messages once its policy lets the topic send.
func TestQueue(t *testing.T) {
	_, c, q := start(t)
	ctx := t.Context()
	topic, err := c.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("n")})
	require.NoError(t, err)
	queue, err := q.CreateQueue(ctx, &sdksqs.CreateQueueInput{QueueName: aws.String("q")})
	require.NoError(t, err)
	queueARN := "arn:aws:sqs:us-east-1:123456789012:q"
	sub, err := c.Subscribe(ctx, &sdk.SubscribeInput{TopicArn: topic.TopicArn, Protocol: aws.String("sqs"), Endpoint: &queueARN})
	require.NoError(t, err)
	publish := func(body string) {
		_, err := c.Publish(ctx, &sdk.PublishInput{TopicArn: topic.TopicArn, Subject: aws.String("s"), Message: &body})
		require.NoError(t, err)
	}
	publish("lost")
	_, err = q.SetQueueAttributes(ctx, &sdksqs.SetQueueAttributesInput{QueueUrl: queue.QueueUrl, Attributes: map[string]string{
		"Policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage","Resource":"` + queueARN + `","Condition":{"ArnEquals":{"aws:SourceArn":"` + *topic.TopicArn + `"}}}]}`}})
	require.NoError(t, err)
	publish("kept")
	_, err = c.SetSubscriptionAttributes(ctx, &sdk.SetSubscriptionAttributesInput{SubscriptionArn: sub.SubscriptionArn, AttributeName: aws.String("RawMessageDelivery"), AttributeValue: aws.String("true")})
	require.NoError(t, err)
	publish("raw")
	got, err := q.ReceiveMessage(ctx, &sdksqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, MaxNumberOfMessages: 10})
	require.NoError(t, err)
	require.Len(t, got.Messages, 2)
	var envelope map[string]string
	require.NoError(t, json.Unmarshal([]byte(*got.Messages[0].Body), &envelope))
	require.Equal(t, "kept", envelope["Message"])
	require.Equal(t, *topic.TopicArn, envelope["TopicArn"])
	require.Equal(t, "raw", *got.Messages[1].Body)
}

func TestRefused(t *testing.T) {
	_, c, _ := start(t)
	ctx := t.Context()
	topic, err := c.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("n")})
	require.NoError(t, err)
	for want, in := range map[string]*sdk.SubscribeInput{
		"Does not support this protocol string: pigeon":  {Protocol: aws.String("pigeon")},
		"localaws delivers to email, email-json and sqs": {Protocol: aws.String("https"), Endpoint: aws.String("https://example.com")},
		"Invalid parameter: Email address":               {Protocol: aws.String("email"), Endpoint: aws.String("nobody")},
		"does not serve FilterPolicy":                    {Protocol: aws.String("email"), Endpoint: aws.String("a@example.com"), Attributes: map[string]string{"FilterPolicy": "{}"}},
	} {
		in.TopicArn = topic.TopicArn
		_, err := c.Subscribe(ctx, in)
		require.ErrorContains(t, err, want)
	}
	for want, in := range map[string]*sdk.PublishInput{
		"Empty message":              {Message: aws.String("")},
		"Invalid parameter: Subject": {Message: aws.String("m"), Subject: aws.String("a\nb")},
		"Message too long":           {Message: aws.String(strings.Repeat("m", 256<<10+1))},
	} {
		in.TopicArn = topic.TopicArn
		_, err := c.Publish(ctx, in)
		require.ErrorContains(t, err, want)
	}
	_, err = c.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("a b")})
	require.ErrorContains(t, err, "Topic Name")
	_, err = c.SetTopicAttributes(ctx, &sdk.SetTopicAttributesInput{TopicArn: topic.TopicArn, AttributeName: aws.String("Colour"), AttributeValue: aws.String("x")})
	require.ErrorContains(t, err, "AttributeName")
}
