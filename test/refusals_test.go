package test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/gruntwork-io/terratest/modules/terraform"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// project is a workspace for `mage` in this environment, with these inputs.
func (w *environment) project(t *testing.T, vars map[string]any) (*workspace.Workspace, *console.Console, *strings.Builder) {
	t.Helper()
	stack := folder(t, ".", w.inputs(vars))
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	env := append(os.Environ(), "TF_DATA_DIR="+filepath.Join(t.TempDir(), "terraform"), "APPROVE=1", "FORCE=1")
	for k, v := range w.env {
		env = append(env, k+"="+v)
	}
	var out strings.Builder
	return &workspace.Workspace{Root: root, Stack: stack, Env: env, Embedded: !onAWS(), AWS: func(context.Context, string) (aws.Config, error) { return w.Config, nil }},
		&console.Console{In: strings.NewReader(""), Out: &out, Pause: time.Second}, &out
}

// A run is named after the deployer's clock, and CloudWatch's data has AWS's time, so the two must agree.
func TestWrongClockCreatesNothing(t *testing.T) {
	t.Parallel()
	if onAWS() {
		t.Skip("AWS's clock is right")
	}
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		w := newEnvironment(t, func(c *localaws.Config) { c.Clock = &settableClock{at: time.Now().UTC().Add(off)} })
		ws, con, out := w.project(t, nil)
		err := ops.Deploy(t.Context(), ws, con)
		require.ErrorContains(t, err, "nothing was created", out.String())
		require.ErrorContains(t, err, "the clock of this computer says ")
		require.ErrorContains(t, err, ", AWS's ")
		groups, err := elasticache.NewFromConfig(w.Config).DescribeReplicationGroups(t.Context(), &elasticache.DescribeReplicationGroupsInput{})
		require.NoError(t, err)
		require.Empty(t, groups.ReplicationGroups)
		_, err = iam.NewFromConfig(w.Config).GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("elasticache-perf-stop")})
		require.ErrorContains(t, err, "NoSuchEntity")
	}
}

// Plain `terraform apply` does not compare clocks. The preflight does, before the cache is created.
func TestWrongClockCreatesNothingBilled(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	for name, off := range map[string]time.Duration{"fast": -10 * time.Minute, "slow": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			if name == "fast" {
				onlyLong(t)
			}
			t.Parallel()
			w := newEnvironment(t, func(c *localaws.Config) { c.Clock = shifted{off: off} })
			s := newStack(t, w, ".", nil)
			_, err := terraform.ApplyContextE(t, t.Context(), s.options)
			require.ErrorContains(t, err, "by the clock of the computer that applies it, but AWS's clock says ")
			status, err := s.cacheStatus(t.Context())
			require.NoError(t, err)
			require.Empty(t, status, "no cache was created")
			s.destroy(t.Context(), t)
		})
	}
}

// shifted is a clock with an offset from the machine's.
type shifted struct {
	account.SystemClock
	off time.Duration
}

func (c shifted) Now() time.Time { return c.SystemClock.Now().Add(c.off) }

