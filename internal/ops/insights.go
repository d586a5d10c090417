package ops

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// lateInsights removes the log group of Container Insights that came back: AWS writes to it for some minutes after the last task, and makes it again,
// without a retention, when Terraform has removed it. The next apply would meet ResourceAlreadyExists. While there is a cluster of the name, the
// group is somebody's.
func lateInsights(ctx context.Context, con *console.Console, t *terraform.CLI, s *stack) error {
	name := "/aws/ecs/containerinsights/" + s.config.Cluster + "/performance"
	groups, err := s.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
	if err != nil {
		return fmt.Errorf("log group %s: %w", name, err)
	}
	if len(groups.LogGroups) == 0 || aws.ToString(groups.LogGroups[0].LogGroupName) != name {
		return nil
	}
	clusters, err := s.ecs.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{s.config.Cluster}})
	if err != nil {
		return fmt.Errorf("ECS cluster %s: %w", s.config.Cluster, err)
	}
	for _, c := range clusters.Clusters {
		if aws.ToString(c.Status) != "INACTIVE" {
			return nil
		}
	}
	if known, err := t.Resources(ctx); err != nil || slices.Contains(known, terraform.InsightsAddress) {
		return err
	}
	if _, err := s.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &name}); err != nil && !missing(err) {
		return fmt.Errorf("log group %s: %w", name, err)
	}
	con.Say("the log group %s came back after an earlier destroy: removed", name)
	return nil
}
