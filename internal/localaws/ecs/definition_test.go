package ecs_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"
)

func TestTaskDefinitions(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	in := definition(container("true"))
	in.Cpu, in.Memory, in.Tags = aws.String("1 vCPU"), aws.String("2GB"), []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}
	in.RuntimePlatform = &types.RuntimePlatform{CpuArchitecture: types.CPUArchitectureArm64, OperatingSystemFamily: types.OSFamilyLinux}
	c := &in.ContainerDefinitions[0]
	c.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(80)}}
	c.Ulimits = []types.Ulimit{{Name: types.UlimitNameNofile, SoftLimit: 1000, HardLimit: 2000}}
	arn := w.register(in)
	require.Equal(t, "arn:aws:ecs:us-east-1:123456789012:task-definition/load:1", arn)
	two := w.register(definition(container("true")))
	for _, ref := range []string{arn, "load:1"} {
		out, err := w.ecs.DescribeTaskDefinition(ctx, &sdk.DescribeTaskDefinitionInput{TaskDefinition: &ref, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags}})
		require.NoError(t, err)
		d := out.TaskDefinition
		require.Equal(t, []string{"1024", "2048"}, []string{*d.Cpu, *d.Memory})
		require.Equal(t, in.RuntimePlatform, d.RuntimePlatform)
		require.Equal(t, in.Tags, out.Tags)
		require.Equal(t, types.TaskDefinitionStatusActive, d.Status)
		got := d.ContainerDefinitions[0]
		require.True(t, *got.Essential)
		require.Equal(t, types.PortMapping{ContainerPort: aws.Int32(80), HostPort: aws.Int32(80), Protocol: types.TransportProtocolTcp}, got.PortMappings[0])
		require.Equal(t, c.Ulimits, got.Ulimits)
		require.Equal(t, c.LogConfiguration.Options, got.LogConfiguration.Options)
		require.NotNil(t, got.Environment)
	}
	newest, err := w.ecs.DescribeTaskDefinition(ctx, &sdk.DescribeTaskDefinitionInput{TaskDefinition: aws.String("load")})
	require.NoError(t, err)
	require.Equal(t, two, *newest.TaskDefinition.TaskDefinitionArn)
	_, err = w.ecs.DeregisterTaskDefinition(ctx, &sdk.DeregisterTaskDefinitionInput{TaskDefinition: &two})
	require.NoError(t, err)
	old, err := w.ecs.DescribeTaskDefinition(ctx, &sdk.DescribeTaskDefinitionInput{TaskDefinition: &two})
	require.NoError(t, err)
	require.Equal(t, types.TaskDefinitionStatusInactive, old.TaskDefinition.Status)
	newest, err = w.ecs.DescribeTaskDefinition(ctx, &sdk.DescribeTaskDefinitionInput{TaskDefinition: aws.String("load")})
	require.NoError(t, err)
	require.Equal(t, arn, *newest.TaskDefinition.TaskDefinitionArn)
	_, err = w.ecs.CreateService(ctx, service(two, 1))
	code(t, err, "ClientException", "TaskDefinition is inactive")
	_, err = w.ecs.DescribeTaskDefinition(ctx, &sdk.DescribeTaskDefinitionInput{TaskDefinition: aws.String("none:1")})
	code(t, err, "ClientException", "Unable to describe task definition.")
	three := w.register(definition(container("true")))
	require.True(t, strings.HasSuffix(three, ":3"), "a revision is never used again: %s", three)
}

// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
func TestFargateSizes(t *testing.T) {
	w := start(t)
	for size, ok := range map[[2]string]bool{
		{"256", "512"}: true, {"256", "2048"}: true, {"256", "3072"}: false, {"512", "1024"}: true, {"512", "512"}: false, {"512", "1536"}: false,
		{"1024", "8192"}: true, {"2048", "2048"}: false, {"4096", "30720"}: true, {"4096", "31744"}: false, {"8192", "16384"}: true, {"8192", "18432"}: false,
		{"16384", "122880"}: true, {"32768", "61440"}: true, {"32768", "249856"}: true, {"32768", "65536"}: false, {"300", "512"}: false, {".25 vCPU", "1 GB"}: false, {"0.25 vCPU", "1 GB"}: true,
	} {
		in := definition(container("true"))
		in.Cpu, in.Memory = &size[0], &size[1]
		_, err := w.ecs.RegisterTaskDefinition(t.Context(), in)
		if ok {
			require.NoError(t, err, "%v", size)
		} else {
			require.ErrorContains(t, err, "No Fargate configuration exists for given values: "+size[0]+" CPU, "+size[1]+" memory.", "%v", size)
		}
	}
}

