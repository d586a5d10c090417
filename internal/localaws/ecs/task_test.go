package ecs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ecs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

func (w *fixture) run(definition string) types.Task {
	w.t.Helper()
	in := service(definition, 1)
	out, err := w.ecs.RunTask(w.t.Context(), &sdk.RunTaskInput{Cluster: aws.String("c"), TaskDefinition: &definition, LaunchType: types.LaunchTypeFargate, NetworkConfiguration: in.NetworkConfiguration})
	require.NoError(w.t, err)
	require.Len(w.t, out.Tasks, 1)
	return w.stopped(1)[0]
}

func TestEnvironmentIsExactlyTheTasks(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not for tasks")
	w := start(t)
	c := container(`env; echo "args=$0 $*"; pwd`)
	c.Environment = []types.KeyValuePair{{Name: aws.String("RUN"), Value: aws.String("2026-11-23T03-08-09Z")}, {Name: aws.String("EMPTY"), Value: aws.String("")}}
	c.Secrets = []types.Secret{{Name: aws.String("TOKEN"), ValueFrom: aws.String("arn:aws:ssm:us-east-1:123456789012:parameter/x/auth")}}
	task := w.run(w.register(definition(c)))
	id := filepath.Base(*task.TaskArn)
	home := filepath.Join(w.acct.Dir, "tasks", id)
	got := map[string]string{}
	for _, l := range w.lines(task) {
		k, v, _ := strings.Cut(l, "=")
		got[k] = v
	}
	require.Regexp(t, "^http://169.254.170.2/v4/"+id+`-\d{10}$`, got["ECS_CONTAINER_METADATA_URI_V4"])
	require.Equal(t, "http://169.254.170.2/v4/"+*task.Containers[0].RuntimeId, got["ECS_CONTAINER_METADATA_URI_V4"])
	delete(got, "ECS_CONTAINER_METADATA_URI_V4")
	delete(got, "ECS_CONTAINER_METADATA_URI")
	delete(got, "_") // the shell's own
	require.Contains(t, got, "LOCALAWS_PROCESS", "by which it is found; AWS does not set it")
	delete(got, "LOCALAWS_PROCESS")
	require.Equal(t, map[string]string{"PATH": filepath.Join(w.acct.Dir, "bin") + ":" + os.Getenv("PATH"), "HOME": home, "PWD": home, "TMPDIR": home + "/tmp",
		"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
		"RUN": "2026-11-23T03-08-09Z", "EMPTY": "", "TOKEN": "s3cret", "args": "memtier --x=1", home: ""}, got)
}

// A finished task is described for an hour. Its processes are not kept for that long: metrics would look for each of them in /proc, each period.
func TestAStoppedTaskKeepsNoProcess(t *testing.T) {
	w := start(t)
	side := container("exit 4")
	side.Name, side.Essential = aws.String("side"), aws.Bool(false)
	task := w.run(w.register(definition(container("sleep 0.1; exit 3"), side)))
	require.EqualValues(t, 3, *task.Containers[0].ExitCode)
	require.EqualValues(t, 4, *task.Containers[1].ExitCode)
	for _, c := range task.Containers {
		require.Equal(t, "STOPPED", *c.LastStatus)
	}
	require.Zero(t, w.svc.Processes())
}

// Docker's awslogs driver: an event ends at \n or at 262,118 bytes, \r stays, empty lines are none, the rest comes at the end.
func TestOutputArrivesAsTheDriverDeliversIt(t *testing.T) {
	w := start(t)
	task := w.run(w.register(definition(container(`printf 'one\n\ntwo\rthree\r\n'; head -c 262120 /dev/zero | tr '\0' x; printf '\nlast'`))))
	got := w.lines(task)
	require.Len(t, got, 5)
	require.Equal(t, []string{"one", "two\rthree\r"}, got[:2])
	require.Len(t, got[2], 262118)
	require.Equal(t, []string{"xx", "last"}, got[3:])
}

func TestManyLinesKeepTheirOrderAndAreThereWhenTheTaskIsStopped(t *testing.T) {
	w := start(t)
	got := w.lines(w.run(w.register(definition(container(`i=0; while [ $i -lt 5000 ]; do echo "line $i"; i=$((i+1)); done`)))))
	require.Len(t, got, 5000)
	for i, l := range got {
		require.Equal(t, fmt.Sprintf("line %d", i), l)
	}
}

