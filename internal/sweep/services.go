package sweep

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecst "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sns"
)

// remover has the clients that find and delete the resources of a stack.
type remover struct {
	cfg  aws.Config
	name string // of the stack

	ecs       *ecs.Client
	cache     *elasticache.Client
	schedules *scheduler.Client
	functions *lambda.Client
	topics    *sns.Client
	metrics   *cloudwatch.Client
	logs      *cloudwatchlogs.Client
}

func newRemover(cfg aws.Config, name string) *remover {
	return &remover{cfg: cfg, name: name, ecs: ecs.NewFromConfig(cfg), cache: elasticache.NewFromConfig(cfg), schedules: scheduler.NewFromConfig(cfg), functions: lambda.NewFromConfig(cfg),
		topics: sns.NewFromConfig(cfg), metrics: cloudwatch.NewFromConfig(cfg), logs: cloudwatchlogs.NewFromConfig(cfg)}
}

// A service's id is CLUSTER/NAME.
func serviceThere(ctx context.Context, r *remover, id string) (bool, error) {
	cluster, name, _ := strings.Cut(id, "/")
	out, err := r.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: []string{name}})
	return err == nil && len(out.Services) > 0 && aws.ToString(out.Services[0].Status) != "INACTIVE", err
}

func deleteService(ctx context.Context, r *remover, id string) error {
	cluster, name, _ := strings.Cut(id, "/")
	_, err := r.ecs.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: &cluster, Service: &name, Force: aws.Bool(true)})
	return err
}

func definitionThere(ctx context.Context, r *remover, arn string) (bool, error) {
	out, err := r.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &arn})
	return err == nil && out.TaskDefinition.Status == ecst.TaskDefinitionStatusActive, err // AWS keeps inactive ones with their tags
}

func deregister(ctx context.Context, r *remover, arn string) error {
	_, err := r.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: &arn})
	return err
}

func clusterThere(ctx context.Context, r *remover, name string) (bool, error) {
	out, err := r.ecs.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{name}})
	return err == nil && len(out.Clusters) > 0 && aws.ToString(out.Clusters[0].Status) != "INACTIVE", err
}

func deleteCluster(ctx context.Context, r *remover, name string) error {
	_, err := r.ecs.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: &name})
	return err
}

func groupThere(ctx context.Context, r *remover, id string) (bool, error) {
	_, err := r.cache.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &id})
	return err == nil, err
}

func deleteGroup(ctx context.Context, r *remover, id string) error {
	_, err := r.cache.DeleteReplicationGroup(ctx, &elasticache.DeleteReplicationGroupInput{ReplicationGroupId: &id})
	return err
}

func serverlessThere(ctx context.Context, r *remover, name string) (bool, error) {
	_, err := r.cache.DescribeServerlessCaches(ctx, &elasticache.DescribeServerlessCachesInput{ServerlessCacheName: &name})
	return err == nil, err
}

func deleteServerless(ctx context.Context, r *remover, name string) error {
	_, err := r.cache.DeleteServerlessCache(ctx, &elasticache.DeleteServerlessCacheInput{ServerlessCacheName: &name})
	return err
}

func subnetsThere(ctx context.Context, r *remover, name string) (bool, error) {
	_, err := r.cache.DescribeCacheSubnetGroups(ctx, &elasticache.DescribeCacheSubnetGroupsInput{CacheSubnetGroupName: &name})
	return err == nil, err
}

func deleteSubnets(ctx context.Context, r *remover, name string) error {
	_, err := r.cache.DeleteCacheSubnetGroup(ctx, &elasticache.DeleteCacheSubnetGroupInput{CacheSubnetGroupName: &name})
	return err
}

func parametersThere(ctx context.Context, r *remover, name string) (bool, error) {
	_, err := r.cache.DescribeCacheParameterGroups(ctx, &elasticache.DescribeCacheParameterGroupsInput{CacheParameterGroupName: &name})
	return err == nil, err
}

func deleteParameters(ctx context.Context, r *remover, name string) error {
	_, err := r.cache.DeleteCacheParameterGroup(ctx, &elasticache.DeleteCacheParameterGroupInput{CacheParameterGroupName: &name})
	return err
}

func schedulesThere(ctx context.Context, r *remover, group string) (bool, error) {
	_, err := r.schedules.GetScheduleGroup(ctx, &scheduler.GetScheduleGroupInput{Name: &group})
	return err == nil, err
}

// deleteSchedules deletes the group; AWS then deletes its schedules:
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_DeleteScheduleGroup.html
func deleteSchedules(ctx context.Context, r *remover, group string) error {
	_, err := r.schedules.DeleteScheduleGroup(ctx, &scheduler.DeleteScheduleGroupInput{Name: &group})
	return err
}

func functionThere(ctx context.Context, r *remover, name string) (bool, error) {
	_, err := r.functions.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	return err == nil, err
}

func deleteFunction(ctx context.Context, r *remover, name string) error {
	_, err := r.functions.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &name})
	return err
}

func topicThere(ctx context.Context, r *remover, arn string) (bool, error) {
	_, err := r.topics.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn})
	return err == nil, err
}

func deleteTopic(ctx context.Context, r *remover, arn string) error {
	_, err := r.topics.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &arn})
	return err
}

func alarmThere(ctx context.Context, r *remover, name string) (bool, error) {
	out, err := r.metrics.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}})
	return err == nil && len(out.MetricAlarms) > 0, err
}

func deleteAlarm(ctx context.Context, r *remover, name string) error {
	_, err := r.metrics.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{name}})
	return err
}

func dashboardThere(ctx context.Context, r *remover, name string) (bool, error) {
	_, err := r.metrics.GetDashboard(ctx, &cloudwatch.GetDashboardInput{DashboardName: &name})
	return err == nil, err
}

func deleteDashboard(ctx context.Context, r *remover, name string) error {
	_, err := r.metrics.DeleteDashboards(ctx, &cloudwatch.DeleteDashboardsInput{DashboardNames: []string{name}})
	return err
}

// AWS searches by prefix only, and returns groups sorted by name.
func logGroupThere(ctx context.Context, r *remover, name string) (bool, error) {
	out, err := r.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
	return err == nil && len(out.LogGroups) > 0 && aws.ToString(out.LogGroups[0].LogGroupName) == name, err
}

func deleteLogGroup(ctx context.Context, r *remover, name string) error {
	_, err := r.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &name})
	return err
}
