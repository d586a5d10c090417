package campaign

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/lambda/reference"
)

func TestWhatARunIsExpectedToCost(t *testing.T) {
	in := &terraform.Inputs{Minutes: 45}
	in.Cache.NodeType, in.Cache.Engine, in.Cache.Shards, in.Cache.Replicas = "cache.r7g.large", "valkey", 2, 1
	in.Load.TaskCount, in.Load.CPU, in.Load.Memory, in.Load.Architecture = 4, 2048, 4096, "X86_64"
	node := reference.Known().NodeHour[[3]string{"us-east-1", "cache.r7g.large", "valkey"}]
	task := reference.Known().Fargate[[2]string{"us-east-1", "X86_64"}]
	require.Positive(t, node)
	e := EstimateRun(in, "us-east-1")
	require.Equal(t, 4, e.NodeHours, "45 minutes and 15 around them are one hour")
	require.InDelta(t, 8, e.VCPUs, 1e-9)
	require.InDelta(t, 4*node+4*50.0/60*(2*task[0]+4*task[1]), e.USD, 1e-9)
	require.Empty(t, e.Missing)

	in.Minutes = 46
	require.Equal(t, 8, EstimateRun(in, "us-east-1").NodeHours, "a started hour is a whole one")
	require.Contains(t, EstimateRun(in, "mars-north-1").Missing, "cache.r7g.large with valkey in mars-north-1, Fargate with X86_64")
	in.Cache.Serverless = &struct{}{}
	require.Contains(t, EstimateRun(in, "us-east-1").Missing, "serverless")
}
