package test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdat "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// runAndWhen runs a command, and calls do once the command has printed a text.
func (p *person) runAndWhen(command ops.Command, at string, do func()) (string, error) {
	p.t.Helper()
	p.mu.Lock()
	p.trigger, p.onTrigger = at, func() {
		done := make(chan struct{})
		go func() {
			defer close(done) // a failed requirement ends only this goroutine
			do()
		}()
		<-done
	}
	p.mu.Unlock()
	return p.runWith(p.t.Context(), command)
}

// waitForMail waits for the mail about an event of a run, and returns its text.
func (p *person) waitForMail(run, what string) (body string) {
	p.t.Helper()
	subject := p.name + ": run " + run + " " + what
	eventually(p.t, subject, func(context.Context) (bool, any, error) {
		var subjects []string
		for _, m := range p.local.SNS.Messages("arn:aws:sns:" + p.Region + ":" + account.ID + ":" + p.name) {
			if subjects = append(subjects, m.Subject); m.Subject == subject {
				body = m.Body
				return true, nil, nil
			}
		}
		return false, subjects, nil
	})
	return body
}

// invoke sends the function an event and returns its answer or its error.
func (p *person) invoke(event shutdown.Event) string {
	p.t.Helper()
	payload, err := json.Marshal(event)
	require.NoError(p.t, err)
	out, err := lambda.NewFromConfig(p.Config).Invoke(p.t.Context(), &lambda.InvokeInput{FunctionName: aws.String(p.name + "-stop"), Payload: payload})
	require.NoError(p.t, err)
	var failed struct {
		Message string `json:"errorMessage"`
	}
	require.NoError(p.t, json.Unmarshal(out.Payload, &failed))
	if failed.Message != "" {
		return failed.Message
	}
	return string(out.Payload)
}

// over matches what `mage stop` prints about a run that has ended, whether or not its guard has removed itself yet.
const over = "is stopped and exported already|no task runs, and there is no cache of it"

// The advice in the commands and mails of a run, from deploy to destroy.
func TestAdviceDuringARun(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	p := newPerson(t, newEnvironment(t), map[string]any{"load": light(nil), "notifications": map[string]any{"email": "team@example.com"}})

	// Interrupted once everything is created: the message says that the run continues, until when, and at what price.
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	config := p.workspace.AWS
	p.workspace.AWS = func(of context.Context, region string) (aws.Config, error) {
		if strings.Contains(p.printed(), "Apply complete!") { // the first call to AWS after it
			interrupt()
		}
		return config(of, region)
	}
	said, err := p.runWith(ctx, ops.Deploy)
	p.workspace.AWS = config
	require.Error(t, err, said)
	run, _ := p.guard(t)
	require.Regexp(t, `run `+run+` continues, and is billed, until \S+Z, about 0\.\d\d USD in all \(`, err.Error())
	p.loads(t, 1)
	said, early := p.run(ops.Export, "") // the latest run is still running
	require.ErrorContains(t, early, "cannot be exported", said)
	require.Contains(t, p.runAdvice(err.Error(), "`go tool mage stop` ends it now"), "run "+run+" is stopped and exported")
	require.Contains(t, p.runAdvice(err.Error(), "`go tool mage watch` shows it"), "tasks 0 of 0 running") // it has been stopped by now
	require.Regexp(t, over, p.runAdvice(early.Error(), "its stop exports it, and `go tool mage stop` stops it now"))

	// Somebody overwrites an object: the message names it.
	key := "exports/metrics/" + run + ".csv"
	_, err = s3.NewFromConfig(p.Config).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &p.bucket, Key: &key, Body: strings.NewReader("Timestamp\n"), ServerSideEncryption: "AES256",
		Metadata: map[string]string{"run": p.name + "/" + run}})
	require.NoError(t, err)
	said, err = p.run(ops.Export, "")
	require.ErrorContains(t, err, "someone changed it", said)
	_, err2 := s3.NewFromConfig(p.Config).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &p.bucket, Key: &key})
	require.NoError(t, err2)
	p.runAdvice(err.Error(), "someone changed it; remove it and run `RUN=%s go tool mage export`")
	require.Contains(t, string(p.object(t, key)), "AWS/ElastiCache")
	require.Contains(t, p.runAdvice(p.waitForMail(run, "gone"), "What stays until `go tool mage destroy`"), "is removed")
	p.assertNothingLeft()
}

