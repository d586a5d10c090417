package ecs_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

// watched is a container whose check passes when the file is there.
func watched(script, file string) types.ContainerDefinition {
	c := container(script)
	c.Environment = []types.KeyValuePair{{Name: aws.String("FILE"), Value: &file}}
	c.HealthCheck = &types.HealthCheck{Command: []string{"CMD-SHELL", `test -e "$FILE"`}, Interval: aws.Int32(5), Timeout: aws.Int32(60), Retries: aws.Int32(2), StartPeriod: aws.Int32(10)}
	return c
}

func broken(definition string) *sdk.CreateServiceInput {
	in := service(definition, 1)
	in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true}}
	return in
}

// A service is steady when its task's check has passed, and not as soon as it runs.
func TestHealthCheck(t *testing.T) {
	clock := wiretest.NewClock()
	w := start(t, standing(clock))
	file := filepath.Join(t.TempDir(), "ready")
	w.create(broken(w.register(definition(watched(forever, file)))))
	w.until("running", func(v types.Service) bool { return v.RunningCount == 1 })
	task := w.tasks(types.DesiredStatusRunning)[0]
	require.Equal(t, types.HealthStatusUnknown, task.HealthStatus)
	checked := func() { // is done when the next one is slept for
		clock.Next(t, 5*time.Second)
		wiretest.Until(t, "the check is done", func() (any, bool) {
			left := clock.Sleeping()
			return left, slices.Contains(left, 5*time.Second)
		})
	}
	checked() // fails, within the start period
	checked() // the first that counts
	require.Equal(t, types.DeploymentRolloutStateInProgress, w.describe().Deployments[0].RolloutState)
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	checked()
	w.steady()
	task = w.tasks(types.DesiredStatusRunning)[0]
	require.Equal(t, types.HealthStatusHealthy, task.HealthStatus)
	require.Equal(t, types.HealthStatusHealthy, task.Containers[0].HealthStatus)

	require.NoError(t, os.Remove(file))
	checked()
	clock.Next(t, 5*time.Second)
	ended := w.stopped(1)[0]
	require.Equal(t, "Task failed container health checks", *ended.StoppedReason)
	require.Equal(t, types.TaskStopCodeServiceSchedulerInitiated, ended.StopCode)
	require.Equal(t, types.HealthStatusUnhealthy, ended.HealthStatus)
	require.Contains(t, events(w.describe()), "(service s) (task "+(*ended.TaskArn)[len(*ended.TaskArn)-32:]+") failed container health checks.")
	require.Zero(t, w.describe().Deployments[0].FailedTasks, "it had passed")
}

// Tasks whose check never passes, and tasks that end before it does, open the circuit breaker though they ran.
func TestHealthCheckOpensTheCircuitBreaker(t *testing.T) {
	for name, script := range map[string]string{"never passes": forever, "ends before": "exit 1"} {
		t.Run(name, func(t *testing.T) {
			clock := wiretest.NewClock()
			w := start(t, standing(clock))
			c := watched(script, filepath.Join(t.TempDir(), "never"))
			c.HealthCheck.StartPeriod = nil
			w.create(broken(w.register(definition(c))))
			for n, pause := range []time.Duration{time.Second, 2 * time.Second, 0} {
				if script == forever {
					clock.Next(t, 5*time.Second)
					clock.Next(t, 5*time.Second)
				}
				w.stopped(n + 1)
				if pause > 0 {
					clock.Next(t, pause)
				}
			}
			v := w.until("FAILED", func(v types.Service) bool { return v.Deployments[0].RolloutState == types.DeploymentRolloutStateFailed })
			require.EqualValues(t, 3, v.Deployments[0].FailedTasks)
		})
	}
}

func TestHealthCheckOfATaskDefinition(t *testing.T) {
	w := start(t)
	c := container(forever)
	c.HealthCheck = &types.HealthCheck{Command: []string{"CMD", "true"}}
	c.HealthCheck.Command = append(c.HealthCheck.Command, "x")
	out, err := w.ecs.RegisterTaskDefinition(t.Context(), definition(c))
	require.NoError(t, err)
	h := out.TaskDefinition.ContainerDefinitions[0].HealthCheck
	require.Equal(t, []int32{30, 5, 3}, []int32{*h.Interval, *h.Timeout, *h.Retries}, "AWS's defaults")
	require.Nil(t, h.StartPeriod)
	for want, bad := range map[string]types.HealthCheck{
		"command must begin with CMD":   {Command: []string{"true"}},
		"interval must be between 5":    {Command: []string{"CMD", "true"}, Interval: aws.Int32(4)},
		"timeout must be between 2":     {Command: []string{"CMD", "true"}, Timeout: aws.Int32(61)},
		"retries must be between 1":     {Command: []string{"CMD", "true"}, Retries: aws.Int32(11)},
		"startPeriod must be between 0": {Command: []string{"CMD", "true"}, StartPeriod: aws.Int32(301)},
	} {
		c.HealthCheck = &bad
		_, err := w.ecs.RegisterTaskDefinition(t.Context(), definition(c))
		code(t, err, "ClientException", want)
	}
}
