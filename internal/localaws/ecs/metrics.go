package ecs

import (
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/proc"
)

// measure publishes every period until Close, at its start's timestamp. A busy machine may let it do so later than a period:
// then it publishes each period that has ended since; counts of tasks and deployments are those of the moment.
func (s *Service) measure() {
	period := s.acct.MetricsPeriod
	begin := s.now().Truncate(period)
	for s.acct.Clock.Sleep(s.ctx, begin.Add(period).Sub(s.now())) == nil {
		begin = s.publish(begin, period)
	}
}

// sample is what a task used from one moment to another: CPU units (1024 are one vCPU) and MiB, beside what it reserved.
type sample struct {
	t                                *task
	from, to                         time.Time
	cpu, memory, cpuHeld, memoryHeld float64
}

// measurement is what a container has used since it was published last.
type measurement struct {
	used, total time.Duration // CPU since then, and of the process's whole life
	rss         int64
	from, at    time.Time // what was measured; at is zero when nothing was
}

// sample measures what a container has used. It runs at the end of each period, and before a task is stopped: ECS collects several data
// points a minute and sends their aggregate, so the minute in which a task is stopped also has one. A task that ends by itself is not sampled in time.
// https://docs.aws.amazon.com/AmazonECS/latest/userguide/cloudwatch-metrics.html
func (s *Service) sample(t *task, c *running, p *proc.Process) {
	u := p.Usage()
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &c.measured
	if u.Processes == 0 {
		return
	}
	if m.from.IsZero() {
		m.from = t.started
	}
	m.used += max(0, u.CPU-m.total)
	m.total, m.rss, m.at = max(m.total, u.CPU), u.RSS, s.now()
}

// publish publishes a sample of each task for the periods that it ran in, from begin to the last that has ended, whose end it gives back.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html
func (s *Service) publish(begin time.Time, period time.Duration) (end time.Time) {
	type measured struct {
		c *running
		t *task
		p *proc.Process // nil when it has ended
	}
	var processes []measured
	s.mu.Lock()
	for _, t := range s.tasks {
		for _, c := range t.containers {
			if !t.started.IsZero() && (c.process != nil || !c.measured.at.IsZero()) {
				processes = append(processes, measured{c, t, c.process})
			}
		}
	}
	s.mu.Unlock()
	for _, p := range processes {
		if p.p != nil {
			s.sample(p.t, p.c, p.p)
		}
	}
	end = begin.Add(max(period, s.now().Sub(begin).Truncate(period)))
	samples, order := map[*task]*sample{}, []*sample{}
	s.mu.Lock()
	for _, p := range processes {
		m := p.c.measured
		if m.at.IsZero() || !m.from.Before(end) {
			continue
		}
		p.c.measured = measurement{total: m.total, from: m.at}
		x := samples[p.t]
		if x == nil {
			d := p.t.definition
			x = &sample{t: p.t, from: m.from, to: m.at, cpuHeld: float64(number(d.Cpu)), memoryHeld: float64(number(d.Memory))}
			samples[p.t], order = x, append(order, x)
		}
		if m.from.Before(x.from) {
			x.from = m.from
		}
		if m.at.After(x.to) {
			x.to = m.at
		}
		x.cpu += 1024 * m.used.Seconds() / max(m.at.Sub(m.from), min(period, time.Second)).Seconds() // the kernel counts in ticks of 10 ms
		x.memory += float64(m.rss) / (1 << 20)
	}
	s.mu.Unlock()
	for at := begin; at.Before(end); at = at.Add(period) {
		var ran []*sample
		for _, x := range order {
			if x.from.Before(at.Add(period)) && !x.to.Before(at) {
				ran = append(ran, x)
			}
		}
		s.put(at, ran)
	}
	return end
}

