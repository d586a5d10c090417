package ecs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/proc"
)

// live runs a task from PROVISIONING to STOPPED. It holds the lock only to change state.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
func (s *Service) live(t *task) {
	release := s.deps.EC2.Attach(t.arn, t.subnet, t.network.AwsvpcConfiguration.SecurityGroups)
	_ = s.acct.Clock.Sleep(t.ctx, s.acct.Delays.TaskStart/2) // ends early when the task is to stop
	s.to(t, "PENDING", func() { t.pullStarted = s.now() })
	_ = s.acct.Clock.Sleep(t.ctx, s.acct.Delays.TaskStart/2)
	if t.ctx.Err() == nil {
		s.start(t)
	}
	<-t.ctx.Done()
	s.to(t, "DEACTIVATING", nil)
	s.to(t, "STOPPING", func() { t.stoppingAt = s.now() })
	s.end(t)
	s.to(t, "DEPROVISIONING", func() { t.executionStopped = s.now() })
	_ = s.acct.Clock.Sleep(s.ctx, s.acct.Delays.TaskStop) // an end of everything ends this too
	release()
	if err := os.RemoveAll(s.folder(t)); err != nil {
		s.acct.Log.Warn("cannot remove a task's folder", "task", t.id, "error", err)
	}
	s.to(t, "STOPPED", func() { t.stopped = s.now() })
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.services {
		if v.blocked && v.status == "ACTIVE" { // there may be room now
			v.deployments[0].notBefore = time.Time{}
			s.schedule(v)
		}
	}
}

func (s *Service) folder(t *task) string { return filepath.Join(s.acct.Dir, "tasks", t.id) }

// to changes a task's status and calls its service's scheduler.
func (s *Service) to(t *task, status string, change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.lastStatus, t.version = status, t.version+1
	if change != nil {
		change()
	}
	for _, c := range t.containers {
		if c.process == nil && t.desiredStatus == "STOPPED" && status == "STOPPED" {
			c.status = "STOPPED"
		}
	}
	if t.service != nil {
		s.schedule(t.service)
	}
}

// fail ends a task by itself: its service counts that.
func (s *Service) fail(t *task, code, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.desiredStatus == "STOPPED" {
		return
	}
	s.stop(t, code, reason)
	if t.service == nil {
		return
	}
	if t.ran {
		t.deployment.notBefore = s.now().Add(pause)
	} else {
		s.failed(t.service, t.deployment)
	}
	s.schedule(t.service)
}

// start runs the containers, or stops the task with AWS's reason.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
func (s *Service) start(t *task) {
	env, c, err := s.launchContainers(t)
	if err != nil {
		s.mu.Lock()
		c.reason = err.Error()
		s.mu.Unlock()
		s.fail(t, "TaskFailedToStart", err.Error())
		return
	}
	s.to(t, "RUNNING", func() {
		t.started = s.now()
		t.proven()
	})
	for _, c := range t.containers { // from here on, because the end of one container can end the task
		s.wg.Go(func() { s.watch(t, c) })
		if c.HealthCheck != nil {
			s.wg.Go(func() { s.check(t, c, env[c]) })
		}
	}
}

// launchContainers does what Fargate does, in the same order: secrets, log streams, containers. It returns each container's environment, which its
// health check has as well, or the container that failed.
func (s *Service) launchContainers(t *task) (env map[*running][]string, failed *running, err error) {
	env = map[*running][]string{}
	for _, c := range t.containers {
		if err := s.pull(t, c); err != nil {
			return nil, c, err
		}
		if env[c], err = s.environment(t, c); err != nil {
			return nil, c, err
		}
	}
	s.mu.Lock()
	t.pullStopped = s.now()
	s.mu.Unlock()
	for _, c := range t.containers {
		l := c.LogConfiguration
		if l == nil {
			continue
		}
		reason := s.refusal(t, "logs:CreateLogStream", s.stream(t, c))
		if reason == "" && l.Options["awslogs-region"] != s.acct.Region {
			reason = "ResourceNotFoundException: The specified log group does not exist."
		}
		if reason == "" { // the driver makes the stream before the container starts: a running task has one, with or without events
			if err := s.deps.Logs.Put(l.Options["awslogs-group"], s.streamName(t, c)); err != nil {
				reason = err.Error()
			}
		}
		if reason != "" {
			return nil, c, fmt.Errorf("ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: %s : exit status 1", reason)
		}
	}
	for _, c := range t.containers {
		if err := os.MkdirAll(filepath.Join(s.folder(t), "tmp"), 0o700); err != nil {
			return nil, c, fmt.Errorf("ResourceInitializationError: %w", err)
		}
		if err := s.exec(t, c, env[c]); err != nil {
			return nil, c, err
		}
	}
	return env, nil, nil
}

