package ecs

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// task is one run of a task definition; its fields change under the service's lock.
type task struct {
	id, arn, desiredStatus, lastStatus, stopCode, stoppedReason, group, startedBy string
	cluster                                                                       *cluster
	service                                                                       *service    // nil for RunTask
	deployment                                                                    *deployment // nil for RunTask
	definition                                                                    *taskDefinition
	network                                                                       *network
	subnet, zone, address, eni, attachment, mac                                   string
	containers                                                                    []*running
	tags                                                                          tagset.Set
	version                                                                       int
	ran                                                                           bool
	ctx                                                                           context.Context // ends when it shall stop
	cancel                                                                        context.CancelFunc

	created, pullStarted, pullStopped, started, stoppingAt, executionStopped, stopped time.Time
}

// running is a container of a task.
type running struct {
	*container
	id, status, reason string
	exit               *int
	process            *proc.Process // nil before it starts and after it has ended
	ended              chan struct{} // closed when the process is gone and its output delivered
	measured           measurement   // of the period that is not published yet
	health             string        // by its health check: UNKNOWN, HEALTHY or UNHEALTHY
}

func (t *task) pending() bool {
	return t.lastStatus == "PROVISIONING" || t.lastStatus == "PENDING" || t.lastStatus == "ACTIVATING"
}

func (t *task) vcpus() float64 { return float64(number(t.definition.Cpu)) / 1024 }

const limitReached = "You've reached the limit on the number of vCPUs you can run concurrently. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."

// room reports whether the account's quota allows another task. The lock is held.
func (s *Service) room(d *taskDefinition) bool {
	quota, used := 6.0, float64(number(d.Cpu))/1024
	if s.deps.VCPUs != nil {
		quota = s.deps.VCPUs()
	}
	for _, t := range s.tasks {
		if t.lastStatus != "STOPPED" {
			used += t.vcpus()
		}
	}
	return used <= quota
}

// distrusted is the task definition's first role that ECS cannot assume, or "".
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
func (s *Service) distrusted(d *taskDefinition) string {
	for _, arn := range []*string{d.ExecutionRoleArn, d.TaskRoleArn} {
		if arn != nil && !s.deps.IAM.Trusts(*arn, "ecs-tasks.amazonaws.com") {
			return fmt.Sprintf("ECS was unable to assume the role '%s' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.", *arn)
		}
	}
	return ""
}

// place starts a task of a service, or returns why it cannot. The lock is held.
func (s *Service) place(v *service, d *deployment) (*task, string) {
	family, i, _ := s.definition(d.definition) // a service's definition exists: revisions are never removed
	def := s.families[family][i]
	if !s.room(def) {
		return nil, "was unable to place a task. Reason: " + limitReached
	}
	if reason := s.distrusted(def); reason != "" {
		return nil, fmt.Sprintf("failed to launch a task with (error %s)", reason)
	}
	t := &task{cluster: v.cluster, service: v, deployment: d, definition: def, network: d.network, group: "service:" + v.name, startedBy: d.id}
	switch v.propagate {
	case "SERVICE":
		t.tags = v.tags.Clone()
	case "TASK_DEFINITION":
		t.tags = def.tags.Clone()
	}
	if v.managedTags {
		t.tags = t.tags.Clone()
		t.tags["aws:ecs:clusterName"], t.tags["aws:ecs:serviceName"] = v.cluster.name, v.name
	}
	v.subnet++
	s.launch(t, v.subnet)
	return t, ""
}

