package test

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// person is a user with the permissions of docs/permissions.md who types `go tool mage ...`.
type person struct {
	*stack
	t         *testing.T
	workspace *workspace.Workspace
	console   *console.Console

	mu        sync.Mutex
	out       strings.Builder
	trigger   string // the text at which onTrigger is called, such as Ctrl-C
	onTrigger context.CancelFunc
}

func newPerson(t *testing.T, w *environment, vars map[string]any) *person {
	t.Helper()
	const name = "elasticache-perf"
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	p := &person{stack: &stack{environment: w, name: name}, t: t}
	env := append(os.Environ(), "TF_DATA_DIR="+filepath.Join(t.TempDir(), "terraform"), "APPROVE=1")
	keys := w.deployer(t, name, vars)
	for _, vars := range []map[string]string{w.env, keys} {
		for k, v := range vars {
			env = append(env, k+"="+v)
		}
	}
	p.console = &console.Console{In: strings.NewReader(""), Out: p, Pause: time.Second}
	p.workspace = &workspace.Workspace{Root: root, Stack: folder(t, ".", w.inputs(vars)), Env: env, Embedded: true,
		AWS: func(_ context.Context, region string) (aws.Config, error) {
			cfg := w.Config.Copy()
			cfg.Region = cmp.Or(region, cfg.Region)
			cfg.Credentials = credentials.NewStaticCredentialsProvider(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"])
			return cfg, nil
		}}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		t.Log(p.printed())
		p.workspace.Env = append(p.workspace.Env, "FORCE=1")
		if err := ops.Destroy(context.Background(), p.workspace, p.console); err != nil {
			t.Log("clearing away:", err)
		}
	})
	return p
}

func (p *person) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Write(b)
	if p.trigger != "" && strings.Contains(p.out.String(), p.trigger) {
		p.trigger = ""
		p.onTrigger()
	}
	return len(b), nil
}

// run runs a command, and interrupts it when it prints a text (never if that is empty). It returns the output.
func (p *person) run(command ops.Command, interruptAt string) (string, error) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	defer cancel()
	p.mu.Lock()
	p.trigger, p.onTrigger = interruptAt, cancel
	p.mu.Unlock()
	return p.runWith(ctx, command)
}

// mustRun runs a command that must succeed.
func (p *person) mustRun(command ops.Command) string {
	p.t.Helper()
	said, err := p.run(command, "")
	require.NoError(p.t, err, said)
	return said
}

// runUntilCacheIs runs a command, and interrupts it once the cache has a status. Terraform's message about the cache is no sign, because it is printed
// before the call.
func (p *person) runUntilCacheIs(command ops.Command, status string) (string, error) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	defer cancel()
	go func() {
		defer cancel()
		for now := ""; now != status && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
			now, _ = p.cacheStatus(ctx)
		}
	}()
	return p.runWith(ctx, command)
}

func (p *person) runWith(ctx context.Context, command ops.Command) (string, error) {
	p.t.Helper()
	p.mu.Lock()
	p.out.Reset()
	p.mu.Unlock()
	start := time.Now()
	err := command(ctx, p.workspace, p.console)
	p.t.Logf("took %s", time.Since(start).Round(time.Second))
	return p.printed(), err
}

func (p *person) printed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// assertNothingLeft checks that destroy left neither resources nor processes.
func (p *person) assertNothingLeft() {
	p.t.Helper()
	p.nothingLeft(p.t.Context(), p.t)
	require.Empty(p.t, children(p.dir), "processes of nodes or tasks")
}

// gate is a clock whose waits of half a day and more last until it is opened.
type gate struct {
	account.SystemClock
	once   sync.Once
	opened chan struct{}
}

const closed = 24 * time.Hour

func (g *gate) open() { g.once.Do(func() { close(g.opened) }) }

