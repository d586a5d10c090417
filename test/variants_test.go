package test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2t "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/gruntwork-io/terratest/modules/terraform"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// Every variant of cache and load is applied, loaded, exported and destroyed. All nodes run the same server binary, whatever engine and version they
// request, so variants that differ only in these test the API, not the server.
func TestVariants(t *testing.T) {
	t.Parallel()
	tls := map[string]any{"transit_encryption": true}
	for name, v := range map[string]struct {
		short bool // also in mage test
		cache map[string]any
		load  map[string]any
		token string
		tasks int
	}{
		"redis71-replicas":   {cache: map[string]any{"engine": "redis", "engine_version": "7.1", "replicas": 2, "multi_az": true}, tasks: 2},
		"valkey-cluster-tls": {short: true, cache: map[string]any{"engine": "valkey", "engine_version": "8.1", "shards": 2, "replicas": 1, "transit_encryption": true}, token: "a-token-of-16-or-more"},
		"valkey72":           {cache: map[string]any{"engine_version": "7.2"}},
		"valkey90":           {cache: map[string]any{"engine_version": "9.0", "node_type": "cache.r7g.large"}},
		"tls":                {cache: tls},
		"cluster3":           {cache: map[string]any{"shards": 3}, load: map[string]any{"pipeline": 4}},
		"replicas5":          {cache: map[string]any{"replicas": 5}},
		"parameters":         {cache: map[string]any{"parameters": map[string]any{"maxmemory-policy": "allkeys-lru", "slowlog-log-slower-than": "1"}, "log_format": "json"}},
		"data-tiering":       {cache: map[string]any{"node_type": "cache.r6gd.xlarge"}},
		"rate-limited":       {load: map[string]any{"rate_limit": 100}},
		"port":               {cache: map[string]any{"port": 7000}},
		"serverless":         {short: true, cache: map[string]any{"serverless": map[string]any{"max_storage_gb": 1, "max_ecpu_per_second": 5000}}},
	} {
		t.Run(name, func(t *testing.T) {
			if !v.short {
				onlyLong(t)
			}
			t.Parallel()
			w := newEnvironment(t)
			load := light(map[string]any{"task_count": max(1, v.tasks)})
			maps.Copy(load, v.load)
			vars := map[string]any{"cache": v.cache, "load": load}
			if v.cache == nil {
				vars["cache"] = map[string]any{}
			}
			if v.token != "" {
				vars["auth_token"] = v.token
			}
			if (v.cache["transit_encryption"] == true || v.cache["serverless"] != nil) && w.local != nil {
				ca, err := w.local.CA()
				require.NoError(t, err)
				load["ca_pem"] = ca
			}
			s := newStack(t, w, ".", vars)
			s.apply(t)
			s.assertEmptyPlan(t)
			run := s.output(t, "run")
			s.loads(t, max(1, v.tasks))
			s.stops(t)
			m := s.waitForEnd(t, run, max(1, v.tasks))
			if v.cache["replicas"] != nil && v.cache["shards"] == nil && s.local != nil {
				s.assertReportAgrees(t, m, max(1, v.tasks)*load["key_maximum"].(int))
			}
			if v.cache["serverless"] != nil {
				s.assertServerless(t, m)
			}
			if v.token != "" {
				for _, kind := range []string{"metrics/" + run + ".csv", "logs/" + run + ".txt", "manifest/" + run + ".json"} {
					require.NotContains(t, string(s.object(t, "exports/"+kind)), v.token)
				}
			}
		})
	}
}

// assertServerless checks what is specific to a serverless cache: its metrics, and the permissions that it needs.
func (s *stack) assertServerless(t *testing.T, m export.Manifest) {
	t.Helper()
	require.Equal(t, s.name, m.Membership.ServerlessCache)
	require.Empty(t, m.Membership.Nodes)
	metrics := string(s.object(t, "exports/metrics/"+m.Run+".csv"))
	require.Contains(t, metrics, ",TotalCmdsCount,Sum,")
	require.Contains(t, metrics, ",clusterId="+s.name)
	require.NotContains(t, metrics, "CacheClusterId=")
	if s.local == nil {
		return
	}
	s.assertEachIsNeeded(t, s.name+"-stop", s.policies(t, s.name+"-stop"), isAboutCaches)
	deployer := s.policies(t, s.name+"-deployer")
	s.assertEachIsNeeded(t, s.name+"-deployer", deployer, deployer[2].has)
}

func isAboutCaches(st statement) bool { return strings.HasPrefix(st.Action[0], "elasticache:") }