// environment is what Fargate sets, the container's own variables and its secrets; nothing of this process's own
// but the rest of PATH.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html
func (s *Service) environment(t *task, c *running) ([]string, error) {
	metadata := "http://169.254.170.2/v4/" + c.id // nothing listens there
	env := []string{"PATH=" + s.path(), "HOME=" + s.folder(t), "TMPDIR=" + filepath.Join(s.folder(t), "tmp"),
		"AWS_REGION=" + s.acct.Region, "AWS_DEFAULT_REGION=" + s.acct.Region, "AWS_EXECUTION_ENV=AWS_ECS_FARGATE",
		"ECS_CONTAINER_METADATA_URI=" + strings.Replace(metadata, "v4", "v3", 1), "ECS_CONTAINER_METADATA_URI_V4=" + metadata}
	for _, e := range c.Environment {
		env = append(env, e.Name+"="+e.Value)
	}
	for _, x := range c.Secrets {
		if reason := s.refusal(t, "ssm:GetParameters", s.parameter(x.ValueFrom)); reason != "" {
			return nil, fmt.Errorf("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): %s", reason)
		}
		v, ok := s.deps.SSM.Parameter(x.ValueFrom)
		if !ok {
			return nil, fmt.Errorf("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: %s", x.ValueFrom)
		}
		env = append(env, x.Name+"="+v)
	}
	return env, nil
}

func (s *Service) bin() string { return filepath.Join(s.acct.Dir, "bin") }

// path is a task's PATH: memtier_benchmark is the machine's, or a link to localaws in the first folder.
func (s *Service) path() string { return s.bin() + string(os.PathListSeparator) + os.Getenv("PATH") }

// look finds a program on a task's PATH.
func (s *Service) look(name string) (string, error) {
	if !strings.Contains(name, "/") {
		if p, err := exec.LookPath(filepath.Join(s.bin(), name)); err == nil {
			return p, nil
		}
	}
	return exec.LookPath(name)
}

// exec starts a container's process.
func (s *Service) exec(t *task, c *running, env []string) error {
	argv := append(append([]string{}, c.EntryPoint...), c.Command...)
	if len(argv) == 0 {
		return errors.New("CannotStartContainerError: localaws pulls no image: the container needs an entryPoint or a command")
	}
	path, err := s.look(argv[0])
	if err != nil {
		return fmt.Errorf("CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create shim: OCI runtime create failed: runc create failed: unable to start container process: exec: %q: executable file not found in $PATH: unknown", argv[0])
	}
	args := argv[1:]
	if s.deps.Isolated != nil && s.deps.Isolated(t.network.AwsvpcConfiguration.SecurityGroups) {
		args = append([]string{"-Urn", "--", path}, args...) // the same process afterwards: unshare execs it
		path = "unshare"
	}
	out, err2 := s.driver(t, c), s.driver(t, c) // Docker reads two pipes; the order between them is that of reading
	p, err := proc.Start(proc.Spec{Path: path, Args: args, Env: env, Dir: s.folder(t), Stdout: out, Stderr: err2, Death: syscall.SIGTERM, First: !c.init()})
	if err != nil {
		return fmt.Errorf("CannotStartContainerError: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		<-p.Done()
		out.flush()
		err2.flush()
		close(ended)
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	c.process, c.ended, c.status = p, ended, "RUNNING"
	return nil
}

// watch ends the task with an essential container.
func (s *Service) watch(t *task, c *running) {
	<-c.ended
	s.stopped(c)
	if *c.Essential {
		s.fail(t, "EssentialContainerExited", "Essential container in task exited")
	}
}

// stopped records a container's end, and lets its process go: API answers have the task for another hour.
func (s *Service) stopped(c *running) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.process == nil { // it was recorded before
		return
	}
	code := c.process.ExitCode()
	c.exit, c.status, c.process = &code, "STOPPED", nil
}

// end stops all containers, SIGTERM first, and returns when their output has been delivered.
func (s *Service) end(t *task) {
	var all sync.WaitGroup
	for _, c := range t.containers {
		s.mu.Lock()
		p := c.process
		s.mu.Unlock()
		if p == nil { // it never ran, or has ended
			continue
		}
		s.sample(t, c, p)
		grace := time.Duration(or(c.StopTimeout, 30)) * time.Second
		if s.ctx.Err() != nil {
			grace = 0
		}
		all.Go(func() {
			done := make(chan struct{})
			go func() { p.Stop(grace); close(done) }()
			select {
			case <-done:
			case <-s.ctx.Done(): // everything ends: no grace
				p.Kill()
				<-done
			}
			<-c.ended
			s.stopped(c)
		})
	}
	all.Wait()
}

// linkGenerator puts localaws under the name memtier_benchmark when the machine has none.
func (s *Service) linkGenerator() error {
	link := filepath.Join(s.bin(), "memtier_benchmark")
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := exec.LookPath("memtier_benchmark"); err == nil || s.acct.Tools == "" {
		return nil
	}
	if err := os.MkdirAll(s.bin(), 0o755); err != nil {
		return err
	}
	return os.Symlink(s.acct.Tools, link)
}

func (s *Service) askGenerator() string {
	path, err := s.look("memtier_benchmark")
	if err != nil {
		return "none: " + err.Error()
	}
	out, err := exec.CommandContext(s.ctx, path, "--version").CombinedOutput()
	line, _, _ := strings.Cut(string(out), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return fmt.Sprintf("unknown: %s --version: %v", path, err)
	}
	return line
}
