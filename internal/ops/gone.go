package ops

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/elasticache-perf/elasticache-perf/internal/awsquery"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// AWS may carry a creation out and its answer be lost: then the resource is there, and Terraform's state does not know it.

// cacheLimit is how long a cache may take to be gone: as long as the provider would wait.
const cacheLimit = 45 * time.Minute

// unknownCache sees to it that no cache is in Terraform's way: one that is being deleted is waited out, because the provider does not retry
// CacheSubnetGroupInUse, and one that this stack made but its state does not know is deleted. The state has to know the run's guard, which is
// there before a cache is: else somebody else may have deployed the stack, with a state of their own.
func unknownCache(ctx context.Context, con *console.Console, t *terraform.CLI, s *stack) error {
	status, err := s.cacheStatus(ctx)
	if err != nil || status == "" {
		return err
	}
	known, err := t.Resources(ctx)
	if err != nil {
		return err
	}
	unknown := !slices.ContainsFunc(known, func(address string) bool {
		return strings.Contains(address, "aws_elasticache_replication_group.") || strings.Contains(address, "aws_elasticache_serverless_cache.")
	})
	if unknown && status != "deleting" {
		ours := slices.Contains(known, terraform.WatchAddress)
		if ours {
			if ours, err = madeCache(ctx, con, s); err != nil {
				return err
			}
		}
		if !ours {
			con.Say("the cache %s is not in the state, and was not made by this stack and state: it is left alone", cacheName(s.config.Cache))
			return nil
		}
	}
	// One that could not be created is in Terraform's way, too: AWS does not tell its tags, and the provider cannot read it without.
	failed := status == "create-failed"
	switch {
	case failed:
		con.Say("the cache %s could not be created: deleting it", cacheName(s.config.Cache))
	case unknown && status != "deleting":
		con.Say("the cache %s was made but is not in the state: the answer to its creation was lost; deleting it", cacheName(s.config.Cache))
	}
	return cacheGone(ctx, con, s, unknown || failed)
}

// madeCache tells whether the cache is tagged with a run of this stack. A cache that is being created does not say so yet, and one whose creation
// has failed never does: then it is the stack's if it was made since the run began.
func madeCache(ctx context.Context, con *console.Console, s *stack) (bool, error) {
	if !s.config.Cache.Delete {
		return false, nil
	}
	_, arn, _, err := describeCache(ctx, s.cache, s.config.Cache)
	if err != nil || arn == "" {
		return false, err
	}
	var waiting *console.Step
	defer func() { waiting.End() }()
	began := time.Now()
	tags, err := s.cache.ListTagsForResource(ctx, &elasticache.ListTagsForResourceInput{ResourceName: &arn})
	for busy(err) {
		status, _, _, problem := describeCache(ctx, s.cache, s.config.Cache)
		switch {
		case problem != nil || status == "":
			return false, problem
		case status == "create-failed":
			return s.madeSince(ctx)
		case time.Since(began) > cacheLimit:
			return false, s.stuckCache(status, began)
		}
		if waiting == nil {
			waiting = con.Step("the cache %s is busy: waiting until AWS tells whose it is", cacheName(s.config.Cache))
		}
		if err := con.Wait(ctx, 0); err != nil {
			return false, err
		}
		tags, err = s.cache.ListTagsForResource(ctx, &elasticache.ListTagsForResourceInput{ResourceName: &arn})
	}
	if err != nil {
		return false, fmt.Errorf("tags of the cache %s: %w", cacheName(s.config.Cache), err)
	}
	var name, run string
	for _, t := range tags.TagList {
		switch aws.ToString(t.Key) {
		case "name":
			name = aws.ToString(t.Value)
		case "run":
			run = aws.ToString(t.Value)
		}
	}
	_, err = shutdown.ParseRun(run)
	return err == nil && name == s.config.Name, nil
}

// madeSince tells whether the cache was made since the run under way began.
func (s *stack) madeSince(ctx context.Context) (bool, error) {
	run, err := s.run(ctx)
	if err != nil || run == nil {
		return false, err
	}
	began, err := shutdown.ParseRun(run.Run)
	if err != nil {
		return false, err
	}
	var created *time.Time
	if c := s.config.Cache; c.Serverless != "" {
		out, err := s.cache.DescribeServerlessCaches(ctx, &elasticache.DescribeServerlessCachesInput{ServerlessCacheName: &c.Serverless})
		if err != nil || len(out.ServerlessCaches) == 0 {
			return false, err
		}
		created = out.ServerlessCaches[0].CreateTime
	} else {
		out, err := s.cache.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &c.ReplicationGroup})
		if err != nil || len(out.ReplicationGroups) == 0 {
			return false, err
		}
		created = out.ReplicationGroups[0].ReplicationGroupCreateTime
	}
	return created != nil && !created.Before(began), nil
}

