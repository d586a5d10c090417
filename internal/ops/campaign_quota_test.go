package ops

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/awstest"
	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/price"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

func variantOf(tasks, cpu, shards, replicas int, zones string) *terraform.Inputs {
	in := &terraform.Inputs{Subnets: []string{"subnet-1", "subnet-2"}, LoadZones: zones}
	in.Load.TaskCount, in.Load.CPU, in.Cache.Shards, in.Cache.Replicas = tasks, cpu, shards, replicas
	return in
}

// Concurrent runs need as much as the largest variants together, because each variant runs once in a round.
func TestWhatRunsSideBySideNeeds(t *testing.T) {
	one, large, serverless := variantOf(4, 1024, 0, 0, ""), variantOf(2, 4096, 3, 1, ""), variantOf(1, 256, 0, 0, "")
	serverless.Cache.Serverless = &terraform.Serverless{}
	all := []needs{needsOf(one), needsOf(large), needsOf(serverless)}
	require.Equal(t, []needs{{4, 1, 5, 5}, {8, 6, 8, 0}, {0.25, 0, 3, 0}}, all)
	require.Equal(t, needs{8, 6, 8, 5}, mostNeeds(all, 1))
	require.Equal(t, needs{12, 7, 13, 5}, mostNeeds(all, 2), "not twice the largest")
	require.Equal(t, needs{12.25, 7, 16, 5}, mostNeeds(all, 5))
	require.Equal(t, 1, needsOf(variantOf(4, 1024, 0, 0, "all")).inFirstZone)
}