func TestStopTimeoutEndsWithSIGKILL(t *testing.T) {
	w := start(t)
	c := container(`trap '' TERM; echo deaf; while :; do sleep 0.1; done`)
	c.StopTimeout = aws.Int32(2)
	w.create(service(w.register(definition(c)), 1))
	w.steady()
	task := w.tasks(types.DesiredStatusRunning)[0]
	require.Empty(t, slices.DeleteFunc(w.lines(task), func(l string) bool { return l == "deaf" }), "its stream is there before it says anything")
	w.says(task, "deaf")
	_, err := w.ecs.DeleteService(t.Context(), &sdk.DeleteServiceInput{Cluster: aws.String("c"), Service: aws.String("s"), Force: aws.Bool(true)})
	require.NoError(t, err)
	ended := w.stopped(1)[0]
	require.Equal(t, int32(137), *ended.Containers[0].ExitCode)
	require.GreaterOrEqual(t, ended.ExecutionStoppedAt.Sub(*ended.StoppingAt), 2*time.Second)
	require.Equal(t, "INACTIVE", *w.describe().Status)
}

// A container's first process gets no SIGTERM that it has no handler for, and is killed in the end; Docker's init hands it on.
func TestStopOfAProgramWithoutHandler(t *testing.T) {
	for init, code := range map[bool]int32{false: 137, true: 143} {
		w := start(t)
		c := container(`echo up; sleep 1000; :`)
		c.StopTimeout, c.LinuxParameters = aws.Int32(2), &types.LinuxParameters{InitProcessEnabled: &init}
		w.create(service(w.register(definition(c)), 1))
		w.steady()
		w.says(w.tasks(types.DesiredStatusRunning)[0], "up")
		_, err := w.ecs.DeleteService(t.Context(), &sdk.DeleteServiceInput{Cluster: aws.String("c"), Service: aws.String("s"), Force: aws.Bool(true)})
		require.NoError(t, err)
		require.Equal(t, code, *w.stopped(1)[0].Containers[0].ExitCode, "init: %t", init)
	}
}

func TestSeveralContainers(t *testing.T) {
	w := start(t)
	first, side := container("until [ -e up ]; do sleep 0.01; done; exit 4"), container(strings.Replace(forever, "echo started", "touch up", 1))
	side.Name, side.Essential = aws.String("side"), aws.Bool(false)
	task := w.run(w.register(definition(first, side)))
	require.Equal(t, int32(4), *task.Containers[0].ExitCode)
	require.Equal(t, int32(3), *task.Containers[1].ExitCode, "the other container got SIGTERM")
	require.Equal(t, types.TaskStopCodeEssentialContainerExited, task.StopCode)
}

func TestGenerator(t *testing.T) {
	tool := filepath.Join(t.TempDir(), "localaws")
	require.NoError(t, os.WriteFile(tool, []byte("#!/bin/sh\necho \"${0##*/} ours\"; echo more\n"), 0o755))
	t.Setenv("PATH", "/usr/bin:/bin")
	w := start(t, func(a *account.Account, _ *ecs.Deps) { a.Tools = tool })
	require.Equal(t, "memtier_benchmark ours", w.svc.Generator())
	require.Equal(t, []string{"memtier_benchmark ours", "more"}, w.lines(w.run(w.register(definition(container("memtier_benchmark"))))))

	real := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(real, "memtier_benchmark"), []byte("#!/bin/sh\necho memtier_benchmark 2.3.1\n"), 0o755))
	t.Setenv("PATH", real+":/usr/bin:/bin")
	w = start(t, func(a *account.Account, _ *ecs.Deps) { a.Tools = tool })
	require.Equal(t, "memtier_benchmark 2.3.1", w.svc.Generator())
	require.NoFileExists(t, filepath.Join(w.acct.Dir, "bin", "memtier_benchmark"))
}

// A task whose security groups reach nothing has no network interface but a loopback that is down.
func TestIsolatedTask(t *testing.T) {
	w := start(t, func(_ *account.Account, d *ecs.Deps) {
		d.Isolated = func(groups []string) bool { return groups[0] == "sg-1" }
	})
	got := w.lines(w.run(w.register(definition(container(`grep -c : /proc/net/dev; grep -c 0100007F /proc/net/route; echo end`)))))
	if strings.Contains(got[0], "unshare") {
		t.Skip("this kernel gives no user namespaces: " + got[0])
	}
	require.Equal(t, []string{"1", "0", "end"}, got)
}