// The advice in commands and mails if a stop fails.
func TestAdviceWhenTheStopFails(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	w := newEnvironment(t)
	p := newPerson(t, w, map[string]any{"load": light(nil), "notifications": map[string]any{"email": "team@example.com"}})
	p.mustRun(ops.Deploy)
	p.loads(t, 1)
	run, _ := p.guard(t)
	p.changeGuard(func(e *shutdown.Event) { e.StopBy = time.Now().UTC().Add(-time.Hour) })
	overdue := unwrapped(p.mustRun(ops.Status))
	require.Contains(t, overdue, "should have ended by")

	w.local.Faults.Add(wire.Fault{Action: "ecs.UpdateService", First: 1, Kind: wire.Denied})
	require.Contains(t, p.invoke(shutdown.Event{Action: shutdown.ActionWatch, Run: run}), "AccessDenied")
	failed := p.waitForMail(run, "failed")
	p.workspace.Env = append(p.workspace.Env, "RUN="+run)
	said, unseen := p.run(ops.Export, "")
	require.Error(t, unseen, said)
	w.local.Faults.Clear()
	require.Contains(t, p.runAdvice(unseen.Error(), "its load was not seen to stop; run `go tool mage stop`"), "run "+run+" is stopped and exported")
	p.workspace.Env = append(p.workspace.Env, "RUN=")
	require.Contains(t, p.runAdvice(failed, "`RUN=%s go tool mage export` exports by hand"), "run "+run+": done")
	require.Regexp(t, over, p.runAdvice(overdue, "the schedule tries every %v minutes, `go tool mage stop` ends it now"))
	require.Contains(t, p.runAdvice(failed, "`go tool mage destroy` ends and removes it"), "is removed")
	p.assertNothingLeft()

	// The export is given up.
	p.mustRun(ops.Deploy)
	p.loads(t, 1)
	w.local.Faults.Add(wire.Fault{Action: "monitoring.GetMetricData", First: 1, Kind: wire.Denied})
	text, err := p.terraform("destroy", "-auto-approve")
	require.Error(t, err, text)
	said = p.runAdvice(unwrapped(text), "To give up what is not exported: `FORCE=1 go tool mage destroy`")
	require.Contains(t, said, "lost for good: its metrics")
	require.Contains(t, said, "is removed")
	p.assertNothingLeft()
}

// The advice of a destroy that fails, or finds resources that are not in the state.
func TestAdviceOfAFailedDestroy(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	p := newPerson(t, newEnvironment(t), map[string]any{"load": light(nil)})
	p.useCredentials(p.local.Env()) // the deployer's policy only covers what Terraform creates

	// A cache with the stack's name that is not in the state.
	byHand := aws.String("by-hand")
	_, err := elasticache.NewFromConfig(p.Config).CreateCacheSubnetGroup(t.Context(), &elasticache.CreateCacheSubnetGroupInput{CacheSubnetGroupName: byHand, CacheSubnetGroupDescription: byHand, SubnetIds: p.subnets})
	require.NoError(t, err)
	_, err = elasticache.NewFromConfig(p.Config).CreateReplicationGroup(t.Context(), &elasticache.CreateReplicationGroupInput{CacheSubnetGroupName: byHand, ReplicationGroupId: &p.name, ReplicationGroupDescription: aws.String("by hand"),
		CacheNodeType: aws.String("cache.t4g.micro"), Engine: aws.String("valkey"), NumCacheClusters: aws.Int32(1)})
	require.NoError(t, err)
	eventually(t, "the cache is there", func(ctx context.Context) (bool, any, error) {
		status, err := p.cacheStatus(ctx)
		return status == "available", status, err
	})
	said, err := p.run(ops.Destroy, "")
	require.ErrorContains(t, err, "the state is empty, but AWS has this", said)
	p.runAdvice(err.Error(), "aws elasticache delete-")
	eventually(t, "the cache is gone", func(ctx context.Context) (bool, any, error) {
		status, err := p.cacheStatus(ctx)
		return status == "", status, err
	})

	// Somebody recreates the function while it is being removed.
	p.mustRun(ops.Deploy)
	said, err = p.runAndWhen(ops.Destroy, "Destroy complete!", func() { p.createFunction() })
	require.ErrorContains(t, err, "aws lambda delete-function", said)
	p.runAdvice(err.Error(), "aws lambda delete-function")
	require.Contains(t, p.mustRun(ops.Destroy), "AWS has nothing under its names")
	p.assertNothingLeft()
}