// Each quota and the free addresses are in turn one below the need, and just enough.
func TestQuotasOfACampaign(t *testing.T) {
	need := needs{vcpu: 12, nodes: 7, addresses: 13, inFirstZone: 5}
	for name, c := range map[string]struct {
		vcpu, nodes float64
		there       int
		free        [2]int
		env         string
		want        []string
	}{
		"enough":             {vcpu: 12, nodes: 9, there: 2, free: [2]int{5, 8}},
		"vcpu":               {vcpu: 11.75, nodes: 300, free: [2]int{99, 99}, want: []string{"12 vCPU of Fargate, but the account's quota is 11.75", "--service-code fargate --quota-code L-3032A538 --desired-value 12"}},
		"nodes":              {vcpu: 12, nodes: 8, there: 2, free: [2]int{99, 99}, want: []string{"7 cache nodes in addition to the 2 existing ones, but the account's quota is 8", "--quota-code L-DFE45DF3 --desired-value 9"}},
		"addresses":          {vcpu: 12, nodes: 300, free: [2]int{6, 6}, want: []string{"13 addresses, but the subnets have 12 free"}},
		"in the first zone":  {vcpu: 12, nodes: 300, free: [2]int{4, 99}, want: []string{"5 addresses in zone-1, where caches of one node and their load run, but the subnets there have 4"}},
		"all of it":          {vcpu: 1, nodes: 1, free: [2]int{1, 1}, want: []string{"vCPU", "cache nodes", "addresses"}},
		"none can be read":   {vcpu: -1, nodes: -1, free: [2]int{99, 99}},
		"SKIP_CHECKS=quota":  {vcpu: 1, nodes: 1, env: "SKIP_CHECKS=quota"},
		"SKIP_CHECKS=bucket": {vcpu: 1, nodes: 300, free: [2]int{99, 99}, env: "SKIP_CHECKS=bucket", want: []string{"vCPU"}},
	} {
		t.Run(name, func(t *testing.T) {
			asked := []string{"L-3032A538", "L-DFE45DF3"}
			answer := awstest.Answering(func(what string, _ url.Values) (int, map[string]string, string) {
				switch what {
				case "GetServiceQuota":
					value := map[string]float64{"L-3032A538": c.vcpu, "L-DFE45DF3": c.nodes}[asked[0]]
					asked = asked[1:]
					if value < 0 {
						return 400, nil, `{"__type":"AccessDeniedException","Message":"no"}`
					}
					return 200, nil, fmt.Sprintf(`{"Quota":{"Value":%g}}`, value)
				case "DescribeCacheClusters":
					text := ""
					for range c.there {
						text += "<CacheCluster><NumCacheNodes>1</NumCacheNodes></CacheCluster>"
					}
					return 200, nil, "<R><DescribeCacheClustersResult><CacheClusters>" + text + "</CacheClusters></DescribeCacheClustersResult></R>"
				case "DescribeSubnets":
					text := ""
					for i, free := range c.free {
						text += fmt.Sprintf("<item><subnetId>subnet-%d</subnetId><availabilityZone>zone-%[1]d</availabilityZone><availableIpAddressCount>%d</availableIpAddressCount></item>", i+1, free)
					}
					return 200, nil, "<R><subnetSet>" + text + "</subnetSet></R>"
				}
				return 500, nil, what
			})
			cfg, err := answer(t.Context(), "")
			require.NoError(t, err)
			o := &opened{ws: &workspace.Workspace{Env: []string{c.env}}, con: &console.Console{Out: io.Discard}, cfg: cfg, base: variantOf(1, 1024, 0, 0, ""),
				c: &campaign.Campaign{File: "c.hcl", Parallel: 2, Variants: make([]campaign.Variant, 3)}}
			err = (&plan{o: o, need: need}).fits(t.Context())
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "c.hcl: there is not enough for 2 runs at a time")
			require.ErrorContains(t, err, "Nothing was created")
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// A budget below the estimate is refused with its position in the file, before AWS is asked anything.
func TestABudgetBelowTheEstimate(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "poor.hcl")
	require.NoError(t, os.WriteFile(file, []byte("repeats = 2\nbudget  = 5\nvariant \"a\" {}\nvariant \"b\" {}\n"), 0o600))
	ws := &workspace.Workspace{Root: root, Stack: root}
	d := aCampaign()
	d.o.ws, d.o.con, d.o.prices = ws, &console.Console{Out: io.Discard}, price.Dated("us-east-1")
	d.o.inputs = map[string]*terraform.Inputs{"a": variantOf(1, 1024, 0, 0, ""), "b": variantOf(1, 1024, 0, 0, "")}
	d.o.c, err = campaign.Read(ws, file)
	require.NoError(t, err)
	p := planOf(t.Context(), d.o, d.done)
	p.show()
	err = p.approve(t.Context())
	require.ErrorContains(t, err, "poor.hcl:2,11: the budget is 5.00 USD, but 0.00 is billed for what is done, and about 6.00 is still to come")
	require.ErrorContains(t, err, "Nothing was created")

	// A run without a price does not count as free.
	d.o.c.Budget, d.o.costs["b"] = 50, campaign.Estimate{USD: 2, Minutes: 90, Missing: "cache.x with redis in mars-north-1"}
	p = planOf(t.Context(), d.o, d.done)
	p.show()
	require.ErrorContains(t, p.approve(t.Context()), "poor.hcl:2,11: a budget cannot be enforced without every price: cache.x with redis in mars-north-1. Nothing was created")
}

// Each distinct node type and engine of the variants is looked up once. One that is not offered is reported with the variant's position in the file.
func TestEveryVariantsCacheIsOffered(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "nodes.hcl")
	require.NoError(t, os.WriteFile(file, []byte("repeats = 2\nvariant \"a\" {}\nvariant \"b\" {}\nvariant \"c\" {}\nvariant \"d\" {}\nvariant \"e\" {}\n"), 0o600))
	ws := &workspace.Workspace{Root: root, Stack: root}
	c, err := campaign.Read(ws, file)
	require.NoError(t, err)
	var asked []string
	cfg, err := awstest.Answering(func(what string, body url.Values) (int, map[string]string, string) {
		text := ""
		switch what {
		case "DescribeReservedCacheNodesOfferings":
			asked = append(asked, body.Get("CacheNodeType"))
			if body.Get("CacheNodeType") == "cache.r7g.large" {
				text = "<ReservedCacheNodesOfferings><ReservedCacheNodesOffering/></ReservedCacheNodesOfferings>"
			}
		case "DescribeEngineDefaultParameters":
			asked, text = append(asked, body.Get("CacheParameterGroupFamily")), "<EngineDefaults/>"
		}
		return 200, nil, fmt.Sprintf("<%sResponse><%[1]sResult>%s</%[1]sResult></%[1]sResponse>", what, text)
	})(t.Context(), "")
	require.NoError(t, err)
	in := map[string]*terraform.Inputs{}
	for name, cache := range map[string][3]string{"a": {"cache.r7g.large", "7.1"}, "b": {"cache.r9g.large", "7.1"}, "c": {"cache.r9g.large", "6.2"}, "d": {"cache.r7g.large", "6.2", "hz"}, "e": {"cache.r9g.large", "7.1"}} {
		in[name] = &terraform.Inputs{}
		in[name].Cache.NodeType, in[name].Cache.Engine, in[name].Cache.EngineVersion = cache[0], "redis", cache[1]
		if cache[2] != "" {
			in[name].Cache.Parameters = map[string]string{cache[2]: "10"}
		}
	}
	in["e"].Cache.Serverless = &terraform.Serverless{}
	p := &plan{o: &opened{ws: ws, con: &console.Console{Out: io.Discard}, cfg: cfg, c: c, inputs: in}}
	err = p.offered(t.Context())
	require.ErrorContains(t, err, "not every variant's cache can be created, so nothing was created:\n  - ")
	for _, want := range []string{"nodes.hcl:3,9: variant b: ElastiCache does not offer cache.r9g.large in us-east-1", "nodes.hcl:4,9: variant c: ElastiCache does not offer cache.r9g.large",
		"nodes.hcl:5,9: variant d: the parameter family redis6.x has no parameter hz"} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "variant a")
	require.NotContains(t, err.Error(), "variant e", "it is serverless")
	require.Equal(t, []string{"cache.r7g.large", "cache.r9g.large", "cache.r7g.large", "redis6.x"}, asked)

	in["b"], in["c"], in["d"] = in["a"], in["a"], in["a"]
	require.NoError(t, p.offered(t.Context()))
	in["b"], ws.Env, asked = in["d"], []string{"SKIP_CHECKS=cache"}, nil
	require.NoError(t, p.offered(t.Context()))
	require.Empty(t, asked)
}
