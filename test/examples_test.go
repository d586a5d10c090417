package test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/gruntwork-io/terratest/modules/terraform"
	"github.com/stretchr/testify/require"
)

// example is how a test uses a folder of examples/, and what it must show once it is applied.
type example struct {
	short  bool     // also in mage test
	names  []string // of its resources, the cache's first
	inputs func(*testing.T, *environment) map[string]any
	check  func(*testing.T, *stack) // nil: another test applies it
}

var examples = map[string]example{
	"cache-only": {names: []string{"cache-only"},
		inputs: func(_ *testing.T, w *environment) map[string]any {
			return map[string]any{"vpc_id": w.vpc, "subnet_ids": w.subnets}
		},
		check: func(t *testing.T, s *stack) {
			require.Zero(t, keysInCache(t, s.output(t, "address")))
		}},
	"complete": {names: []string{"complete"},
		inputs: func(t *testing.T, w *environment) map[string]any {
			ca, err := w.local.CA()
			require.NoError(t, err)
			return map[string]any{"vpc_id": w.vpc, "subnet_ids": w.subnets, "bucket": w.bucket, "auth_token": "a-token-of-16-or-more", "minutes": 60, "ca_pem": ca,
				"lambda_architecture": w.architecture, "lambda_zip": w.zip(t)}
		},
		check: func(t *testing.T, s *stack) {
			s.loads(t, 3)
			s.stops(t)
			s.waitForEnd(t, s.output(t, "run"), 3)
		}},
	"load-an-existing-cache": { // applied by TestExistingCache
		inputs: func(t *testing.T, w *environment) map[string]any {
			id, group := w.createExistingCache(t)
			return map[string]any{"vpc_id": w.vpc, "subnet_ids": w.subnets, "bucket": w.bucket, "replication_group_id": id, "security_group_id": group,
				"lambda_architecture": w.architecture, "lambda_zip": w.zip(t)}
		}},
	"from-a-release": { // applied by TestFromARelease
		inputs: func(t *testing.T, w *environment) map[string]any {
			return map[string]any{"vpc_id": w.vpc, "subnet_ids": w.subnets, "bucket": w.bucket,
				"lambda": map[string]any{"zip": w.zip(t), "sha256": sumOf(t, w.zip(t)), "architecture": w.architecture}}
		}},
	"from-another-root": {short: true, names: []string{"orders-trial"},
		inputs: func(*testing.T, *environment) map[string]any {
			return map[string]any{"vpc": "localaws", "subnets": "localaws-private-*"}
		},
		check: func(t *testing.T, s *stack) {
			eventually(t, "progress of the load", func(ctx context.Context) (bool, any, error) {
				out, err := cloudwatchlogs.NewFromConfig(s.Config).FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{
					LogGroupName: aws.String(s.output(t, "log_group")), FilterPattern: aws.String(`"[RUN #1"`)})
				return err == nil && len(out.Events) > 2, out, err
			})
			require.Positive(t, keysInCache(t, s.output(t, "address")), "keys that the load has written")
			// default_tags and the module's own: if both have a key, the module's value wins.
			arn := "arn:aws:elasticache:" + s.Region + ":123456789012:replicationgroup:" + s.name
			out, err := elasticache.NewFromConfig(s.Config).ListTagsForResource(t.Context(), &elasticache.ListTagsForResourceInput{ResourceName: &arn})
			require.NoError(t, err)
			tags := map[string]string{}
			for _, tag := range out.TagList {
				tags[*tag.Key] = *tag.Value
			}
			require.Equal(t, map[string]string{"application": "orders", "team": "orders", "component": "cache", "cost-center": "4711"}, tags)
		}},
}

// folders are the folders of examples/, each of which needs an entry here.
func folders(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("../examples")
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() == "campaigns" { // internal/campaign reads them
			continue
		}
		require.Contains(t, examples, e.Name(), "examples/%s has no test: give it an entry in examples", e.Name())
		names = append(names, e.Name())
	}
	require.Len(t, names, len(examples), "an entry in examples has no folder")
	return names
}

