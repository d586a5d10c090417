package test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatcht "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdat "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
)

// The real function can never handle an event: it is tried three times and ends in the queue, both alarms fire, and people are notified. The settings are
// the module's, with shorter waits and periods.
func TestFaultsEventFailsForGood(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	w := newFrozen(t, time.Now().UTC().Truncate(time.Second), func(c *localaws.Config) { c.MetricsPeriod = time.Second })
	ctx := t.Context()
	topic, err := sns.NewFromConfig(w.aws).CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String("perf")})
	require.NoError(t, err)
	queues := sqs.NewFromConfig(w.aws)
	queue, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("perf-stop-dlq")})
	require.NoError(t, err)
	w.deploy(512)
	client := lambda.NewFromConfig(w.aws)
	_, err = client.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("perf-stop"), MaximumRetryAttempts: aws.Int32(2), MaximumEventAgeInSeconds: aws.Int32(3600),
		DestinationConfig: &lambdat.DestinationConfig{OnFailure: &lambdat.OnFailure{Destination: aws.String("arn:aws:sqs:us-east-1:123456789012:perf-stop-dlq")}}})
	require.NoError(t, err)
	alarms := cloudwatch.NewFromConfig(w.aws)
	alarm := func(name, namespace, metric, dimension, value string, statistic cloudwatcht.Statistic) {
		_, err := alarms.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{AlarmName: &name, Namespace: &namespace, MetricName: &metric, Statistic: statistic, Period: aws.Int32(10), EvaluationPeriods: aws.Int32(1),
			Dimensions: []cloudwatcht.Dimension{{Name: &dimension, Value: &value}}, ComparisonOperator: cloudwatcht.ComparisonOperatorGreaterThanThreshold, Threshold: aws.Float64(0),
			TreatMissingData: aws.String("notBreaching"), AlarmActions: []string{*topic.TopicArn}})
		require.NoError(t, err)
	}
	alarm("perf-stop-errors", "AWS/Lambda", "Errors", "FunctionName", "perf-stop", cloudwatcht.StatisticSum)
	alarm("perf-stop-dlq", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "perf-stop-dlq", cloudwatcht.StatisticMaximum)

	w.queueEvent("no such action")
	eventually(t, "people are notified of both alarms", func(context.Context) (bool, any, error) {
		var subjects []string
		for _, m := range w.SNS.Messages(*topic.TopicArn) {
			subjects = append(subjects, m.Subject)
		}
		return slices.Contains(subjects, `ALARM: "perf-stop-errors" in us-east-1`) && slices.Contains(subjects, `ALARM: "perf-stop-dlq" in us-east-1`), subjects, nil
	})
	out, err := queues.ReceiveMessage(context.Background(), &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl})
	require.NoError(t, err)
	require.Len(t, out.Messages, 1)
	var record struct {
		RequestContext struct {
			Condition              string
			ApproximateInvokeCount int
		}
		RequestPayload  struct{ Action, Run string }
		ResponsePayload struct{ ErrorMessage string }
	}
	require.NoError(t, json.Unmarshal([]byte(*out.Messages[0].Body), &record))
	require.Equal(t, "RetriesExhausted", record.RequestContext.Condition)
	require.Equal(t, 3, record.RequestContext.ApproximateInvokeCount)
	require.Equal(t, w.run, record.RequestPayload.Run, "the original event")
	require.Contains(t, record.ResponsePayload.ErrorMessage, "expected stop, watch, preflight, export or destroy")
}
