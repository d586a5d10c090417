package stack

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// StrayInsights is a log group of Container Insights that came back. AWS writes to it for some minutes after the last task, and creates it again
// without a retention after Terraform removed it. "" if there is none, or while a cluster of that name exists and uses it.
func (s *Stack) StrayInsights(ctx context.Context) (string, error) {
	name := "/aws/ecs/containerinsights/" + s.Config.Cluster + "/performance"
	if is, err := s.logGroup(ctx, name); err != nil || !is {
		return "", err
	}
	clusters, err := s.ecs.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{s.Config.Cluster}})
	if err != nil {
		return "", fmt.Errorf("ECS cluster %s: %w", s.Config.Cluster, err)
	}
	for _, c := range clusters.Clusters {
		if aws.ToString(c.Status) != "INACTIVE" {
			return "", nil
		}
	}
	return name, nil
}

// DeleteLogGroup deletes a log group. If it is already gone, that is not an error.
func (s *Stack) DeleteLogGroup(ctx context.Context, name string) error {
	if _, err := s.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &name}); err != nil && !Missing(err) {
		return fmt.Errorf("log group %s: %w", name, err)
	}
	return nil
}