func TestMetrics(t *testing.T) {
	clock := wiretest.NewClock()
	w := start(t, standing(clock), func(a *account.Account, _ *ecs.Deps) { a.MetricsPeriod = time.Second })
	w.create(service(w.register(definition(container(`echo $$; while :; do :; done`))), 1))
	w.steady()
	// used is what the task's only process has used, by the kernel's clock ticks of 10 ms.
	task := w.tasks(types.DesiredStatusRunning)[0]
	wiretest.Until(t, "the task says its pid", func() (any, bool) { l := w.lines(task); return l, len(l) == 1 })
	used := func() float64 {
		stat, err := os.ReadFile("/proc/" + w.lines(task)[0] + "/stat")
		require.NoError(t, err)
		f := strings.Fields(string(stat))
		user, _ := strconv.ParseFloat(f[13], 64)
		system, _ := strconv.ParseFloat(f[14], 64)
		return (user + system) / 100
	}
	published := func(n int) (cpu, memory point) {
		wiretest.Until(t, fmt.Sprintf("%d periods are published", n), func() (any, bool) {
			seen := 0
			for _, p := range w.measured() {
				switch p.Name {
				case "CPUUtilization":
					cpu = p
				case "MemoryUtilization":
					memory, seen = p, seen+1
				}
			}
			return w.measured(), seen == n
		})
		return cpu, memory
	}
	clock.Next(t, time.Second)
	published(1)
	least := used()
	wiretest.Until(t, "the loop used a tenth of a second of CPU", func() (any, bool) { return used(), used()-least > 0.1 })
	least = used() - least
	at := clock.Now()
	clock.Next(t, time.Second)
	cpu, memory := published(2)
	require.True(t, 400*least <= cpu.value+.001 && cpu.value <= 400*used()+.001, "%g %% of a quarter of a vCPU, and it used %g to %g s in a second", cpu.value, least, used())
	require.Equal(t, "AWS/ECS", cpu.Namespace)
	require.Equal(t, "Percent", cpu.Unit)
	require.Equal(t, "[{ClusterName c} {ServiceName s}]", fmt.Sprint(cpu.Dimensions))
	require.Equal(t, at, cpu.at, "the timestamp is a period's start")
	require.InDelta(t, 0.5, memory.value, 0.5, "a shell is about 2 MiB of 512")
	for _, p := range w.measured() {
		require.NotEqual(t, "ECS/ContainerInsights", p.Namespace)
	}
	_, err := w.ecs.UpdateClusterSettings(t.Context(), &sdk.UpdateClusterSettingsInput{Cluster: aws.String("c"),
		Settings: []types.ClusterSetting{{Name: types.ClusterSettingNameContainerInsights, Value: aws.String("enabled")}}})
	require.NoError(t, err)
	clock.Next(t, time.Second)
	seen := map[string]float64{}
	wiretest.Until(t, "19 metrics of Container Insights", func() (any, bool) {
		for _, p := range w.measured() {
			if p.Namespace == "ECS/ContainerInsights" {
				seen[fmt.Sprint(p.Name, p.Dimensions)] = p.value
			}
		}
		return seen, len(seen) >= 19
	})
	require.Equal(t, 1.0, seen["RunningTaskCount[{ClusterName c} {ServiceName s}]"])
	require.Equal(t, 1.0, seen["DesiredTaskCount[{ClusterName c} {ServiceName s}]"])
	require.Equal(t, 256.0, seen["CpuReserved[{ClusterName c} {TaskDefinitionFamily load}]"])
	require.Equal(t, 512.0, seen["MemoryReserved[{ClusterName c}]"])
	require.Contains(t, seen, "CpuUtilized[{ClusterName c} {ServiceName s}]")

	// The log events come a period later, and make the group that somebody has removed meanwhile.
	performance := func() []string {
		out, err := w.logs.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/aws/ecs/containerinsights/c/performance")})
		if err != nil {
			return nil
		}
		var texts []string
		for _, e := range out.Events {
			texts = append(texts, *e.Message)
		}
		return texts
	}
	written := func(what string) {
		t.Helper()
		clock.Next(t, time.Second)
		wiretest.Until(t, what, func() (any, bool) {
			texts := performance()
			return texts, len(texts) > 0 && strings.Contains(texts[0], `"Type":"Task"`) && strings.Contains(texts[0], `"ServiceName":"s"`)
		})
	}
	written("an event of the period before")
	_, err = w.ecs.UpdateService(t.Context(), &sdk.UpdateServiceInput{Cluster: aws.String("c"), Service: aws.String("s"), DesiredCount: aws.Int32(0)})
	require.NoError(t, err)
	w.stopped(1)
	_, err = w.logs.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("/aws/ecs/containerinsights/c/performance")})
	require.NoError(t, err)
	written("an event of the last period, in a group that is there again")
}