// stuckCache is the error of a cache that has been in one status for too long.
func (s *stack) stuckCache(status string, began time.Time) error {
	name := cacheName(s.config.Cache)
	return fmt.Errorf("the cache %s is still %s after %s, and is billed until it is gone: `aws elasticache describe-events --source-identifier %[1]s --source-type %[4]s` "+
		"may say why; run this command again later, and ask AWS Support if that does not help", name, status, time.Since(began).Round(time.Second), s.cacheKind())
}

// deleteCache asks for the deletion; a cache that is busy, or gone meanwhile, is no error.
func (s *stack) deleteCache(ctx context.Context) (err error) {
	if c := s.config.Cache; c.Serverless != "" {
		_, err = s.cache.DeleteServerlessCache(ctx, &elasticache.DeleteServerlessCacheInput{ServerlessCacheName: &c.Serverless})
	} else {
		_, err = s.cache.DeleteReplicationGroup(ctx, &elasticache.DeleteReplicationGroupInput{ReplicationGroupId: &c.ReplicationGroup})
	}
	if missing(err) || busy(err) {
		return nil
	}
	return err
}

// busy: a cache that is being created or modified cannot be deleted, nor asked for its tags.
func busy(err error) bool {
	return code(err) == "InvalidReplicationGroupState" || strings.HasPrefix(code(err), "InvalidServerlessCacheState")
}

// cacheGone waits until a cache that is being deleted is gone, and shows that it does. With remove it deletes one that is there, as soon as its
// state lets it; one that the stack only uses has no status here.
func cacheGone(ctx context.Context, con *console.Console, s *stack, remove bool) error {
	name, began := cacheName(s.config.Cache), time.Now()
	var waiting *console.Step
	defer func() { waiting.End() }()
	for {
		status, err := s.cacheStatus(ctx)
		if err != nil || status == "" || status != "deleting" && !remove {
			return err
		}
		if status != "deleting" {
			if err := s.deleteCache(ctx); err != nil {
				return fmt.Errorf("delete the cache %s: %w", name, err)
			}
		}
		if waiting == nil {
			waiting = con.Step("the cache %s is %s: waiting until it is gone", name, status)
		}
		waiting.At(-1, "%s", status)
		if time.Since(began) > cacheLimit {
			return s.stuckCache(status, began)
		}
		if err := con.Wait(ctx, 0); err != nil {
			return err
		}
	}
}

// cacheKind is AWS's word for what the cache is.
func (s *stack) cacheKind() string {
	if s.config.Cache.Serverless != "" {
		return "serverless-cache"
	}
	return "replication-group"
}

// leftError says how to remove what is left; nil when there is nothing.
func leftError(commands []string) error {
	if len(commands) == 0 {
		return nil
	}
	return fmt.Errorf("the state is empty, and yet AWS has this under the stack's names: the answer to its creation was lost. If nobody else made it, remove it with\n  %s", strings.Join(commands, "\n  "))
}

// left looks for what a lost answer can leave behind, by the stack's names, and gives the commands that remove it. The calls that make the
// rest are idempotent: sent again, they find what they made.
func (s *stack) left(ctx context.Context) (commands []string, err error) {
	name := s.config.Name
	look := func(err error, command string, args ...any) error {
		if missing(err) || code(err) == "NoSuchEntity" {
			return nil
		}
		if err == nil {
			commands = append(commands, fmt.Sprintf("aws "+command, args...))
		}
		return err
	}
	status, err := s.cacheStatus(ctx)
	if err == nil && status != "" {
		option := map[string]string{"replication-group": "--replication-group-id", "serverless-cache": "--serverless-cache-name"}[s.cacheKind()]
		commands = append(commands, fmt.Sprintf("aws elasticache delete-%s %s %s", s.cacheKind(), option, cacheName(s.config.Cache)))
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
			err = awsquery.Call(ctx, s.cfg, awsquery.IAM, "GetRole", url.Values{"RoleName": {role}}, nil)
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
		chosen := filters("group-name", name+"-cache", "tag:name", name)
		chosen.Set("Filter.1.Value.2", name+"-load")
		var groups []securityGroup
		groups, err = securityGroups(ctx, s.cfg, chosen)
		for _, g := range groups {
			commands = append(commands, "aws ec2 delete-security-group --group-id "+g.ID)
		}
	}
	if err != nil {
		return commands, fmt.Errorf("everything in the state is removed; whether something else is left is not known: %w", err)
	}
	return commands, nil
}
