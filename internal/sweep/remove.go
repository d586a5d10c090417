package sweep

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
)

// The kinds that are found by name, not by tag.
const (
	roleKind      = "iam:role"
	dashboardKind = "cloudwatch:dashboard"
)

// removal looks for and deletes one kind of resource. remove requests the deletion, which AWS may not have completed when it answers.
type removal struct {
	kind, alone, noun string // alone: the words before the id if there is only one
	there             func(context.Context, *remover, string) (bool, error)
	remove            func(context.Context, *remover, string) error
}

// removals are in the order of removal: first the load and the cache, which are billed; then the schedules, which guard them; then what all of these used. What
// is not listed here is deleted with something that is: tasks, nodes, network interfaces.
var removals = []removal{
	{"ecs:service", "the service", "services", serviceThere, deleteService},
	{"elasticache:replicationgroup", "the cache", "caches", groupThere, deleteGroup},
	{"elasticache:serverlesscache", "the cache", "serverless caches", serverlessThere, deleteServerless},
	{"scheduler:schedule-group", "the schedules in", "schedule groups", schedulesThere, deleteSchedules},
	{"lambda:function", "the function", "functions", functionThere, deleteFunction},
	{"ecs:task-definition", "", "task definitions", definitionThere, deregister},
	{"ecs:cluster", "", "ECS clusters", clusterThere, deleteCluster},
	{"elasticache:subnetgroup", "", "subnet groups", subnetsThere, deleteSubnets},
	{"elasticache:parametergroup", "", "parameter groups", parametersThere, deleteParameters},
	{"ec2:security-group-rule", "", "security group rules", ruleThere, revokeRule},
	{"ec2:security-group", "", "security groups", securityGroupThere, deleteSecurityGroup},
	{"sqs", "", "queues", queueThere, deleteQueue},
	{"sns", "", "topics", topicThere, deleteTopic},
	{"ssm:parameter", "", "parameters", parameterThere, deleteParameter},
	{"cloudwatch:alarm", "", "alarms", alarmThere, deleteAlarm},
	{dashboardKind, "", "dashboards", dashboardThere, deleteDashboard},
	{"logs:log-group", "", "log groups", logGroupThere, deleteLogGroup},
	{roleKind, "", "IAM roles", roleThere, deleteRole},
}

func removalOf(kind string) *removal {
	if i := slices.IndexFunc(removals, func(k removal) bool { return k.kind == kind }); i >= 0 {
		return &removals[i]
	}
	return nil
}

// there reports whether a resource exists; false for a kind that is not in removals.
func (r *remover) there(ctx context.Context, one resource) (bool, error) {
	k := removalOf(one.kind)
	if k == nil {
		return false, nil
	}
	is, err := k.there(ctx, r, one.id)
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", one, err)
	}
	return is, nil
}

// gone reports whether an error means that the resource does not exist.
func gone(err error) bool {
	code := stack.Code(err)
	return stack.Missing(err) || code == "NoSuchEntity" || strings.HasSuffix(code, "NonExistentQueue") || code == "QueueDoesNotExist"
}

// busy reports whether an error means that the resource is in use or changing its state: what uses it is being removed.
func busy(err error) bool {
	code := stack.Code(err)
	return slices.Contains([]string{"DependencyViolation", "CacheSubnetGroupInUse", "InvalidCacheParameterGroupState", "ConflictException", "ResourceConflictException",
		"ClusterContainsServicesException", "ClusterContainsTasksException", "ServiceNotActiveException", "DeleteConflict", "OperationAbortedException",
		"InvalidReplicationGroupState", "UpdateInProgressException"}, code) || strings.HasPrefix(code, "InvalidServerlessCacheState")
}

// removalLimit is how long the deletion of one resource may take: as long as the provider would wait for a cache.
const removalLimit = 45 * time.Minute

// Remove removes all resources of a stack in the order of removals. It waits until each is gone.
func (f *Found) Remove(ctx context.Context, con *console.Console, cfg aws.Config) error {
	r, removing := newRemover(cfg, f.Name), con.Step("removing the stack %s", f.Name)
	defer removing.End()
	for _, k := range removals {
		for _, one := range f.there {
			if one.kind != k.kind {
				continue
			}
			if err := r.removeOne(ctx, con, removing, k, one); err != nil {
				return fmt.Errorf("%s is not removed, and what comes after it is still there: %w", one, err)
			}
		}
	}
	return nil
}

func (r *remover) removeOne(ctx context.Context, con *console.Console, shown *console.Step, k removal, one resource) error {
	began := time.Now()
	for {
		is, err := r.there(ctx, one)
		if err != nil || !is {
			return err
		}
		err = k.remove(ctx, r, one.id)
		switch {
		case err != nil && !gone(err) && !busy(err):
			return err
		case time.Since(began) > removalLimit:
			return fmt.Errorf("it is still there after %s (%w)", removalLimit, err)
		}
		shown.At(-1, "%s", one)
		if is, err := r.there(ctx, one); err != nil || !is {
			return err
		}
		if err := con.Wait(ctx, 5*time.Second); err != nil {
			return err
		}
	}
}