// The minute in which a task is stopped has its share, though the task is gone when the minute ends.
func TestMetricsOfTheLastMinute(t *testing.T) {
	clock := wiretest.NewClock()
	w := start(t, standing(clock), func(a *account.Account, _ *ecs.Deps) { a.MetricsPeriod = time.Minute })
	w.create(service(w.register(definition(container(`while :; do :; done`))), 1))
	w.steady()
	clock.Next(t, time.Minute)
	periods := func(n int) []point {
		var cpu []point
		wiretest.Until(t, fmt.Sprintf("%d periods are published", n), func() (any, bool) {
			cpu = nil
			for _, p := range w.measured() {
				if p.Name == "CPUUtilization" {
					cpu = append(cpu, p)
				}
			}
			return cpu, len(cpu) == n
		})
		return cpu
	}
	first := periods(1)[0]
	_, err := w.ecs.UpdateService(t.Context(), &sdk.UpdateServiceInput{Cluster: aws.String("c"), Service: aws.String("s"), DesiredCount: aws.Int32(0)})
	require.NoError(t, err)
	w.stopped(1)
	clock.Next(t, time.Minute)
	last := periods(2)[1]
	require.Equal(t, first.at.Add(time.Minute), last.at)
	clock.Next(t, time.Minute)
	clock.Next(t, time.Minute)
	require.Len(t, periods(2), 2, "and no minute after it")
}

// A machine too busy to measure for three periods leaves no hole, and gives a task no period before its start.
func TestMetricsMeasuredLate(t *testing.T) {
	clock := wiretest.NewClock()
	w := start(t, standing(clock), func(a *account.Account, _ *ecs.Deps) { a.MetricsPeriod = time.Minute })
	w.create(service(w.register(definition(container(`while :; do sleep 1; done`))), 1))
	w.steady()
	begin := clock.Now()
	periods := func(service string) []time.Duration {
		var at []time.Duration
		for _, p := range w.measured() {
			if p.Name == "MemoryUtilization" && strings.Contains(fmt.Sprint(p.Dimensions), "ServiceName "+service+"}") {
				at = append(at, p.at.Sub(begin))
			}
		}
		return at
	}
	wiretest.Until(t, "somebody waits for the period's end", func() (any, bool) { return clock.Sleeping(), slices.Contains(clock.Sleeping(), time.Minute) })
	clock.Move(3*time.Minute + time.Second)
	wiretest.Until(t, "each of the three periods is published", func() (any, bool) {
		return periods("s"), slices.Equal(periods("s"), []time.Duration{0, time.Minute, 2 * time.Minute})
	})
	late := service("", 1)
	late.ServiceName, late.TaskDefinition = aws.String("late"), aws.String(w.register(definition(container(`while :; do sleep 1; done`))))
	w.create(late)
	wiretest.Until(t, "the second service's task runs", func() (any, bool) {
		n := 0
		for _, task := range w.tasks(types.DesiredStatusRunning) {
			if *task.LastStatus == "RUNNING" {
				n++
			}
		}
		return n, n == 2
	})
	clock.Next(t, 59*time.Second)
	wiretest.Until(t, "the next period of both", func() (any, bool) {
		return []any{periods("s"), periods("late")}, len(periods("s")) == 4 && slices.Equal(periods("late"), []time.Duration{3 * time.Minute})
	})
}

// A task is in each period in which any of its containers is.
func TestMetricsOfAContainerThatLingers(t *testing.T) {
	clock := wiretest.NewClock()
	w := start(t, standing(clock), func(a *account.Account, _ *ecs.Deps) { a.MetricsPeriod = time.Minute })
	quick, linger := container(`exec sleep 1000`), container(`trap "" TERM; echo traps; while :; do sleep 1; done`)
	quick.Name, linger.Name, linger.StopTimeout = aws.String("quick"), aws.String("linger"), aws.Int32(120)
	w.create(service(w.register(definition(quick, linger)), 1))
	w.steady()
	begin := clock.Now()
	task := w.tasks(types.DesiredStatusRunning)[0]
	wiretest.Until(t, "the second container ignores SIGTERM", func() (any, bool) {
		out, err := w.logs.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("/load"), LogStreamName: aws.String("load/linger/" + filepath.Base(*task.TaskArn))})
		return err, err == nil && len(out.Events) == 1
	})
	clock.Move(10 * time.Second)
	_, err := w.ecs.UpdateService(t.Context(), &sdk.UpdateServiceInput{Cluster: aws.String("c"), Service: aws.String("s"), DesiredCount: aws.Int32(0)})
	require.NoError(t, err)
	wiretest.Until(t, "the first container has ended", func() (any, bool) { return w.svc.Processes(), w.svc.Processes() == 1 })
	clock.Move(115 * time.Second)
	wiretest.Until(t, "both minutes are published", func() (any, bool) {
		var at []time.Duration
		for _, p := range w.measured() {
			if p.Name == "MemoryUtilization" {
				at = append(at, p.at.Sub(begin))
			}
		}
		return at, slices.Equal(at, []time.Duration{0, time.Minute})
	})
}
