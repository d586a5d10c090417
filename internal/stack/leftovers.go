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
	"github.com/elasticache-perf/elasticache-perf/internal/console"
)

// AWS can complete a creation whose answer is lost. Then the resource exists, and Terraform's state does not know it.

// LeftOver is a resource that AWS has under the stack's names.
type LeftOver struct {
	What   string // "the IAM role NAME-stop"
	Remove string // the command that removes it
	Guard  bool   // it ends runs: if it exists, a stack may be in use (for a role, also in another Region)
}

// LeftError says how to remove what is left; nil if nothing is.
func LeftError(left []LeftOver) error {
	if len(left) == 0 {
		return nil
	}
	var commands []string
	for _, l := range left {
		commands = append(commands, l.Remove)
	}
	return fmt.Errorf("the state is empty, but AWS has this under the stack's names: the response to its creation was lost. If nobody else created it, remove it with\n  %s", strings.Join(commands, "\n  "))
}

// Left looks for what a lost answer can leave behind, by the stack's names. The calls that create the rest are idempotent: repeated, they find
// what they made.
func (s *Stack) Left(ctx context.Context) (left []LeftOver, err error) {
	name := s.Config.Name
	function, scheduler := name+"-stop", name+"-scheduler"
	there := func(what, command string, args ...any) {
		guard := strings.HasSuffix(what, " "+function) || strings.HasSuffix(what, " "+scheduler)
		left = append(left, LeftOver{What: what, Remove: console.AWS(s.AWS.Region, command, args...), Guard: guard})
	}
	look := func(err error, what, command string, args ...any) error {
		if Missing(err) || Code(err) == "NoSuchEntity" {
			return nil
		}
		if err == nil {
			there(what, command, args...)
		}
		return err
	}
	status, err := s.CacheStatus(ctx)
	if err == nil && status != "" {
		option := map[string]string{"replication-group": "--replication-group-id", "serverless-cache": "--serverless-cache-name"}[s.cacheKind()]
		there("the cache "+CacheName(s.Config.Cache), "aws elasticache delete-%s %s %s", s.cacheKind(), option, CacheName(s.Config.Cache))
	}
	if err == nil {
		_, err = s.cache.DescribeCacheSubnetGroups(ctx, &elasticache.DescribeCacheSubnetGroupsInput{CacheSubnetGroupName: &name})
		err = look(err, "the cache subnet group "+name, "aws elasticache delete-cache-subnet-group --cache-subnet-group-name %s", name)
	}
	if err == nil {
		_, err = s.cache.DescribeCacheParameterGroups(ctx, &elasticache.DescribeCacheParameterGroupsInput{CacheParameterGroupName: &name})
		err = look(err, "the cache parameter group "+name, "aws elasticache delete-cache-parameter-group --cache-parameter-group-name %s", name)
	}
	if err == nil {
		_, err = s.functions.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
		err = look(err, "the Lambda function "+function, "aws lambda delete-function --function-name %s", function)
	}
	for _, role := range []string{function, scheduler, name + "-load-execution", name + "-load-task"} {
		if err == nil {
			err = awsquery.Call(ctx, s.AWS, awsquery.IAM, "GetRole", url.Values{"RoleName": {role}}, nil)
			err = look(err, "the IAM role "+role, "aws iam delete-role --role-name %s", role)
		}
	}
	for _, group := range []string{"/elasticache-perf/" + name + "/load", "/aws/lambda/" + function, "/aws/vendedlogs/elasticache/" + name + "/engine-log",
		"/aws/vendedlogs/elasticache/" + name + "/slow-log", "/aws/ecs/containerinsights/" + name + "/performance"} {
		is := false
		if err == nil {
			is, err = s.logGroup(ctx, group)
		}
		if is {
			there("the log group "+group, "aws logs delete-log-group --log-group-name %s", group)
		}
	}
	if err == nil {
		chosen := awsquery.Filters("group-name", name+"-cache", "tag:name", name)
		chosen.Set("Filter.1.Value.2", name+"-load")
		var groups []awsquery.SecurityGroup
		groups, err = awsquery.SecurityGroups(ctx, s.AWS, chosen)
		for _, g := range groups {
			there("the security group "+g.ID, "aws ec2 delete-security-group --group-id %s", g.ID)
		}
	}
	return left, err
}

// logGroup reports whether a log group of exactly this name exists. AWS searches by prefix only, and returns groups sorted by name.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html
func (s *Stack) logGroup(ctx context.Context, name string) (bool, error) {
	groups, err := s.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
	if err != nil {
		return false, fmt.Errorf("log group %s: %w", name, err)
	}
	return len(groups.LogGroups) > 0 && aws.ToString(groups.LogGroups[0].LogGroupName) == name, nil
}
