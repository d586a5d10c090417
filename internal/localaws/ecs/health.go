package ecs

import (
	"fmt"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/proc"
)

// healthCheck is a container's health check: a command that runs beside its process, with the same environment.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
type healthCheck struct {
	Command                                 []string `wire:",required"` // CMD and arguments, or CMD-SHELL and a line
	Interval, Timeout, Retries, StartPeriod *int     // in seconds, but for Retries
}

func (h *healthCheck) wrong() string {
	switch kind := append(h.Command, "")[0]; {
	case kind != "CMD" && kind != "CMD-SHELL", len(h.Command) < 2, kind == "CMD-SHELL" && len(h.Command) > 2:
		return "The health check command must begin with CMD and have arguments, or with CMD-SHELL and have one."
	}
	for _, b := range []struct {
		what      string
		value     *int
		low, high int
	}{{"interval", h.Interval, 5, 300}, {"timeout", h.Timeout, 2, 60}, {"retries", h.Retries, 1, 10}, {"startPeriod", h.StartPeriod, 0, 300}} {
		if b.value != nil && (*b.value < b.low || *b.value > b.high) {
			return fmt.Sprintf("The health check %s must be between %d and %d.", b.what, b.low, b.high)
		}
	}
	return ""
}

func (h *healthCheck) fill() {
	for _, d := range []struct {
		value **int
		is    int
	}{{&h.Interval, 30}, {&h.Timeout, 5}, {&h.Retries, 3}} {
		if *d.value == nil {
			*d.value = &d.is
		}
	}
}

// health is the worst of the essential containers that have a check.
func (t *task) health() string {
	worst := ""
	for _, c := range t.containers {
		switch {
		case !*c.Essential || c.HealthCheck == nil || worst == "UNHEALTHY":
		case c.health == "UNHEALTHY" || worst == "" || c.health == "UNKNOWN":
			worst = c.health
		}
	}
	if worst == "" {
		return "UNKNOWN"
	}
	return worst
}

// passes reports whether a service counts a running task as healthy: it has no checks, or they have passed.
func (t *task) passes() bool {
	for _, c := range t.containers {
		if *c.Essential && c.HealthCheck != nil {
			return t.health() == "HEALTHY"
		}
	}
	return true
}

// proven records that a task runs and passes its checks. A later end is not a failure of its deployment, and the failure count restarts at 0.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html; a task that stops after its checks have passed may not
// count: https://repost.aws/knowledge-center/ecs-deployment-roll-back-failure. The lock is held.
func (t *task) proven() {
	if t.ran || !t.passes() {
		return
	}
	t.ran = true
	if d := t.deployment; d != nil {
		d.failed, d.backoff = 0, 0
	}
}

// check runs a container's health check as long as its process lives. A failure within the start period does not count until one has passed.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/healthcheck.html
func (s *Service) check(t *task, c *running, env []string) {
	h := c.HealthCheck
	began, failures := s.now(), 0
	for s.acct.Clock.Sleep(t.ctx, time.Duration(*h.Interval)*time.Second) == nil {
		select {
		case <-c.ended:
			return
		default:
		}
		passed := s.passed(t, c, env)
		early := s.now().Sub(began) < time.Duration(or(h.StartPeriod, 0))*time.Second
		switch {
		case t.ctx.Err() != nil:
			return
		case passed:
			failures = 0
			s.judge(t, c, "HEALTHY")
		case early && c.health != "HEALTHY":
		default:
			if failures++; failures >= *h.Retries {
				s.judge(t, c, "UNHEALTHY")
			}
		}
	}
}

// judge records a container's health. A service stops and replaces a task with an unhealthy essential container; a task without a service continues.
func (s *Service) judge(t *task, c *running, health string) {
	if c.health == health { // only check writes it
		return
	}
	s.mu.Lock()
	c.health, t.version = health, t.version+1
	if t.lastStatus == "RUNNING" {
		t.proven()
	}
	if t.service != nil {
		s.schedule(t.service)
	}
	unhealthy := t.service != nil && *c.Essential && health == "UNHEALTHY"
	if unhealthy {
		s.say(t.service, "(task %s) failed container health checks.", t.id)
	}
	s.mu.Unlock()
	if unhealthy {
		s.fail(t, "ServiceSchedulerInitiated", "Task failed container health checks")
	}
}

// passed runs the check once. It uses this machine's network, even if the task has none.
func (s *Service) passed(t *task, c *running, env []string) bool {
	argv := c.HealthCheck.Command[1:]
	if c.HealthCheck.Command[0] == "CMD-SHELL" {
		argv = []string{"/bin/sh", "-c", argv[0]}
	}
	path, err := s.look(argv[0])
	if err != nil {
		return false
	}
	p, err := proc.Start(proc.Spec{Path: path, Args: argv[1:], Env: env, Dir: s.folder(t)})
	if err != nil {
		return false
	}
	late := time.NewTimer(time.Duration(*c.HealthCheck.Timeout) * time.Second)
	defer late.Stop()
	select {
	case <-p.Done():
		return p.ExitCode() == 0
	case <-late.C:
	case <-t.ctx.Done():
	}
	p.Kill()
	<-p.Done()
	return false
}
