package campaign

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/price"
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
	e := EstimateRun(in, price.Dated("us-east-1"))
	require.Equal(t, 4, e.NodeHours, "45 minutes and 15 around them are one hour")
	require.InDelta(t, 8, e.VCPUs, 1e-9)
	require.InDelta(t, 4*node+4*50.0/60*(2*task[0]+4*task[1]), e.USD, 1e-9)
	require.Empty(t, e.Missing)

	in.Minutes = 46
	require.Equal(t, 8, EstimateRun(in, price.Dated("us-east-1")).NodeHours, "a started hour is a whole one")
	require.Contains(t, EstimateRun(in, price.Dated("mars-north-1")).Missing, "cache.r7g.large with valkey in mars-north-1, Fargate with X86_64")
}

// The cost of a serverless cache has an upper bound if the load or the cache has a limit. Otherwise it is unknown, and never 0.
func TestWhatAServerlessCacheIsExpectedToCost(t *testing.T) {
	prices := price.Dated("us-east-1")
	million, gbHour, least, ok := prices.Serverless("valkey")
	require.True(t, ok)
	tasks := 2 * 50.0 / 60
	vcpu, gb, _ := prices.Fargate("X86_64")
	for name, c := range map[string]struct {
		change  func(*terraform.Inputs)
		ecpus   float64 // per second
		gb      float64
		assumed string
		missing string
	}{
		"nothing is known":      {func(*terraform.Inputs) {}, 0, least, "GB of data", "the requests of the serverless cache, which are not known"},
		"a rate without a size": {func(in *terraform.Inputs) { in.Load.RateLimit = 100 }, 0, least, "GB of data", "set rate_limit and data_size"},
		"a rate":                {func(in *terraform.Inputs) { in.Load.RateLimit, in.Load.DataSize = 100, 500 }, 100 * 2 * 3 * 10, least, "6000 ECPU/s (the load's rate_limit", ""},
		"values of 2.5 kB":      {func(in *terraform.Inputs) { in.Load.RateLimit, in.Load.DataSize = 100, 2500 }, 3 * 6000, least, "18000 ECPU/s", ""},
		"the cache's limit":     {func(in *terraform.Inputs) { in.Cache.Serverless.MaxECPU, in.Cache.Serverless.MaxGB = 5000, 10 }, 5000, 10, "its max_ecpu_per_second", ""},
		"the lower of both": {func(in *terraform.Inputs) {
			in.Load.RateLimit, in.Load.DataSize, in.Cache.Serverless.MaxECPU = 100, 500, 90000
		}, 6000, least, "6000 ECPU/s", ""},
		"a minimum is paid for": {func(in *terraform.Inputs) {
			in.Load.RateLimit, in.Load.DataSize, in.Cache.Serverless.MinECPU, in.Cache.Serverless.MinGB = 1, 1, 7000, 3
		}, 7000, 3, "7000 ECPU/s", ""},
	} {
		in := &terraform.Inputs{Minutes: 45}
		in.Cache.Engine, in.Cache.Serverless = "valkey", &terraform.Serverless{}
		in.Load.TaskCount, in.Load.CPU, in.Load.Memory, in.Load.Architecture, in.Load.Threads, in.Load.Clients = 2, 2048, 4096, "X86_64", 3, 10
		c.change(in)
		e := EstimateRun(in, prices)
		require.InDelta(t, gbHour*c.gb+45*60*c.ecpus/1e6*million+tasks*(2*vcpu+4*gb), e.USD, 1e-9, name)
		require.Contains(t, e.Assumed, c.assumed, name)
		if c.missing == "" {
			require.Empty(t, e.Missing, name)
		} else {
			require.Contains(t, e.Missing, c.missing, name)
		}
		require.Contains(t, EstimateRun(in, price.Dated("mars-north-1")).Missing, "a serverless cache with valkey in mars-north-1")
	}
}
