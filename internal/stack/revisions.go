package stack

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// DropRevisions deregisters the active revisions of the load's task definition that carry the stack's tag, and gives how many there were. Terraform knows one.
// The SDK repeats a RegisterTaskDefinition whose answer was lost, which leaves another: https://github.com/aws/aws-sdk-go-v2/issues/2737. Where the cluster is
// active, somebody has deployed the stack again, and the revisions are left alone.
func (s *Stack) DropRevisions(ctx context.Context) (dropped int, err error) {
	if there, err := s.clusterThere(ctx); err != nil || there {
		return 0, err
	}
	for {
		out, err := s.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{ // of a family: its latest active revision
			TaskDefinition: &s.Config.Service, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}})
		switch {
		case Code(err) == "ClientException": // there is none
			return dropped, nil
		case err != nil:
			return dropped, fmt.Errorf("ECS task definition %s: %w", s.Config.Service, err)
		case out.TaskDefinition == nil || !tagged(out.Tags, s.Config.Name):
			return dropped, nil
		}
		if _, err := s.ecs.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: out.TaskDefinition.TaskDefinitionArn}); err != nil {
			return dropped, fmt.Errorf("deregister %s: %w", aws.ToString(out.TaskDefinition.TaskDefinitionArn), err)
		}
		dropped++
	}
}

// tagged tells whether the tag that everything of a stack carries has the stack's name.
func tagged(tags []types.Tag, name string) bool {
	for _, t := range tags {
		if aws.ToString(t.Key) == "elasticache-perf" {
			return aws.ToString(t.Value) == name
		}
	}
	return false
}