// launch gives a task its identity and starts it. The lock is held.
func (s *Service) launch(t *task, nth int) {
	t.id = account.NewID(32)
	t.arn = s.acct.ARN("ecs", "task/"+t.cluster.name+"/"+t.id)
	t.desiredStatus, t.lastStatus, t.created, t.version = "RUNNING", "PROVISIONING", s.now(), 1
	t.ctx, t.cancel = context.WithCancel(s.ctx)
	subnets := t.network.AwsvpcConfiguration.Subnets
	t.subnet = subnets[nth%len(subnets)]
	t.eni, t.attachment = "eni-0"+account.NewID(16), uuid()
	if subnet, ok := s.deps.EC2.Subnet(t.subnet); ok {
		t.zone = subnet.AZ
		if p, err := netip.ParsePrefix(subnet.CIDR); err == nil {
			s.addresses++
			a := p.Addr().As4()
			a[2], a[3] = a[2]+byte(s.addresses/200), byte(10+s.addresses%200)
			t.address = netip.AddrFrom4(a).String()
			t.mac = fmt.Sprintf("0a:58:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3])
		}
	}
	for i := range t.definition.ContainerDefinitions {
		c := &t.definition.ContainerDefinitions[i]
		t.containers = append(t.containers, &running{container: c, id: fmt.Sprintf("%s-%010d", t.id, rand.Int64N(1e10)), status: "PENDING", health: "UNKNOWN"})
	}
	s.tasks = append(slices.DeleteFunc(s.tasks, func(o *task) bool { // stopped tasks are visible for an hour
		return o.lastStatus == "STOPPED" && s.now().Sub(o.stopped) > time.Hour
	}), t)
	s.wg.Go(func() { s.live(t) })
}

// stop asks a task to end; the first reason is kept. The lock is held.
func (s *Service) stop(t *task, code, reason string) {
	if t.desiredStatus == "STOPPED" {
		return
	}
	t.desiredStatus, t.stopCode, t.stoppedReason, t.version = "STOPPED", code, reason, t.version+1
	t.cancel()
}

type nameValue struct{ Name, Value string }

type attachment struct {
	Id, Type, Status string
	Details          []nameValue
}

type containerOut struct {
	ContainerArn, TaskArn, Name, Image, LastStatus, HealthStatus, Cpu string
	RuntimeId, Reason, Memory, MemoryReservation                      string `wire:",omitempty"`
	ExitCode                                                          *int
	NetworkBindings                                                   []struct{}
	NetworkInterfaces                                                 []networkInterface
}

type networkInterface struct{ AttachmentId, PrivateIpv4Address string }

type taskOut struct {
	TaskArn, TaskDefinitionArn, ClusterArn, DesiredStatus, LastStatus, LaunchType, PlatformVersion, PlatformFamily, Cpu, Memory, AvailabilityZone, Group, Connectivity, HealthStatus string
	StartedBy, StopCode, StoppedReason                                                                                                                                               string `wire:",omitempty"`
	Attachments                                                                                                                                                                      []attachment
	Attributes                                                                                                                                                                       []nameValue
	Containers                                                                                                                                                                       []containerOut
	ConnectivityAt, CreatedAt, PullStartedAt, PullStoppedAt, StartedAt, StoppingAt, ExecutionStoppedAt, StoppedAt                                                                    *wire.Time
	EnableExecuteCommand                                                                                                                                                             bool
	EphemeralStorage                                                                                                                                                                 storage
	Overrides                                                                                                                                                                        overrides
	Tags                                                                                                                                                                             []tagset.Tag
	Version                                                                                                                                                                          int
}

type overrides struct {
	ContainerOverrides            []struct{ Name string }
	InferenceAcceleratorOverrides []struct{}
}

// describeTask needs the lock.
func (s *Service) describeTask(t *task, tags bool) taskOut {
	d := t.definition
	o := taskOut{TaskArn: t.arn, TaskDefinitionArn: d.TaskDefinitionArn, ClusterArn: t.cluster.arn, DesiredStatus: t.desiredStatus, LastStatus: t.lastStatus,
		LaunchType: "FARGATE", PlatformVersion: platformVersion, PlatformFamily: "Linux", Cpu: d.Cpu, Memory: d.Memory, AvailabilityZone: t.zone, Group: t.group,
		StartedBy: t.startedBy, StopCode: t.stopCode, StoppedReason: t.stoppedReason, Connectivity: "CONNECTED", HealthStatus: t.health(),
		ConnectivityAt: wire.At(t.created), CreatedAt: wire.At(t.created), PullStartedAt: wire.At(t.pullStarted), PullStoppedAt: wire.At(t.pullStopped),
		StartedAt: wire.At(t.started), StoppingAt: wire.At(t.stoppingAt), ExecutionStoppedAt: wire.At(t.executionStopped), StoppedAt: wire.At(t.stopped),
		EphemeralStorage: or(d.EphemeralStorage, storage{20}), Overrides: overrides{InferenceAcceleratorOverrides: []struct{}{}},
		Attributes: []nameValue{{"ecs.cpu-architecture", "x86_64"}}, Tags: []tagset.Tag{}, Version: t.version}
	if d.RuntimePlatform != nil && or(d.RuntimePlatform.CpuArchitecture, "") == "ARM64" {
		o.Attributes[0].Value = "arm64"
	}
	if tags {
		o.Tags = tagset.List[tagset.Tag](t.tags)
	}
	status := "ATTACHED"
	switch t.lastStatus {
	case "PROVISIONING":
		status = "PRECREATED"
	case "STOPPED":
		status = "DELETED"
	}
	o.Attachments = []attachment{{t.attachment, "ElasticNetworkInterface", status, []nameValue{{"subnetId", t.subnet}, {"networkInterfaceId", t.eni},
		{"macAddress", t.mac}, {"privateIPv4Address", t.address}}}}
	for _, c := range t.containers {
		o.Overrides.ContainerOverrides = append(o.Overrides.ContainerOverrides, struct{ Name string }{c.Name})
		x := containerOut{ContainerArn: s.acct.ARN("ecs", "container/"+t.cluster.name+"/"+t.id+"/"+c.Name), TaskArn: t.arn, Name: c.Name, Image: c.Image,
			LastStatus: c.status, HealthStatus: c.health, Cpu: fmt.Sprint(c.Cpu), RuntimeId: c.id, Reason: c.reason, ExitCode: c.exit,
			NetworkBindings: []struct{}{}, NetworkInterfaces: []networkInterface{{t.attachment, t.address}}}
		if c.Memory != nil {
			x.Memory = fmt.Sprint(*c.Memory)
		}
		if c.MemoryReservation != nil {
			x.MemoryReservation = fmt.Sprint(*c.MemoryReservation)
		}
		o.Containers = append(o.Containers, x)
	}
	return o
}

// task finds one by id or ARN. The lock is held.
func (s *Service) task(c *cluster, ref string) *task {
	for _, t := range s.tasks {
		if t.cluster == c && (t.id == ref || t.arn == ref) && (t.lastStatus != "STOPPED" || s.now().Sub(t.stopped) <= time.Hour) {
			return t
		}
	}
	return nil
}

// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
func (s *Service) describeTasks(_ context.Context, in *struct {
	Cluster *string
	Tasks   []string `wire:",required"`
	Include []string
}) (*tasksOut, error) {
	if err := referred("Tasks", in.Tasks, 100); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	tasks, failures := described(in.Tasks, func(ref string) (taskOut, bool) {
		t := s.task(c, ref)
		if t == nil {
			return taskOut{}, false
		}
		return s.describeTask(t, slices.Contains(in.Include, "TAGS")), true
	}, func(id string) string { return s.acct.ARN("ecs", "task/"+c.name+"/"+id) })
	return &tasksOut{tasks, failures}, nil
}

type tasksOut struct {
	Tasks    []taskOut
	Failures []failure
}

// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html
func (s *Service) listTasks(_ context.Context, in *struct {
	Cluster, Family, NextToken, StartedBy, ServiceName, DesiredStatus, LaunchType *string
	MaxResults                                                                    *int
}) (*struct {
	TaskArns  []string
	NextToken *string
}, error) {
	want := or(in.DesiredStatus, "RUNNING")
	if !slices.Contains([]string{"RUNNING", "PENDING", "STOPPED"}, want) {
		return nil, invalid("desiredStatus %q must be RUNNING, PENDING or STOPPED", want)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	var v *service
	if in.ServiceName != nil {
		if v, err = s.service(in.Cluster, *in.ServiceName); err != nil {
			return nil, err
		}
	}
	var arns []string
	for _, t := range s.tasks {
		switch {
		case t.cluster != c, t.desiredStatus != want, v != nil && t.service != v, or(in.Family, t.definition.Family) != t.definition.Family,
			or(in.StartedBy, t.startedBy) != t.startedBy, or(in.LaunchType, "FARGATE") != "FARGATE", s.task(c, t.id) == nil:
		default:
			arns = append(arns, t.arn)
		}
	}
	out := &struct {
		TaskArns  []string
		NextToken *string
	}{}
	out.TaskArns, out.NextToken, err = page(arns, 100, in.MaxResults, in.NextToken)
	return out, err
}

// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
func (s *Service) runTask(_ context.Context, in *struct {
	TaskDefinition                                                        string `wire:",required"`
	Cluster, Group, LaunchType, PlatformVersion, StartedBy, PropagateTags *string
	ClientToken, ReferenceId                                              *string // no retries are told apart here
	Count                                                                 *int
	NetworkConfiguration                                                  *network
	EnableECSManagedTags                                                  *bool
	Tags                                                                  []tagset.Tag
	unservedMembers
}) (*struct {
	Tasks    []taskOut
	Failures []failure
}, error) {
	if err := in.unservedMembers.check(); err != nil {
		return nil, err
	}
	if l := or(in.LaunchType, "EC2"); l != "FARGATE" {
		return nil, invalid("localaws serves launchType FARGATE only, not %s", l)
	}
	if n := or(in.Count, 1); n < 1 || n > 10 {
		return nil, invalid("count must be between 1 and 10.")
	}
	if err := checkPlatform(or(in.PlatformVersion, "LATEST")); err != nil {
		return nil, err
	}
	tags, err := tagset.Add(rules, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	net, err := s.checkNetwork(in.NetworkConfiguration)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	d, err := s.active(in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	if reason := s.distrusted(d); reason != "" {
		return nil, client("%s", reason)
	}
	out := &struct {
		Tasks    []taskOut
		Failures []failure
	}{[]taskOut{}, []failure{}}
	for i := range or(in.Count, 1) {
		if !s.room(d) {
			if i == 0 {
				return nil, client("%s", limitReached)
			}
			out.Failures = append(out.Failures, failure{"", limitReached})
			break
		}
		t := &task{cluster: c, definition: d, network: net, group: or(in.Group, "family:"+d.Family), startedBy: or(in.StartedBy, ""), tags: tags.Clone()}
		if or(in.PropagateTags, "NONE") == "TASK_DEFINITION" {
			maps.Copy(t.tags, d.tags)
		}
		if or(in.EnableECSManagedTags, false) {
			t.tags["aws:ecs:clusterName"] = c.name
		}
		s.launch(t, i)
		out.Tasks = append(out.Tasks, s.describeTask(t, true))
	}
	return out, nil
}