// The stack and a separate root load and export an existing cache, and leave it unchanged.
func TestExistingCache(t *testing.T) {
	onlyLong(t)
	t.Parallel()
	w := newEnvironment(t)
	owner := newStack(t, w, "examples/cache-only", nil)
	owner.apply(t)
	owner.assertEmptyPlan(t)
	host, _, _ := strings.Cut(owner.output(t, "address"), ":")
	group := owner.output(t, "security_group_id")
	for name, c := range map[string]struct {
		root string
		vars map[string]any
	}{
		"root":    {".", map[string]any{"existing_cache": map[string]any{"endpoint": host, "security_group_id": group, "replication_group_id": owner.name}, "load_zones": "cache"}},
		"example": {"examples/load-an-existing-cache", map[string]any{"replication_group_id": owner.name, "security_group_id": group, "bucket": w.bucket, "minutes": 60, "lambda_zip": w.zip(t)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, w, c.root, c.vars)
			s.cache = owner.name
			s.apply(t)
			s.assertEmptyPlan(t)
			require.NotEmpty(t, w.ingress(t, group, s.name), "the cache's group does not admit the load")
			run := s.output(t, "run")
			s.loads(t, 1)
			s.stops(t)
			m := s.waitForEnd(t, run, 1)
			require.Equal(t, owner.name, m.Membership.ReplicationGroup)
			require.Len(t, m.Membership.Nodes, 2)
			metrics := string(s.object(t, "exports/metrics/"+run+".csv"))
			for _, node := range m.Membership.Nodes {
				require.Contains(t, metrics, "CacheClusterId="+node.CacheClusterID+";CacheNodeId="+node.CacheNodeID)
			}
			w.available(t, owner.name)
			if w.local != nil {
				policies := w.policies(t, s.name+"-stop")
				require.NotContains(t, policies[0].text(), "elasticache:Delete")
				w.assertEachIsNeeded(t, s.name+"-stop", policies, isAboutCaches)
			}
			_, err := terraform.DestroyContextE(t, t.Context(), s.options)
			require.NoError(t, err)
			w.available(t, owner.name)
			require.Empty(t, w.ingress(t, group, s.name), "the rule stays in the cache's group")
			if w.local != nil {
				deployer := w.policies(t, s.name+"-deployer")
				w.assertEachIsNeeded(t, s.name+"-deployer", deployer, deployer[2].has)
			}
		})
	}
}

// mage also deploys, shows, stops and removes stacks with other kinds of caches.
func TestMageWithOtherKindsOfCaches(t *testing.T) {
	if !long() || onAWS() {
		t.Skip("one of the longer suites, with its own CA: mage test:all")
	}
	t.Parallel()
	w := newEnvironment(t)
	ca, err := w.local.CA()
	require.NoError(t, err)
	owner := newStack(t, w, "examples/cache-only", nil)
	owner.apply(t)
	host, _, _ := strings.Cut(owner.output(t, "address"), ":")
	load := light(map[string]any{"ca_pem": ca})
	existing := func(group string) map[string]any {
		return map[string]any{"name": "e2e-existing", "load": load, "existing_cache": map[string]any{"endpoint": host, "replication_group_id": group, "security_group_id": owner.output(t, "security_group_id")}}
	}
	ws, con, _ := w.project(t, existing("e2e-other"))
	require.ErrorContains(t, ops.Deploy(t.Context(), ws, con), "the existing cache e2e-other does not exist")
	for status, vars := range map[string]map[string]any{
		"cache available": {"name": "e2e-serverless", "load": load, "cache": map[string]any{"serverless": map[string]any{}}},
		"cache " + owner.name + ", which existed before and stays": existing(owner.name),
	} {
		t.Run(vars["name"].(string), func(t *testing.T) {
			ws, con, out := w.project(t, vars)
			ws.Env = append(ws.Env, "FORCE=0") // the run must be exported
			err := ops.Deploy(t.Context(), ws, con)
			if err == nil {
				err = ops.Status(t.Context(), ws, con)
			}
			require.NoError(t, errors.Join(err, ops.Destroy(context.Background(), ws, con)), out.String())
			said := strings.Join(strings.Fields(out.String()), " ") // a status has 80 columns
			require.Contains(t, said, status)
			require.Contains(t, said, "is ended and exported")
		})
	}
	w.available(t, owner.name)
}

// available checks that a replication group is available.
func (w *environment) available(t *testing.T, id string) {
	t.Helper()
	out, err := elasticache.NewFromConfig(w.Config).DescribeReplicationGroups(t.Context(), &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &id})
	require.NoError(t, err)
	require.Equal(t, "available", *out.ReplicationGroups[0].Status)
}

// ingress returns the rules of a security group for the load of a stack.
func (w *environment) ingress(t *testing.T, group, stack string) (rules []ec2t.SecurityGroupRule) {
	t.Helper()
	out, err := ec2.NewFromConfig(w.Config).DescribeSecurityGroupRules(t.Context(), &ec2.DescribeSecurityGroupRulesInput{Filters: []ec2t.Filter{{Name: aws.String("group-id"), Values: []string{group}}}})
	require.NoError(t, err)
	for _, r := range out.SecurityGroupRules {
		if aws.ToString(r.Description) == "From the load of "+stack {
			rules = append(rules, r)
		}
	}
	return rules
}
