package sweep

import (
	"slices"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
)

func TestARNs(t *testing.T) {
	const at = "us-east-1:123456789012:"
	for arn, want := range map[string]resource{
		"arn:aws:ecs:" + at + "service/n/n-load":                   {"ecs:service", "n/n-load"},
		"arn:aws:ecs:" + at + "cluster/n":                          {"ecs:cluster", "n"},
		"arn:aws:ecs:" + at + "task-definition/n-load:3":           {"ecs:task-definition", "arn:aws:ecs:" + at + "task-definition/n-load:3"},
		"arn:aws:elasticache:" + at + "replicationgroup:n":         {"elasticache:replicationgroup", "n"},
		"arn:aws:logs:" + at + "log-group:/aws/lambda/n-stop":      {"logs:log-group", "/aws/lambda/n-stop"},
		"arn:aws:lambda:" + at + "function:n-stop":                 {"lambda:function", "n-stop"},
		"arn:aws:scheduler:" + at + "schedule-group/n":             {"scheduler:schedule-group", "n"},
		"arn:aws:sqs:" + at + "n-stop-dlq":                         {"sqs", "n-stop-dlq"},
		"arn:aws:sns:" + at + "n":                                  {"sns", "arn:aws:sns:" + at + "n"},
		"arn:aws:ssm:" + at + "parameter/elasticache-perf/n/token": {"ssm:parameter", "/elasticache-perf/n/token"},
		"arn:aws:ec2:" + at + "security-group/sg-1":                {"ec2:security-group", "sg-1"},
		"arn:aws:cloudwatch:" + at + "alarm:n-stop-errors":         {"cloudwatch:alarm", "n-stop-errors"},
		"nonsense": {"unknown", "nonsense"},
	} {
		require.Equal(t, want, parse(arn))
	}
}

// What is billed is removed first, then its guard; a resource is removed before those that it needs.
func TestTheOrderOfRemoval(t *testing.T) {
	var kinds []string
	for _, k := range removals {
		require.NotContains(t, kinds, k.kind)
		kinds = append(kinds, k.kind)
	}
	for _, pair := range [][2]string{
		{"ecs:service", "scheduler:schedule-group"}, {"elasticache:replicationgroup", "scheduler:schedule-group"}, {"elasticache:serverlesscache", "scheduler:schedule-group"},
		{"scheduler:schedule-group", "lambda:function"}, {"lambda:function", roleKind}, {"ecs:service", "ecs:cluster"}, {"elasticache:replicationgroup", "elasticache:subnetgroup"},
		{"elasticache:replicationgroup", "elasticache:parametergroup"}, {"ec2:security-group-rule", "ec2:security-group"}, {"ecs:service", "ec2:security-group"},
		{"lambda:function", "logs:log-group"},
	} {
		require.Less(t, slices.Index(kinds, pair[0]), slices.Index(kinds, pair[1]), "%v", pair)
	}
	f := Found{there: []resource{{roleKind, "n-stop"}, {"elasticache:replicationgroup", "n"}, {"logs:log-group", "a"}, {"logs:log-group", "b"}, {"ecs:task", "t"}}}
	require.Equal(t, "the cache n, 2 log groups, 1 IAM role", f.Parts())
}

func TestWhatAnErrorSays(t *testing.T) {
	of := func(code string) error { return &smithy.GenericAPIError{Code: code} }
	for _, code := range []string{"ReplicationGroupNotFoundFault", "ResourceNotFoundException", "NoSuchEntity", "InvalidGroup.NotFound", "ParameterNotFound", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"} {
		require.True(t, gone(of(code)), code)
	}
	for _, code := range []string{"DependencyViolation", "InvalidReplicationGroupState", "ClusterContainsTasksException"} {
		require.True(t, busy(of(code)), code)
		require.False(t, gone(of(code)), code)
	}
	require.False(t, gone(of("AccessDenied")) || busy(of("AccessDenied")))
}

func TestOrphans(t *testing.T) {
	require.True(t, (&Found{Billed: "a cache"}).Orphan())
	require.False(t, (&Found{Billed: "a cache", Guard: Guard{Run: "r"}}).Orphan())
	require.True(t, (&Found{Billed: "a cache", Guard: Guard{Run: "r", Dead: "disabled"}}).Orphan())
	require.False(t, (&Found{}).Orphan())
}