// createFunction creates a function with the name of the stack's.
func (p *person) createFunction() {
	zip, err := os.ReadFile(p.zip(p.t))
	require.NoError(p.t, err)
	arn := p.createRole(p.t, "by-hand", "lambda.amazonaws.com")
	eventually(p.t, "the function is created", func(ctx context.Context) (bool, any, error) {
		_, err := lambda.NewFromConfig(p.Config).CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: aws.String(p.name + "-stop"), Role: &arn, Runtime: lambdat.RuntimeProvidedal2023,
			Handler: aws.String("bootstrap"), Architectures: []lambdat.Architecture{lambdat.Architecture(p.architecture)}, Code: &lambdat.FunctionCode{ZipFile: zip}})
		return err == nil, err, nil // a new role takes time to work
	})
}

// Credentials expire during a deploy, a watch, and a destroy: each says so, and its advice works with new credentials.
func TestCredentialsThatExpire(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	p := newPerson(t, newEnvironment(t), map[string]any{"load": light(nil)})
	login := func() (expire func()) {
		keys := p.deployer(t, p.name, nil)
		p.useCredentials(keys)
		return func() { p.local.IAM.Expire(keys["AWS_ACCESS_KEY_ID"]) }
	}
	said, err := p.runAndWhen(ops.Deploy, "aws_scheduler_schedule.watch: Creation complete", login())
	require.ErrorContains(t, err, "xpired", said)
	require.ErrorContains(t, err, "cannot tell whether anything is billed, or whether the schedule elasticache-perf-watch ends it")
	login()
	require.Contains(t, p.runAdvice(err.Error(), "`go tool mage deploy` continues"), "the load runs")
	p.loads(t, 1)

	ctx, interrupt := context.WithCancelCause(t.Context())
	defer interrupt(nil)
	expire := login()
	p.mu.Lock()
	p.out.Reset()
	p.mu.Unlock()
	watched := make(chan error, 1)
	go func() {
		_, err := p.runWith(ctx, ops.Watch)
		watched <- err
	}()
	eventually(t, "watch shows the run", func(context.Context) (bool, any, error) {
		said := p.printed()
		return strings.Contains(said, "running"), said, nil
	})
	expire()
	eventually(t, "watch says that AWS does not answer", func(context.Context) (bool, any, error) {
		said := p.printed()
		return strings.Contains(said, "AWS does not answer; trying again"), said, nil
	})
	interrupt(proc.ErrInterrupted)
	require.NoError(t, <-watched, "an interrupted watch is no failure")
	require.Regexp(t, `run \S+ continues, and is billed, until \S+Z, about 0\.\d\d USD in all`, p.printed())

	said, err = p.runAndWhen(ops.Destroy, "terraform: destroying", login())
	require.Error(t, err, said)
	login()
	require.Contains(t, p.runAdvice(err.Error(), "still in the state: %s. Run `go tool mage destroy` again"), "is removed")
	p.assertNothingLeft()
}
