package stack

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// StrayInsights is a log group of Container Insights that came back. AWS writes to it for some minutes after the last task, and creates it again
// without a retention after Terraform removed it. "" if there is none, or while a cluster of that name exists and uses it.
func (s *Stack) StrayInsights(ctx context.Context) (string, error) {
	name := "/aws/ecs/containerinsights/" + s.Config.Cluster + "/performance"
	if is, err := s.logGroup(ctx, name); err != nil || !is {
		return "", err
	}
	if there, err := s.clusterThere(ctx); err != nil || there {
		return "", err
	}
	return name, nil
}

// clusterThere tells whether the stack's cluster exists: after a destroy, somebody has then deployed the stack again.
func (s *Stack) clusterThere(ctx context.Context) (bool, error) {
	clusters, err := s.ecs.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{s.Config.Cluster}})
	if err != nil {
		return false, fmt.Errorf("ECS cluster %s: %w", s.Config.Cluster, err)
	}
	return slices.ContainsFunc(clusters.Clusters, func(c types.Cluster) bool { return aws.ToString(c.Status) != "INACTIVE" }), nil
}

// DeleteLogGroup deletes a log group. If it is already gone, that is not an error.
func (s *Stack) DeleteLogGroup(ctx context.Context, name string) error {
	if _, err := s.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &name}); err != nil && !Missing(err) {
		return fmt.Errorf("log group %s: %w", name, err)
	}
	return nil
}