// put publishes a period.
func (s *Service) put(at time.Time, samples []*sample) {
	for _, x := range samples {
		if v := x.t.service; v != nil {
			dims := []cloudwatch.Dimension{{Name: "ClusterName", Value: v.cluster.name}, {Name: "ServiceName", Value: v.name}}
			s.deps.CloudWatch.Put(cloudwatch.Metric{Namespace: "AWS/ECS", Name: "CPUUtilization", Unit: "Percent", Dimensions: dims}, at, 100*x.cpu/x.cpuHeld)
			s.deps.CloudWatch.Put(cloudwatch.Metric{Namespace: "AWS/ECS", Name: "MemoryUtilization", Unit: "Percent", Dimensions: dims}, at, 100*x.memory/x.memoryHeld)
		}
	}
	s.observe(at, samples)
}

// observe publishes Container Insights for clusters that have it on: sums over the tasks, and with enhanced observability
// also each task. https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-ECS.html
func (s *Service) observe(at time.Time, samples []*sample) {
	type point struct {
		name, unit string
		value      float64
		dimensions []cloudwatch.Dimension
	}
	var points []point
	s.mu.Lock()
	due := s.performances
	s.performances = nil
	for _, c := range s.clusters {
		if c.status != "ACTIVE" || c.insights == "disabled" {
			continue
		}
		add := func(dims []cloudwatch.Dimension, of func(*task) bool) {
			var sum sample
			for _, x := range samples {
				if x.t.cluster == c && of(x.t) {
					sum = sample{cpu: sum.cpu + x.cpu, memory: sum.memory + x.memory, cpuHeld: sum.cpuHeld + x.cpuHeld, memoryHeld: sum.memoryHeld + x.memoryHeld}
				}
			}
			if sum.cpuHeld > 0 {
				points = append(points, point{"CpuUtilized", "None", sum.cpu, dims}, point{"CpuReserved", "None", sum.cpuHeld, dims},
					point{"MemoryUtilized", "Megabytes", sum.memory, dims}, point{"MemoryReserved", "Megabytes", sum.memoryHeld, dims})
			}
		}
		name := cloudwatch.Dimension{Name: "ClusterName", Value: c.name}
		services, families := 0, map[string]bool{}
		tasks := s.describe(c, nil)
		add([]cloudwatch.Dimension{name}, func(*task) bool { return true })
		for _, v := range s.services {
			if v.cluster != c || v.status != "ACTIVE" || !v.created.Before(at.Add(s.acct.MetricsPeriod)) {
				continue
			}
			services++
			o, dims := s.describeService(v, false), []cloudwatch.Dimension{name, {Name: "ServiceName", Value: v.name}}
			add(dims, func(t *task) bool { return t.service == v })
			points = append(points, point{"RunningTaskCount", "Count", float64(o.RunningCount), dims}, point{"PendingTaskCount", "Count", float64(o.PendingCount), dims},
				point{"DesiredTaskCount", "Count", float64(o.DesiredCount), dims}, point{"DeploymentCount", "Count", float64(len(o.Deployments)), dims},
				point{"TaskSetCount", "Count", 0, dims})
		}
		for _, x := range samples {
			family := cloudwatch.Dimension{Name: "TaskDefinitionFamily", Value: x.t.definition.Family}
			if x.t.cluster == c && !families[family.Value] {
				families[family.Value] = true
				add([]cloudwatch.Dimension{name, family}, func(t *task) bool { return t.definition.Family == family.Value })
			}
			if x.t.cluster == c {
				s.performances = append(s.performances, x.performance(at))
			}
			if x.t.cluster == c && c.insights == "enhanced" {
				add([]cloudwatch.Dimension{name, family, {Name: "TaskId", Value: x.t.id}}, func(t *task) bool { return t == x.t })
			}
		}
		points = append(points, point{"TaskCount", "Count", float64(tasks.RunningTasksCount), []cloudwatch.Dimension{name}},
			point{"ServiceCount", "Count", float64(services), []cloudwatch.Dimension{name}})
	}
	s.mu.Unlock()
	for _, p := range due {
		s.write(p)
	}
	for _, p := range points {
		s.deps.CloudWatch.Put(cloudwatch.Metric{Namespace: "ECS/ContainerInsights", Name: p.name, Unit: p.unit, Dimensions: p.dimensions}, at, p.value)
	}
}
