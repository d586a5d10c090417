package ecs

import (
	"fmt"
	"slices"
	"time"
)

const (
	// pause is the minimum time between the end of a task and its replacement: the scheduler's interval.
	pause = time.Second
	// longest is the maximum time before a service retries to start tasks that never ran.
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
	longest = 27 * time.Minute
)

// schedule moves a service towards its desired state, within its minimum and maximum percent. It never waits:
// every change of a task or of the service calls it again. The lock is held.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
func (s *Service) schedule(v *service) {
	if s.ctx.Err() != nil || v.status == "INACTIVE" {
		return
	}
	primary, running := v.deployments[0], 0
	var current, old []*task // those that should run
	alive := 0               // has not started to end
	for _, t := range s.tasks {
		if t.service != v {
			continue
		}
		if t.lastStatus == "RUNNING" || t.pending() {
			alive++
		}
		if t.desiredStatus != "RUNNING" {
			continue
		}
		if t.lastStatus == "RUNNING" {
			running++
		}
		if t.deployment == primary {
			current = append(current, t)
		} else {
			old = append(old, t)
		}
	}
	least, most := (v.desired**v.config.MinimumHealthyPercent+99)/100, v.desired**v.config.MaximumPercent/100
	stop := func(tasks []*task, n int) []*task {
		slices.SortStableFunc(tasks, func(a, b *task) int { // what does not run yet goes first
			switch ar, br := a.lastStatus == "RUNNING", b.lastStatus == "RUNNING"; {
			case ar && !br:
				return 1
			case br && !ar:
				return -1
			}
			return 0
		})
		stopped, names := 0, ""
		for _, t := range tasks[:min(max(n, 0), len(tasks))] {
			if t.lastStatus == "RUNNING" {
				if running-1 < least {
					break
				}
				running--
			}
			s.stop(t, "ServiceSchedulerInitiated", fmt.Sprintf("Scaling activity initiated by (deployment %s)", t.deployment.id))
			stopped, names = stopped+1, names+fmt.Sprintf(" (task %s)", t.id)
		}
		if stopped > 0 {
			s.say(v, "has stopped %d running tasks:%s.", stopped, names)
		}
		return tasks[stopped:]
	}
	old = stop(old, len(old))
	current = stop(current, len(current)-v.desired)
	if primary.rollout != "FAILED" && v.status == "ACTIVE" {
		s.fill(v, primary, len(current), len(old), most)
		if v.deployments[0] != primary { // the circuit breaker rolls back
			s.schedule(v)
			return
		}
	}
	v.deployments = slices.DeleteFunc(v.deployments, func(d *deployment) bool {
		return d != primary && !slices.ContainsFunc(old, func(t *task) bool { return t.deployment == d })
	})
	ready := 0
	for _, t := range current {
		if t.lastStatus == "RUNNING" && t.passes() {
			ready++
		}
	}
	switch {
	case v.status == "DRAINING" && alive == 0:
		v.status, v.deployments = "INACTIVE", nil
	case v.status == "ACTIVE" && !v.steady && len(v.deployments) == 1 && ready == v.desired && alive == ready:
		v.steady = true
		if primary.rollout == "IN_PROGRESS" {
			primary.rollout, primary.reason, primary.updated = "COMPLETED", fmt.Sprintf("ECS deployment %s completed.", primary.id), s.now()
			v.completed = primary.definition
			s.say(v, "(deployment %s) deployment completed.", primary.id)
		}
		s.say(v, "has reached a steady state.")
	}
}

// fill starts what a deployment lacks.
func (s *Service) fill(v *service, d *deployment, current, old, most int) {
	var started string
	n := 0
	for ; current < v.desired && current+old < most; current++ {
		if wait := d.notBefore.Sub(s.now()); wait > 0 {
			s.wake(v, wait)
			break
		}
		t, reason := s.place(v, d)
		if reason != "" {
			if !v.blocked { // AWS omits duplicates until the cause is resolved
				s.say(v, "%s", reason)
				v.blocked = true
			}
			s.failed(v, d)
			if d.rollout != "FAILED" {
				s.wake(v, d.backoff)
			}
			break
		}
		v.blocked = false
		n++
		started += fmt.Sprintf(" (task %s)", t.id)
	}
	if n > 0 {
		v.steady = false
		s.say(v, "has started %d tasks:%s.", n, started)
	}
}

// wake schedules the service again after a while.
func (s *Service) wake(v *service, after time.Duration) {
	if v.waking {
		return
	}
	v.waking = true
	s.wg.Go(func() {
		_ = s.acct.Clock.Sleep(s.ctx, after) // when it ends early, schedule sees why
		s.mu.Lock()
		defer s.mu.Unlock()
		v.waking = false
		s.schedule(v)
	})
}

// failed counts a task that never ran, or ended before its health check passed: the next try waits longer, and the circuit breaker may open.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
func (s *Service) failed(v *service, d *deployment) {
	d.failed++
	d.updated = s.now()
	d.backoff = min(max(2*d.backoff, pause), longest)
	d.notBefore = s.now().Add(d.backoff)
	if d.failed == 2 && !v.blocked {
		s.say(v, "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.")
	}
	b := v.config.DeploymentCircuitBreaker
	if threshold := min(max((v.desired+1)/2, 3), 200); !b.Enable || d.rollout != "IN_PROGRESS" || d.failed < threshold || d != v.deployments[0] {
		return
	}
	d.rollout, d.reason = "FAILED", "ECS deployment circuit breaker: tasks failed to start."
	s.say(v, "(deployment %s) deployment failed: tasks failed to start.", d.id)
	if b.Rollback && v.completed != "" && v.completed != d.definition {
		v.definition = v.completed
		back := s.deploy(v)
		back.reason = fmt.Sprintf("ECS deployment circuit breaker: rolling back to deploymentId %s.", back.id)
		s.say(v, "rolling back to deployment %s.", back.id)
	}
}
