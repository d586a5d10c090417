package stack

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/awstest"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

func stackOf(t *testing.T, answer func(string, url.Values) (int, map[string]string, string)) (*console.Console, *Stack) {
	config := shutdown.Config{Name: "n", Bucket: "b", Prefix: "exports", Cluster: "n", Service: "n-load", Cache: shutdown.Cache{ReplicationGroup: "n", Delete: true},
		Logs: shutdown.Logs{Load: "/elasticache-perf/n/load"}, Schedules: shutdown.Schedules{Group: "n", Watch: "n-watch", Stop: "n-load-stop"}}
	s, err := Open(t.Context(), &workspace.Workspace{AWS: awstest.Answering(answer)}, "", config)
	require.NoError(t, err)
	return &console.Console{Out: &bytes.Buffer{}, Pause: time.Millisecond}, s
}

// deleting is an account with a cache that is being deleted for ever.
func deleting(calls *[]string) func(string, url.Values) (int, map[string]string, string) {
	return func(what string, _ url.Values) (int, map[string]string, string) {
		*calls = append(*calls, what)
		if what == "DescribeReplicationGroups" {
			return 200, nil, `<R><DescribeReplicationGroupsResult><ReplicationGroups><ReplicationGroup><Status>deleting</Status></ReplicationGroup></ReplicationGroups></DescribeReplicationGroupsResult></R>`
		}
		return 404, map[string]string{"X-Amzn-Errortype": "ResourceNotFoundException"}, `{}`
	}
}

func TestCacheThatDoesNotGo(t *testing.T) {
	synctest.Test(t, cacheThatDoesNotGo)
}

func cacheThatDoesNotGo(t *testing.T) {
	var calls []string
	con, s := stackOf(t, deleting(&calls))
	con.Pause = time.Minute
	err := s.CacheGone(t.Context(), con, false)
	require.ErrorContains(t, err, "the cache n is still deleting after 46m0s")
	require.ErrorContains(t, err, "aws elasticache describe-events --source-identifier n --source-type replication-group")
	require.Contains(t, con.Out.(*bytes.Buffer).String(), "the cache n is deleting: waiting until it is gone")
	require.NotContains(t, calls, "DeleteReplicationGroup")

	s.Config.Cache.Delete = false // an existing cache is none of ours
	calls = nil
	require.NoError(t, s.CacheGone(t.Context(), con, true))
	require.NotContains(t, calls, "DeleteReplicationGroup")
}

func TestLeftOverIsNamedWithItsCommand(t *testing.T) {
	_, s := stackOf(t, func(what string, body url.Values) (int, map[string]string, string) {
		switch {
		case what == "GetRole" && body.Get("RoleName") == "n-load-task":
			return 200, nil, `<R><GetRoleResult><Role><RoleName>n-load-task</RoleName></Role></GetRoleResult></R>`
		case what == "GetRole":
			return 404, nil, `<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>`
		case what == "DescribeLogGroups":
			return 200, nil, `{"logGroups":[{"logGroupName":"/aws/lambda/n-stop"}]}`
		case what == "DescribeSecurityGroups":
			return 200, nil, `<R><securityGroupInfo><item><groupId>sg-1</groupId></item></securityGroupInfo></R>`
		case strings.HasPrefix(what, "DescribeCache"):
			return 404, nil, `<ErrorResponse><Error><Code>CacheSubnetGroupNotFoundFault</Code></Error></ErrorResponse>`
		case what == "DescribeReplicationGroups":
			return 404, nil, `<ErrorResponse><Error><Code>ReplicationGroupNotFoundFault</Code></Error></ErrorResponse>`
		}
		return 404, map[string]string{"X-Amzn-Errortype": "ResourceNotFoundException"}, `{}`
	})
	left, err := s.Left(t.Context())
	require.NoError(t, err)
	require.Equal(t, []LeftOver{{"the IAM role n-load-task", "aws iam delete-role --role-name n-load-task --region us-east-1", false},
		{"the log group /aws/lambda/n-stop", "aws logs delete-log-group --log-group-name /aws/lambda/n-stop --region us-east-1", false},
		{"the security group sg-1", "aws ec2 delete-security-group --group-id sg-1 --region us-east-1", false}}, left, "a name that another begins with is not that other")
	require.ErrorContains(t, LeftError(left), "remove it with\n  aws iam delete-role --role-name n-load-task --region us-east-1\n")
	require.NoError(t, LeftError(nil))
}
