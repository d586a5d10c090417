package test

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdat "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	s3t "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/gruntwork-io/terratest/modules/terraform"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// `terraform destroy`, without mage: whatever the run is doing, it is first ended and exported. (Every other journey destroys after the run has ended.)
func TestPlainDestroy(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]struct {
		short  bool
		inputs map[string]any
		before func(t *testing.T, s *stack) // the apply
		then   func(t *testing.T, s *stack) // after it
	}{
		"in the load": {short: true, then: func(t *testing.T, s *stack) {
			s.assertEmptyPlan(t)
			s.loads(t, 1)
		}},
		// More keys than any machine can write; the destroy ends the prefill.
		"in the prefill": {inputs: map[string]any{"load": map[string]any{"threads": 1, "clients": 1, "key_maximum": 50_000_000, "data_size": 1, "prefill": map[string]any{"minutes": 60}}},
			then: func(t *testing.T, s *stack) { s.waitForLog(t, "load: prefill") }},
		"in the stop": {then: func(t *testing.T, s *stack) {
			onlyLocal(t)
			s.loads(t, 1)
			s.local.Faults.Add(wire.Fault{Action: "logs.GetLogEvents", First: 1, Last: 1, Kind: wire.Slow, Delay: 20 * time.Second})
			event := `{"action":"stop","run":"` + s.output(t, "run") + `"}`
			_, err := lambda.NewFromConfig(s.Config).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(s.name + "-stop"), InvocationType: lambdat.InvocationTypeEvent, Payload: []byte(event)})
			require.NoError(t, err)
		}},
		"after an apply that failed after the load": {
			before: func(t *testing.T, s *stack) {
				onlyLocal(t)
				s.local.Faults.Add(wire.Fault{Action: "scheduler.CreateSchedule", First: 1, Kind: wire.Denied, Holds: s.name + "-load-stop"})
			},
			then: func(t *testing.T, s *stack) {
				s.local.Faults.Clear()
				s.loads(t, 1)
			}},
		// The load runs, but Terraform has not seen it steady, so it did not create the invocation that ends the run at a destroy.
		"after an apply that failed at the load": {
			before: func(t *testing.T, s *stack) {
				onlyLocal(t)
				s.local.Faults.Add(wire.Fault{Action: "ecs.DescribeServices", First: 1, Kind: wire.Denied, Holds: "TAGS"}) // the provider's, not the Lambda's
			},
			then: func(t *testing.T, s *stack) {
				s.local.Faults.Clear()
				s.loads(t, 1)
			}},
	} {
		t.Run(name, func(t *testing.T) {
			if !v.short {
				onlyLong(t)
			}
			t.Parallel()
			s := newStack(t, newEnvironment(t), ".", v.inputs)
			if v.before == nil {
				s.apply(t)
			} else {
				v.before(t, s)
				_, err := terraform.ApplyContextE(t, t.Context(), s.options)
				require.Error(t, err)
			}
			run, _ := s.guard(t)
			v.then(t, s)
			s.destroy(t.Context(), t)
			s.assertExported(t, run, 1)
		})
	}
}