func TestWrongTaskDefinitions(t *testing.T) {
	w := start(t)
	for text, change := range map[string]func(*sdk.RegisterTaskDefinitionInput, *types.ContainerDefinition){
		"Family contains invalid characters": func(in *sdk.RegisterTaskDefinitionInput, _ *types.ContainerDefinition) { in.Family = aws.String("a b") },
		"Fargate only supports network mode": func(in *sdk.RegisterTaskDefinitionInput, _ *types.ContainerDefinition) {
			in.NetworkMode = types.NetworkModeBridge
		},
		"be defined at the task level": func(in *sdk.RegisterTaskDefinitionInput, _ *types.ContainerDefinition) { in.Memory = nil },
		"Role is not valid": func(in *sdk.RegisterTaskDefinitionInput, _ *types.ContainerDefinition) {
			in.TaskRoleArn = aws.String("load")
		},
		"execution role ARN to support log driver awslogs": func(in *sdk.RegisterTaskDefinitionInput, _ *types.ContainerDefinition) { in.ExecutionRoleArn = nil },
		"specifying container secrets": func(in *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) {
			in.ExecutionRoleArn, c.LogConfiguration = nil, nil
			c.Secrets = []types.Secret{{Name: aws.String("A"), ValueFrom: aws.String("b")}}
		},
		"Container.name contains invalid characters.": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) { c.Name = aws.String("a/b") },
		"Container.image contains invalid characters.": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) {
			c.Image = aws.String("Redis:x y")
		},
		"Container.image should not be null or empty.": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) { c.Image = nil },
		"stopTimeout on Fargate must be between 2 and 120 seconds": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) {
			c.StopTimeout = aws.Int32(121)
		},
		"at least one essential container": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) { c.Essential = aws.Bool(false) },
		"Log driver awslogs requires options: awslogs-stream-prefix": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) {
			delete(c.LogConfiguration.Options, "awslogs-stream-prefix")
		},
		"mode must be blocking or non-blocking": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) {
			c.LogConfiguration.Options["mode"] = "x"
		},
		"max-buffer-size": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) {
			c.LogConfiguration.Options["max-buffer-size"] = "10 MB"
		},
		"does not serve the awslogs option awslogs-datetime-format": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) {
			c.LogConfiguration.Options["awslogs-datetime-format"] = "x"
		},
		"The secret name must be unique": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) {
			c.Environment = []types.KeyValuePair{{Name: aws.String("A"), Value: aws.String("b")}}
			c.Secrets = []types.Secret{{Name: aws.String("A"), ValueFrom: aws.String("b")}}
		},
		"SSM parameters only": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) {
			c.Secrets = []types.Secret{{Name: aws.String("A"), ValueFrom: aws.String("arn:aws:secretsmanager:us-east-1:123456789012:secret:x")}}
		},
		"ports in port mappings must match": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) {
			c.PortMappings = []types.PortMapping{{ContainerPort: aws.Int32(80), HostPort: aws.Int32(81)}}
		},
		"the containers' sum is greater than the task's cpu": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) { c.Cpu = 257 },
		"Max allowed length is '65536' bytes.": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) {
			c.EntryPoint = []string{strings.Repeat("x", 65536)}
		},
		"localaws does not serve mountPoints": func(_ *sdk.RegisterTaskDefinitionInput, c *types.ContainerDefinition) {
			c.MountPoints = []types.MountPoint{{SourceVolume: aws.String("v")}}
		},
	} {
		in := definition(container("true"))
		change(in, &in.ContainerDefinitions[0])
		_, err := w.ecs.RegisterTaskDefinition(t.Context(), in)
		require.ErrorContains(t, err, text)
	}
	for _, image := range []string{"redis", "public.ecr.aws/valkey/valkey:8.1-alpine", "localhost:5000/a/b@sha256:" + strings.Repeat("0", 64),
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/perf/memtier:2.3.1", "redislabs/memtier_benchmark:2.3.1"} {
		in := definition(container("true"))
		in.ContainerDefinitions[0].Image = &image
		w.register(in)
	}
}

func TestClustersAndTags(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	_, err := w.ecs.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("x"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
		Settings: []types.ClusterSetting{{Name: types.ClusterSettingNameContainerInsights, Value: aws.String("enhanced")}}})
	require.NoError(t, err)
	out, err := w.ecs.DescribeClusters(ctx, &sdk.DescribeClustersInput{Clusters: []string{"x", "none"}, Include: []types.ClusterField{types.ClusterFieldTags, types.ClusterFieldSettings}})
	require.NoError(t, err)
	c := out.Clusters[0]
	require.Equal(t, "arn:aws:ecs:us-east-1:123456789012:cluster/x", *c.ClusterArn)
	require.Equal(t, "enhanced", *c.Settings[0].Value)
	require.Equal(t, "b", *c.Tags[0].Value)
	require.Equal(t, "MISSING", *out.Failures[0].Reason)
	_, err = w.ecs.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("z"), CapacityProviders: []string{"FARGATE"},
		DefaultCapacityProviderStrategy: []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE_SPOT")}}})
	code(t, err, "InvalidParameterException", "not associated")
	_, err = w.ecs.CreateCluster(ctx, &sdk.CreateClusterInput{ClusterName: aws.String("y z")})
	code(t, err, "InvalidParameterException", "cluster name")
	_, err = w.ecs.UpdateCluster(ctx, &sdk.UpdateClusterInput{Cluster: aws.String("x"), Settings: []types.ClusterSetting{{Name: types.ClusterSettingNameContainerInsights, Value: aws.String("on")}}})
	code(t, err, "InvalidParameterException", "containerInsights")

	_, err = w.ecs.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: c.ClusterArn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("c")}, {Key: aws.String("d"), Value: aws.String("")}}})
	require.NoError(t, err)
	_, err = w.ecs.UntagResource(ctx, &sdk.UntagResourceInput{ResourceArn: c.ClusterArn, TagKeys: []string{"d"}})
	require.NoError(t, err)
	tags, err := w.ecs.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceArn: c.ClusterArn})
	require.NoError(t, err)
	require.Equal(t, []types.Tag{{Key: aws.String("a"), Value: aws.String("c")}}, tags.Tags)
	_, err = w.ecs.TagResource(ctx, &sdk.TagResourceInput{ResourceArn: c.ClusterArn, Tags: []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("c")}}})
	code(t, err, "InvalidParameterException", "aws:")

	clusters, err := w.ecs.ListClusters(ctx, &sdk.ListClustersInput{MaxResults: aws.Int32(1)})
	require.NoError(t, err)
	require.NotNil(t, clusters.NextToken)
}
