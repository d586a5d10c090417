package test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdat "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// bootstrap is the Lambda's zip for this machine, built once.
var bootstrap = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "bootstrap")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "bootstrap")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", file, "../lambda")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the Lambda: %w\n%s", err, out)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Store}
	header.SetMode(0o755)
	entry, err := z.CreateHeader(header)
	if err == nil {
		_, err = entry.Write(content)
	}
	err = errors.Join(err, z.Close())
	return packed.Bytes(), err
})

// newLiveRun creates an environment whose run ends now by the machine's clock, with the real bootstrap as its function.
func newLiveRun(t *testing.T, bytes int) *frozen {
	t.Helper()
	w := newFrozen(t, time.Now().UTC().Truncate(time.Second).Add(-25*time.Minute))
	topic, err := sns.NewFromConfig(w.aws).CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("perf")})
	require.NoError(t, err)
	w.cfg.TopicARN = *topic.TopicArn
	w.record(bytes)
	w.clock.set(w.started) // AWS creates the schedules at the time in the run's name
	w.createStack()
	w.clock.set(time.Time{})
	w.deploy(512)
	return w
}

// deploy creates the function with a memory size in MB.
func (w *frozen) deploy(memory int32) {
	t, ctx := w.t, w.t.Context()
	role, err := iam.NewFromConfig(w.aws).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("perf-stop"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}]}`)})
	require.NoError(t, err)
	_, err = iam.NewFromConfig(w.aws).PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("perf-stop"), PolicyName: aws.String("all"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)})
	require.NoError(t, err)
	_, err = cloudwatchlogs.NewFromConfig(w.aws).CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/aws/lambda/perf-stop")})
	require.NoError(t, err)
	zipped, err := bootstrap()
	require.NoError(t, err)
	config, err := json.Marshal(w.cfg)
	require.NoError(t, err)
	w.Lambda.RetryWaits = [2]time.Duration{time.Second, time.Second}
	architecture := lambdat.ArchitectureX8664
	if hostArchitecture() == "arm64" {
		architecture = lambdat.ArchitectureArm64
	}
	_, err = lambda.NewFromConfig(w.aws).CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: aws.String("perf-stop"), Role: role.Role.Arn, Runtime: lambdat.RuntimeProvidedal2023,
		Handler: aws.String("bootstrap"), Architectures: []lambdat.Architecture{architecture}, Timeout: aws.Int32(900), MemorySize: &memory, Code: &lambdat.FunctionCode{ZipFile: zipped},
		Environment: &lambdat.Environment{Variables: map[string]string{"CONFIG": string(config), "GOMEMLIMIT": fmt.Sprintf("%dMiB", memory*9/10)}}})
	require.NoError(t, err)
}

// mustInvokeFunction invokes the function, which must succeed, and returns its answer and log.
func (w *frozen) mustInvokeFunction(action string) (answer shutdown.Answer, log string) {
	w.t.Helper()
	out, err := w.invokeFunction(action)
	require.NoError(w.t, err)
	require.Nil(w.t, out.FunctionError, "%s", out.Payload)
	require.NoError(w.t, json.Unmarshal(out.Payload, &answer))
	return answer, aws.ToString(out.LogResult)
}

func (w *frozen) invokeFunction(action string) (*lambda.InvokeOutput, error) {
	event, err := json.Marshal(shutdown.Event{Action: action, Run: w.run})
	if err != nil {
		return nil, err
	}
	return lambda.NewFromConfig(w.aws).Invoke(w.t.Context(), &lambda.InvokeInput{FunctionName: aws.String("perf-stop"), Payload: event, LogType: lambdat.LogTypeTail})
}

// queueEvent queues an event, as Scheduler does.
func (w *frozen) queueEvent(action string) {
	w.t.Helper()
	event, err := json.Marshal(shutdown.Event{Action: action, Run: w.run})
	require.NoError(w.t, err)
	_, err = lambda.NewFromConfig(w.aws).Invoke(w.t.Context(), &lambda.InvokeInput{FunctionName: aws.String("perf-stop"), Payload: event, InvocationType: lambdat.InvocationTypeEvent})
	require.NoError(w.t, err)
}

// sameAsSource checks the files: it exports CloudWatch's data once more, as the manifest describes it.
func (w *frozen) sameAsSource(o outcome) {
	w.t.Helper()
	var metrics, logs bytes.Buffer
	target := export.Target{Membership: *o.manifest.Membership, Cluster: "perf", Service: "perf-load"}
	client := cloudwatch.NewFromConfig(w.aws)
	found, err := target.Discover(w.t.Context(), client, export.Wall{})
	require.NoError(w.t, err)
	_, err = export.MetricsJob{API: client, Clock: export.Wall{}, Series: target.Series(found), Window: *o.manifest.Window, Period: time.Minute}.Write(w.t.Context(), &metrics)
	require.NoError(w.t, err)
	_, err = export.LogsJob{API: cloudwatchlogs.NewFromConfig(w.aws), Clock: export.Wall{}, Rate: 1000, Window: o.manifest.Logs.Window,
		Groups: []export.LogGroup{{Kind: "load", Name: w.cfg.Logs.Load}, {Kind: "engine-log", Name: w.cfg.Logs.Engine}}}.Write(w.t.Context(), &logs)
	require.NoError(w.t, err)
	require.True(w.t, metrics.String() == o.metrics, "the metrics are not those of CloudWatch")
	require.True(w.t, logs.String() == o.logs, "the logs are not those of CloudWatch")
}

// The real bootstrap is killed by SIGKILL at its k-th call; Lambda's retry of the event, or the next watch, continues. Each case waits three
// minutes for CloudWatch by the machine's clock, so all of them share one of the slots of -parallel.
func TestFaultsKilledProcess(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	var cases sync.WaitGroup
	defer cases.Wait()
	run := func(name string, test func(t *testing.T)) { cases.Go(func() { t.Run(name, test) }) }
	for _, test := range []struct {
		kind string
		k    int
	}{{wire.Kill, 2}, {wire.KillAfter, 8}, {wire.Kill, 17}, {wire.KillAfter, 26}, {wire.Kill, 38}, {wire.KillAfter, 45}} {
		run(fmt.Sprintf("%s at call %d", test.kind, test.k), func(t *testing.T) {
			w := newLiveRun(t, large)
			answer, _ := w.mustInvokeFunction(shutdown.ActionPreflight)
			require.Equal(t, shutdown.StatusReady, answer.Status)
			pids := w.Lambda.PIDs("perf-stop")
			require.Len(t, pids, 1, "the function's process waits for its next event")
			w.Faults.Add(wire.Fault{Action: "*", First: test.k, Last: test.k, Kind: test.kind})
			w.queueEvent(shutdown.ActionStop)
			eventually(t, "the process is gone", func(context.Context) (bool, any, error) {
				err := syscall.Kill(pids[0], 0)
				return errors.Is(err, syscall.ESRCH), err, nil
			})
			require.Len(t, w.Faults.Fired(), 1)
			w.waitUntilDone()
			o := w.assertEnded()
			w.sameAsSource(o)
			t.Logf("%s; %d bytes of log", w.Faults.Fired()[0], len(o.logs))
		})
	}
	run("two at once", func(t *testing.T) {
		w := newLiveRun(t, 0)
		w.mustInvokeFunction(shutdown.ActionPreflight)
		w.queueEvent(shutdown.ActionStop)
		w.queueEvent(shutdown.ActionStop)
		w.queueEvent(shutdown.ActionWatch)
		w.waitUntilDone()
		w.sameAsSource(w.assertEnded())
		var subjects []string
		for _, m := range w.SNS.Messages(w.cfg.TopicARN) {
			subjects = append(subjects, m.Subject)
		}
		require.Equal(t, []string{"perf: run " + w.run + " started", "perf: run " + w.run + " ended", "perf: run " + w.run + " gone"}, subjects)
	})
}

// waitUntilDone waits until the run has ended and its record has no holder, so the function has returned.
func (w *frozen) waitUntilDone() {
	w.t.Helper()
	eventually(w.t, "the schedules are removed and the record has no holder", func(context.Context) (bool, any, error) {
		schedules, record := w.schedules(), w.state()
		return schedules == 0 && record.Holder == "", fmt.Sprintf("%d schedules, %+v", schedules, record), nil
	})
}