// Wrong inputs are found before anything is created.
func TestWrongInputsCreateNothing(t *testing.T) {
	if onAWS() {
		t.Skip("only localaws has buckets that deny writes")
	}
	t.Parallel()
	w := newEnvironment(t, func(c *localaws.Config) { c.Buckets = append(c.Buckets, "elsewhere", "locked") })
	require.NoError(t, w.local.S3.Bucket("elsewhere", "eu-west-1"))
	w.local.S3.ReadOnly("locked", true)
	w.local.Quotas.Apply("L-3032A538", 6)
	own := linkedTree(t) // a checkout without build results
	for name, c := range map[string]struct {
		vars map[string]any
		want []string
	}{
		"no bucket":             {map[string]any{"metrics_export_s3_bucket": ""}, []string{"metrics_export_s3_bucket", "aws s3 mb"}},
		"bucket does not exist": {map[string]any{"metrics_export_s3_bucket": "nobody-has-this"}, []string{"nobody-has-this", "aws s3 mb"}},
		"bucket elsewhere":      {map[string]any{"metrics_export_s3_bucket": "elsewhere"}, []string{"elsewhere", "eu-west-1", "us-east-1"}},
		"bucket not writable":   {map[string]any{"metrics_export_s3_bucket": "locked"}, []string{"locked", "AccessDenied"}},
		"unknown subnet":        {map[string]any{"subnet_ids": []string{"subnet-00000000000000000"}}, []string{"subnet-00000000000000000"}},
		"more vCPU than the quota": {map[string]any{"load": map[string]any{"task_count": 7, "cpu": 1024, "memory": 2048}},
			[]string{"7", "6", "L-3032A538"}},
	} {
		t.Run(name, func(t *testing.T) {
			ws, con, out := w.project(t, c.vars)
			err := ops.Deploy(t.Context(), ws, con)
			require.Error(t, err, out.String())
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
			switch name { // run the commands in the message
			case "no bucket":
				runAdvice(t, ws, con, err.Error(), "and set its name:\n  aws s3 mb s3://my-elasticache-perf-exports")
				write(t, ws.Stack, "terraform.tfvars.json", w.inputs(map[string]any{"metrics_export_s3_bucket": "my-elasticache-perf-exports"}))
				ws.Root = own
				require.NoError(t, ops.Validate(t.Context(), ws, con))
				require.FileExists(t, gobuild.Zip(ws, gobuild.HostArchitecture()), "validate builds the zip, as deploy does")
			case "bucket does not exist":
				runAdvice(t, ws, con, err.Error(), "aws s3 mb s3://%s")
				require.NoError(t, ops.Validate(t.Context(), ws, con))
			case "unknown subnet":
				runAdvice(t, ws, con, err.Error(), "aws ec2 describe-subnets --filters Name=vpc-id,Values=")
			case "more vCPU than the quota":
				runAdvice(t, ws, con, err.Error(), "aws service-quotas request-service-quota-increase --service-code ")
			}
		})
	}
	groups, err := elasticache.NewFromConfig(w.Config).DescribeReplicationGroups(t.Context(), &elasticache.DescribeReplicationGroupsInput{})
	require.NoError(t, err)
	require.Empty(t, groups.ReplicationGroups)
	_, err = iam.NewFromConfig(w.Config).GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("elasticache-perf-stop")})
	require.ErrorContains(t, err, "NoSuchEntity", "no role was created either")
}

// validate rejects the same inputs as deploy, with the same message. What only a plan finds takes two plans each: most of these are left to mage test:all.
func TestValidateRejectsWhatDeployRejects(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	w := newEnvironment(t)
	for name, c := range map[string]struct {
		vars map[string]any
		want string
		long bool
	}{
		"unknown node type":     {map[string]any{"cache": map[string]any{"node_type": "cache.z9g.large"}}, "ElastiCache does not offer cache.z9g.large in us-east-1", false},
		"unknown parameter":     {map[string]any{"cache": map[string]any{"parameters": map[string]any{"maxmemory-polcy": "allkeys-lru"}}}, "the parameter family valkey8 has no parameter maxmemory-polcy", true},
		"unknown value":         {map[string]any{"cache": map[string]any{"engine": "redis", "parameters": map[string]any{"maxmemory-policy": "alkeys-lru"}}}, "the parameter maxmemory-policy of redis7 takes ", true},
		"address":               {map[string]any{"notifications": map[string]any{"email": "nobody"}}, "The notifications' email must be an email address", false},
		"prefix":                {map[string]any{"metrics_export_s3_prefix": "exports/"}, "The metrics_export_s3_prefix must have 1 to 512 characters", false},
		"name":                  {map[string]any{"name": "sg-perf"}, "The name must have 1 to 40 characters", false},
		"token":                 {map[string]any{"auth_token": "short", "cache": map[string]any{"transit_encryption": true}}, "The auth_token must have 16 to 128", false},
		"token without TLS":     {map[string]any{"auth_token": "a-password-of-16-or-more"}, "An auth token needs TLS", true},
		"workload":              {map[string]any{"load": map[string]any{"workload": "cash-aside"}}, "There is no workload \"cash-aside\"", true},
		"redis on Valkey's":     {map[string]any{"cache": map[string]any{"engine": "redis", "node_type": "cache.r8g.large"}}, "ElastiCache for Redis OSS has no cache.r8g.large", true},
		"cache twice":           {map[string]any{"cache": map[string]any{"replicas": 1}, "existing_cache": map[string]any{"endpoint": "127.0.0.9"}}, "exclude each other", true},
		"more than a day":       {map[string]any{"test_duration_minutes": 1440, "load": map[string]any{"prefill": map[string]any{"minutes": 10}}}, "A run has a maximum of 1440 minutes", true},
		"environment too large": {map[string]any{"load": map[string]any{"extra_args": []string{"--key-prefix=" + strings.Repeat("k", 4000)}}}, "bytes as JSON, and AWS allows 4096", true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.long {
				onlyLong(t)
			}
			ws, con, out := w.project(t, c.vars)
			for command, of := range map[string]ops.Command{"deploy": ops.Deploy, "validate": ops.Validate} {
				out.Reset()
				err := of(t.Context(), ws, con)
				require.Error(t, err, "%s: %s", command, out.String())
				require.Contains(t, unwrapped(err.Error()+out.String()), c.want, command)
				require.NotContains(t, out.String(), "will be created", "%s: a refused plan is not shown", command)
				switch name {
				case "unknown node type":
					runAdvice(t, ws, con, err.Error(), "aws elasticache describe-reserved-cache-nodes-offerings")
				case "unknown parameter":
					runAdvice(t, ws, con, err.Error(), "aws elasticache describe-engine-default-parameters")
				}
			}
		})
	}
}

