package stack

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/elasticache-perf/elasticache-perf/internal/awsquery"
)

// AWS may carry a creation out and its answer be lost: then the resource is there, and Terraform's state does not know it.

// LeftError says how to remove what is left; nil when there is nothing.
func LeftError(commands []string) error {
	if len(commands) == 0 {
		return nil
	}
	return fmt.Errorf("the state is empty, and yet AWS has this under the stack's names: the answer to its creation was lost. If nobody else made it, remove it with\n  %s", strings.Join(commands, "\n  "))
}

// Left looks for what a lost answer can leave behind, by the stack's names, and gives the commands that remove it. The calls that make the
// rest are idempotent: sent again, they find what they made.
func (s *Stack) Left(ctx context.Context) (commands []string, err error) {
	name := s.Config.Name
	look := func(err error, command string, args ...any) error {
		if Missing(err) || Code(err) == "NoSuchEntity" {
			return nil
		}
		if err == nil {
			commands = append(commands, fmt.Sprintf("aws "+command, args...))
		}
		return err
	}
	status, err := s.CacheStatus(ctx)
	if err == nil && status != "" {
		option := map[string]string{"replication-group": "--replication-group-id", "serverless-cache": "--serverless-cache-name"}[s.cacheKind()]
		commands = append(commands, fmt.Sprintf("aws elasticache delete-%s %s %s", s.cacheKind(), option, CacheName(s.Config.Cache)))
	}
	if err == nil {
		_, err = s.cache.DescribeCacheSubnetGroups(ctx, &elasticache.DescribeCacheSubnetGroupsInput{CacheSubnetGroupName: &name})
		err = look(err, "elasticache delete-cache-subnet-group --cache-subnet-group-name %s", name)
	}
	if err == nil {
		_, err = s.cache.DescribeCacheParameterGroups(ctx, &elasticache.DescribeCacheParameterGroupsInput{CacheParameterGroupName: &name})
		err = look(err, "elasticache delete-cache-parameter-group --cache-parameter-group-name %s", name)
	}
	function := name + "-stop"
	if err == nil {
		_, err = s.functions.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
		err = look(err, "lambda delete-function --function-name %s", function)
	}
	for _, role := range []string{function, name + "-scheduler", name + "-load-execution", name + "-load-task"} {
		if err == nil {
			err = awsquery.Call(ctx, s.AWS, awsquery.IAM, "GetRole", url.Values{"RoleName": {role}}, nil)
			err = look(err, "iam delete-role --role-name %s", role)
		}
	}
	for _, prefix := range []string{"/elasticache-perf/" + name + "/", "/aws/lambda/" + function, "/aws/vendedlogs/elasticache/" + name + "/", "/aws/ecs/containerinsights/" + name + "/"} {
		if err != nil {
			break
		}
		var groups *cloudwatchlogs.DescribeLogGroupsOutput
		if groups, err = s.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &prefix}); err == nil {
			for _, g := range groups.LogGroups {
				commands = append(commands, "aws logs delete-log-group --log-group-name "+aws.ToString(g.LogGroupName))
			}
		}
	}
	if err == nil {
		chosen := awsquery.Filters("group-name", name+"-cache", "tag:name", name)
		chosen.Set("Filter.1.Value.2", name+"-load")
		var groups []awsquery.SecurityGroup
		groups, err = awsquery.SecurityGroups(ctx, s.AWS, chosen)
		for _, g := range groups {
			commands = append(commands, "aws ec2 delete-security-group --group-id "+g.ID)
		}
	}
	if err != nil {
		return commands, fmt.Errorf("everything in the state is removed; whether something else is left is not known: %w", err)
	}
	return commands, nil
}