// Every example applies unchanged in its own folder, does what its README says, has an empty second plan, and leaves nothing.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, name := range folders(t) {
		e := examples[name]
		if e.check == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if onAWS() {
				t.Skip("the examples' inputs here exist in localaws only")
			}
			if !e.short {
				onlyLong(t)
			}
			t.Parallel()
			w := newEnvironment(t)
			for _, other := range e.names[1:] {
				t.Cleanup(func() { (&stack{environment: w, name: other}).nothingLeft(context.Background(), t) })
			}
			s := &stack{environment: w, name: e.names[0], options: w.options(t, filepath.Join("examples", name), e.inputs(t, w))}
			s.destroyAtEnd(t)
			terraform.InitContext(t, t.Context(), s.options)
			s.apply(t)
			s.assertEmptyPlan(t)
			e.check(t, s)
		})
	}
}

// The stack and every example can be planned: `mage test:versions` runs this with each version of Terraform.
func TestPlans(t *testing.T) {
	if onAWS() {
		t.Skip("the examples' inputs here exist in localaws only")
	}
	onlyLong(t)
	t.Parallel()
	w := newEnvironment(t)
	plan := func(name, root string, inputs map[string]any) {
		t.Run(name, func(t *testing.T) {
			options := w.options(t, root, inputs)
			if root == fromARelease {
				useRelease(t, w, options.TerraformDir)
			}
			terraform.InitContext(t, t.Context(), options)
			require.Equal(t, 2, planExitCode(t, options), "there is something to create")
		})
	}
	plan("stack", ".", w.inputs())
	for _, name := range folders(t) {
		plan(name, filepath.Join("examples", name), examples[name].inputs(t, w))
	}
}

// somebodysCache creates an existing replication group and its security group.
func (w *environment) createExistingCache(t *testing.T) (id, group string) {
	t.Helper()
	sg, err := ec2.NewFromConfig(w.Config).CreateSecurityGroup(t.Context(), &ec2.CreateSecurityGroupInput{GroupName: aws.String("somebody"), Description: aws.String("cache"), VpcId: &w.vpc})
	require.NoError(t, err)
	id, group = "somebodys", *sg.GroupId
	client := elasticache.NewFromConfig(w.Config)
	_, err = client.CreateCacheSubnetGroup(t.Context(), &elasticache.CreateCacheSubnetGroupInput{CacheSubnetGroupName: &id, CacheSubnetGroupDescription: &id, SubnetIds: w.subnets})
	require.NoError(t, err)
	_, err = client.CreateReplicationGroup(t.Context(), &elasticache.CreateReplicationGroupInput{ReplicationGroupId: &id, ReplicationGroupDescription: &id, Engine: aws.String("redis"),
		EngineVersion: aws.String("7.1"), CacheNodeType: aws.String("cache.t4g.micro"), NumCacheClusters: aws.Int32(1), CacheSubnetGroupName: &id, SecurityGroupIds: []string{group}})
	require.NoError(t, err)
	require.NoError(t, elasticache.NewReplicationGroupAvailableWaiter(client, func(o *elasticache.ReplicationGroupAvailableWaiterOptions) { o.MinDelay = time.Second }).
		Wait(t.Context(), &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &id}, waitLimit))
	return id, group
}

// cacheHolds returns the number of keys in a cache without TLS.
func keysInCache(t *testing.T, address string) (keys int) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(waitLimit)))
	_, err = fmt.Fprint(conn, "*1\r\n$6\r\nDBSIZE\r\n")
	require.NoError(t, err)
	answer, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	_, err = fmt.Sscanf(strings.TrimSpace(answer), ":%d", &keys)
	require.NoError(t, err, answer)
	return keys
}