// unwrapped undoes Terraform's formatting of a message: lines of 78 columns that start with a bar.
func unwrapped(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "│", " ")), " ")
}

// Plain `terraform apply` does not run validate. The preflight finds the problem before the cache is created.
func TestPreflightFailsBeforeTheCacheIsCreated(t *testing.T) {
	if onAWS() {
		t.Skip("only localaws has buckets that deny writes")
	}
	t.Parallel()
	w := newEnvironment(t)
	w.local.S3.ReadOnly("exports", true)
	s := newStack(t, w, ".", nil)
	_, err := terraform.ApplyContextE(t, t.Context(), s.options)
	require.ErrorContains(t, err, "exports")
	require.ErrorContains(t, err, "AccessDenied")
	groups, err := elasticache.NewFromConfig(w.Config).DescribeReplicationGroups(t.Context(), &elasticache.DescribeReplicationGroupsInput{})
	require.NoError(t, err)
	require.Empty(t, groups.ReplicationGroups)
}

// A task that cannot connect to the cache logs why, and deploy fails with that message. Here the task does not trust the cache's certificate, because
// ca_pem is not set.
func TestLoadThatCannotConnect(t *testing.T) {
	if onAWS() {
		t.Skip("on AWS the cache's certificate is Amazon's, which is trusted")
	}
	t.Parallel()
	w := newEnvironment(t)
	ws, con, out := w.project(t, map[string]any{"cache": map[string]any{"transit_encryption": true}, "auth_token": "a-password-of-16-or-more"})
	t.Cleanup(func() {
		if err := ops.Destroy(context.Background(), ws, con); err != nil {
			t.Errorf("destroy: %v\n%s", err, out.String())
		}
	})
	err := ops.Deploy(t.Context(), ws, con)
	require.Error(t, err, out.String())
	require.ErrorContains(t, err, "load: failed: no command succeeded on 127.")
	require.ErrorContains(t, err, "auth token and TLS")
	require.NotContains(t, err.Error()+out.String(), "a-password-of-16-or-more")
}

// Plain `terraform apply` fails too, although the provider considers a service with running tasks steady.
func TestPlainApplyOfALoadThatCannotConnect(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	s := newStack(t, newEnvironment(t), ".", map[string]any{"cache": map[string]any{"transit_encryption": true}, "auth_token": "a-password-of-16-or-more"})
	_, err := terraform.ApplyContextE(t, t.Context(), s.options)
	require.ErrorContains(t, err, "the load cannot start: ECS gave up on the deployment of service "+s.name+"-load")
	require.ErrorContains(t, err, "module.scheduler.aws_lambda_invocation.destroy")
	s.destroy(t.Context(), t)
}

// Another program on the cache's port is found before anything is created.
func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = localaws.Start(t.Context(), localaws.Config{Dir: t.TempDir(), CachePort: port})
	require.ErrorContains(t, err, "cache nodes cannot listen on port")
	require.ErrorContains(t, err, "take another cache.port")
}