func (g *gate) Sleep(ctx context.Context, d time.Duration) error {
	if d < closed/2 {
		return g.SystemClock.Sleep(ctx, d)
	}
	select {
	case <-g.opened:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A load that is changed while it runs stays in the same run, and deploy explains that. Destroy first ends and exports it; an interrupted destroy
// continues the next time.
func TestDestroyOfARunningLoad(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	deletion := &gate{opened: make(chan struct{})}
	w := newEnvironment(t, func(c *localaws.Config) { c.Clock, c.Delays.CacheDelete = deletion, closed })
	load := light(nil)
	p := newPerson(t, w, map[string]any{"load": load})
	t.Cleanup(deletion.open)
	said, err := p.run(ops.Deploy, "")
	require.NoError(t, err, said)
	run, _ := p.guard(t)

	load["pipeline"] = 4
	write(t, p.workspace.Stack, "changed.auto.tfvars.json", map[string]any{"load": load})
	said, err = p.run(ops.Deploy, "")
	require.NoError(t, err, said)
	require.Contains(t, said, "run "+run+" is under way, and these changes become part of it")
	again, _ := p.guard(t)
	require.Equal(t, run, again)

	p.loads(t, 1)

	said, err = p.run(ops.Destroy, "ending it now")
	require.Error(t, err, said)
	require.NotContains(t, said, "terraform: destroying", "nothing is removed before the run is exported")
	said, err = p.run(ops.Destroy, "is deleting: waiting until it is gone")
	require.Error(t, err, said)
	deletion.open()
	said, err = p.run(ops.Destroy, "terraform: destroying")
	require.Error(t, err, said)
	p.runAdvice(err.Error(), "still in the state: %s. Run `go tool mage destroy` again")
	p.assertNothingLeft()

	m, err := export.ParseManifest(p.object(t, "exports/manifest/"+run+".json"))
	require.NoError(t, err)
	require.True(t, m.Complete)
	require.Len(t, m.Tasks, 2, "the first load, and the changed one")
	p.verifiedObject(t, m, export.KindMetrics, "exports/metrics/"+run+".csv")
	log, err := report.ParseLog(bytes.NewReader(p.verifiedObject(t, m, export.KindLogs, "exports/logs/"+run+".txt")))
	require.NoError(t, err)
	require.Len(t, log.Tasks, 2, "with the last lines of both")
	require.Contains(t, string(m.Settings), `"pipeline": 4`)
	said, err = p.run(ops.Destroy, "")
	require.NoError(t, err, "there is nothing left to destroy: %s", said)
}

// Ctrl-C while the cache is being created, and again while it is being deleted.
func TestInterruptedWhileTheCacheIsCreated(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	w := newEnvironment(t, func(c *localaws.Config) { c.Delays.CacheCreate, c.Delays.CacheDelete = 20*time.Second, 20*time.Second })
	p := newPerson(t, w, nil)
	said, err := p.runUntilCacheIs(ops.Deploy, "creating")
	require.Error(t, err, said)
	require.Contains(t, p.runAdvice(err.Error(), "`go tool mage deploy` continues"), "the load runs")
	advised := err.Error()
	said, err = p.runUntilCacheIs(ops.Destroy, "deleting")
	require.Error(t, err, said)
	p.runAdvice(advised, "`go tool mage destroy` removes what was created")
	p.assertNothingLeft()
}

// AWS creates something, but its response is lost, so Terraform does not know about it. A cache costs money and is deleted; the rest is named.
func TestDestroyAfterLostAnswers(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	t.Run("the cache", func(t *testing.T) {
		t.Parallel()
		w := newEnvironment(t, func(c *localaws.Config) { c.Delays.CacheCreate = 10 * time.Second })
		p := newPerson(t, w, nil)
		w.local.Faults.Add(wire.Fault{Action: "elasticache.CreateReplicationGroup", First: 1, Last: 1, Kind: wire.FailAfter})
		said, err := p.run(ops.Deploy, "")
		require.Error(t, err, said)
		require.Contains(t, said, "ReplicationGroupAlreadyExists")
		said, err = p.run(ops.Destroy, "")
		require.NoError(t, err, said)
		require.Contains(t, said, "the cache elasticache-perf was created but is not in the state")
		p.assertNothingLeft()
	})
	t.Run("what costs nothing", func(t *testing.T) {
		t.Parallel()
		w := newEnvironment(t)
		p := newPerson(t, w, nil)
		lost := map[string]wire.Fault{
			"aws iam delete-role --role-name elasticache-perf-load-task":                                       {Action: "iam.CreateRole", Holds: "RoleName=elasticache-perf-load-task"},
			"aws logs delete-log-group --log-group-name /aws/vendedlogs/elasticache/elasticache-perf/slow-log": {Action: "logs.CreateLogGroup", Holds: "slow-log"},
			"aws elasticache delete-cache-subnet-group --cache-subnet-group-name elasticache-perf":             {Action: "elasticache.CreateCacheSubnetGroup"},
			"aws elasticache delete-cache-parameter-group --cache-parameter-group-name elasticache-perf":       {Action: "elasticache.CreateCacheParameterGroup"},
			"aws ec2 delete-security-group --group-id sg-":                                                     {Action: "ec2.CreateSecurityGroup", Holds: "GroupName=elasticache-perf-cache"},
		}
		for _, f := range lost {
			f.First, f.Last, f.Kind = 1, 1, wire.FailAfter
			w.local.Faults.Add(f)
		}
		said, err := p.run(ops.Deploy, "")
		require.Error(t, err, said)
		require.Len(t, w.local.Faults.Fired(), len(lost))
		said, err = p.run(ops.Destroy, "")
		require.ErrorContains(t, err, "the state is empty, but AWS has this under the stack's names", said)
		for command := range lost {
			require.ErrorContains(t, err, command)
		}
		p.runAdvice(err.Error(), "aws iam delete-role --role-name ")
		p.runAdvice(err.Error(), "aws logs delete-log-group --log-group-name ")
		p.runAdvice(err.Error(), "aws elasticache delete-cache-subnet-group --cache-subnet-group-name ")
		p.runAdvice(err.Error(), "aws elasticache delete-cache-parameter-group --cache-parameter-group-name ")
		p.runAdvice(err.Error(), "aws ec2 delete-security-group --group-id ")
		said, err = p.run(ops.Destroy, "")
		require.NoError(t, err, said)
		p.assertNothingLeft()
	})
	t.Run("what can be asked for twice", func(t *testing.T) {
		t.Parallel()
		w := newEnvironment(t)
		p := newPerson(t, w, nil)
		for _, action := range []string{"ecs.CreateCluster", "ecs.RegisterTaskDefinition", "ecs.CreateService", "sqs.CreateQueue", "scheduler.CreateScheduleGroup", "scheduler.CreateSchedule",
			"lambda.PutFunctionEventInvokeConfig", "monitoring.PutMetricAlarm", "monitoring.PutDashboard", "iam.PutRolePolicy", "logs.PutRetentionPolicy"} {
			w.local.Faults.Add(wire.Fault{Action: action, First: 1, Last: 1, Kind: wire.FailAfter})
		}
		said, err := p.run(ops.Deploy, "")
		require.NoError(t, err, said)
		require.Len(t, w.local.Faults.Fired(), 11)
		w.local.Faults.Add(wire.Fault{Action: "ecs.DeleteService", First: 1, Last: 1, Kind: wire.FailAfter}) // INACTIVE at the next call
		said, err = p.run(ops.Destroy, "")
		require.NoError(t, err, said)
		require.Len(t, w.local.Faults.Fired(), 12)
		_, err = ecs.NewFromConfig(w.Config).DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String(p.name + "-load")})
		require.ErrorContains(t, err, "Unable to describe task definition", "Terraform knew only one of the two revisions")
		p.assertNothingLeft()
	})
}