// A failed export fails the destroy, before anything that the export needs is removed. A person can give up the export: beforehand by the input, which an
// apply updates without ending the run, and later by removing the destroy's invocations from the state or by FORCE=1.
func TestPlainDestroyWithoutExport(t *testing.T) {
	t.Parallel()
	onlyLocal(t)
	onlyLong(t)
	t.Run("after a failure", func(t *testing.T) {
		t.Parallel()
		s := newStack(t, newEnvironment(t), ".", nil)
		s.apply(t)
		run := s.output(t, "run")
		s.loads(t, 1)
		s.local.Faults.Add(wire.Fault{Action: "logs.GetLogEvents", First: 1, Kind: wire.Denied})
		_, err := terraform.DestroyContextE(t, t.Context(), s.options)
		require.ErrorContains(t, err, "AccessDenied")
		require.ErrorContains(t, err, "nothing is destroyed yet")
		require.False(t, s.cacheExists(t), "what costs money is gone")
		_, schedule := s.guard(t)
		require.NotNil(t, schedule, "the guard keeps trying")
		_, err = terraform.RunTerraformCommandContextE(t, t.Context(), s.options, "state", "rm", "module.scheduler.aws_lambda_invocation.destroy", "module.scheduler.aws_lambda_invocation.destroyed")
		require.NoError(t, err)
		s.destroy(t.Context(), t)
		s.assertNotExported(t, run)
	})
	t.Run("by the input", func(t *testing.T) {
		t.Parallel()
		s := newStack(t, newEnvironment(t), ".", map[string]any{"load": light(map[string]any{"container_insights": "enabled"})})
		s.apply(t)
		run := s.output(t, "run")
		s.loads(t, 1)
		s.changeInputs(t, map[string]any{"skip_final_export": true})
		s.apply(t)
		require.Equal(t, run, s.output(t, "run"))
		services, err := ecs.NewFromConfig(s.Config).DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: &s.name, Services: []string{s.name + "-load"}})
		require.NoError(t, err)
		require.EqualValues(t, 1, services.Services[0].RunningCount, "the run continues")
		s.assertEmptyPlan(t)
		s.destroy(t.Context(), t)
		s.assertNotExported(t, run)
		require.Never(t, func() bool { // Container Insights publishes the last period a period later
			return s.local.Logs.Group("/aws/ecs/containerinsights/" + s.name + "/performance")
		}, time.Duration(3*s.period)*time.Second, time.Second, "the log group comes back")
	})
	t.Run("by FORCE=1", func(t *testing.T) {
		t.Parallel()
		p := newPerson(t, newEnvironment(t), map[string]any{"load": light(nil)})
		said, err := p.run(ops.Deploy, "")
		require.NoError(t, err, said)
		run, _ := p.guard(t)
		p.workspace.Env = append(p.workspace.Env, "FORCE=1")
		said, err = p.run(ops.Destroy, "")
		require.NoError(t, err, said)
		require.Contains(t, said, "is given up")
		p.assertNothingLeft()
		p.assertNotExported(t, run)
	})
}

func (s *stack) assertNotExported(t *testing.T, run string) {
	t.Helper()
	text, err := s.get(t.Context(), "exports/manifest/"+run+".json")
	var missing *s3t.NoSuchKey
	if errors.As(err, &missing) {
		return
	}
	require.NoError(t, err)
	m, err := export.ParseManifest(text)
	require.NoError(t, err)
	require.False(t, m.Complete)
}

// waitForLog waits for an event with a text in the load's log.
func (s *stack) waitForLog(t *testing.T, text string) {
	t.Helper()
	eventually(t, text, func(ctx context.Context) (bool, any, error) {
		out, err := cloudwatchlogs.NewFromConfig(s.Config).FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: aws.String("/elasticache-perf/" + s.name + "/load"), FilterPattern: aws.String(strconv.Quote(text))})
		return err == nil && len(out.Events) > 0, out, err
	})
}

// assertExported checks what a destroyed stack leaves of a run: a complete manifest, the cache's metrics, and each task's last lines.
func (s *stack) assertExported(t *testing.T, run string, tasks int) export.Manifest {
	t.Helper()
	m, err := export.ParseManifest(s.object(t, "exports/manifest/"+run+".json"))
	require.NoError(t, err)
	require.True(t, m.Complete)
	require.Len(t, m.Tasks, tasks)
	require.Contains(t, string(s.verifiedObject(t, m, export.KindMetrics, "exports/metrics/"+run+".csv")), ",AWS/ElastiCache,")
	log, err := report.ParseLog(bytes.NewReader(s.verifiedObject(t, m, export.KindLogs, "exports/logs/"+run+".txt")))
	require.NoError(t, err)
	require.Len(t, log.Tasks, tasks, "each task's last lines are in the log")
	return m
}
