package ecs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

// As Terraform's provider 6 waits for a steady service: the deployment whose revision has the number of the primary one.
func TestServiceDeployments(t *testing.T) {
	clock := wiretest.NewClock() // stands still: a deployment whose task has failed waits for ever before it tries again
	w := start(t, standing(clock))
	ctx := t.Context()
	before := clock.Now().Add(-time.Minute)
	w.create(service(w.register(definition(container(forever))), 1))
	number := strings.TrimPrefix(*w.describe().Deployments[0].Id, "ecs-svc/")
	list := func(change ...func(*sdk.ListServiceDeploymentsInput)) []types.ServiceDeploymentBrief {
		in := &sdk.ListServiceDeploymentsInput{Cluster: aws.String("c"), Service: aws.String("s"), CreatedAt: &types.CreatedAt{After: &before}}
		for _, c := range change {
			c(in)
		}
		out, err := w.ecs.ListServiceDeployments(ctx, in)
		require.NoError(t, err)
		return out.ServiceDeployments
	}
	found := list()
	require.Len(t, found, 1)
	require.Contains(t, *found[0].TargetServiceRevisionArn, number)
	status := func(arn *string) types.ServiceDeployment {
		out, err := w.ecs.DescribeServiceDeployments(ctx, &sdk.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{*arn, *arn + "0"}})
		require.NoError(t, err)
		require.Equal(t, "MISSING", *out.Failures[0].Reason)
		return out.ServiceDeployments[0]
	}
	w.steady()
	first := status(found[0].ServiceDeploymentArn)
	require.Equal(t, types.ServiceDeploymentStatusSuccessful, first.Status)
	require.NotNil(t, first.FinishedAt)
	require.EqualValues(t, 1, first.TargetServiceRevision.RunningTaskCount)

	bad := container("true")
	bad.EntryPoint = []string{"no-such-program"}
	two := w.register(definition(bad))
	_, err := w.ecs.UpdateService(ctx, update(func(in *sdk.UpdateServiceInput) { in.TaskDefinition = &two }))
	require.NoError(t, err)
	found = list()
	require.Len(t, found, 2)
	require.Equal(t, first.ServiceDeploymentArn, found[1].ServiceDeploymentArn, "newest first")
	require.Equal(t, types.ServiceDeploymentStatusInProgress, found[0].Status)
	require.Nil(t, found[0].FinishedAt)
	require.Len(t, list(func(in *sdk.ListServiceDeploymentsInput) {
		in.Status = []types.ServiceDeploymentStatus{types.ServiceDeploymentStatusSuccessful}
	}), 1)
	require.Empty(t, list(func(in *sdk.ListServiceDeploymentsInput) { in.CreatedAt.After = aws.Time(clock.Now().Add(time.Hour)) }))
	_, err = w.ecs.ListServiceDeployments(ctx, &sdk.ListServiceDeploymentsInput{Cluster: aws.String("c"), Service: aws.String("never")})
	code(t, err, "ServiceNotFoundException", "Service not found.")
}
