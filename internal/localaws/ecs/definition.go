package ecs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type keyValue struct{ Name, Value string }

type secret struct {
	Name      string `wire:",required"`
	ValueFrom string `wire:",required"`
}

type portMapping struct {
	ContainerPort, HostPort *int
	Protocol                *string
}

type logConfiguration struct {
	LogDriver string `wire:",required"`
	Options   map[string]string
}

type ulimit struct {
	Name      string `wire:",required"`
	SoftLimit int    `wire:",required"`
	HardLimit int    `wire:",required"`
}

type container struct {
	Name                      string
	Image                     string
	Cpu                       int
	Memory, MemoryReservation *int
	Essential                 *bool
	EntryPoint, Command       []string
	Environment               []keyValue
	Secrets                   []secret
	PortMappings              []portMapping
	MountPoints, VolumesFrom  []any
	SystemControls            []any
	StartTimeout, StopTimeout *int
	LogConfiguration          *logConfiguration
	Ulimits                   []ulimit
	DockerLabels              map[string]string
	RepositoryCredentials     *struct{ CredentialsParameter string }
	LinuxParameters           *struct{ InitProcessEnabled *bool }
	VersionConsistency        *string
	HealthCheck               *healthCheck
}

// init reports whether Docker's init is the container's first process: it forwards signals, so a program without a handler ends.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinuxParameters.html
func (c *container) init() bool {
	return c.LinuxParameters != nil && c.LinuxParameters.InitProcessEnabled != nil && *c.LinuxParameters.InitProcessEnabled
}

type platform struct{ CpuArchitecture, OperatingSystemFamily *string }

type storage struct{ SizeInGiB int }

type registerIn struct {
	Family                                                  string      `wire:",required"`
	ContainerDefinitions                                    []container `wire:",required"`
	TaskRoleArn, ExecutionRoleArn, NetworkMode, Cpu, Memory *string
	RequiresCompatibilities                                 []string
	RuntimePlatform                                         *platform
	EphemeralStorage                                        *storage
	Tags                                                    []tagset.Tag
	Volumes, PlacementConstraints, InferenceAccelerators    []any
	EnableFaultInjection                                    *bool
}

// taskDefinition never changes, except its tags. Deregistering makes a changed copy.
type taskDefinition struct {
	TaskDefinitionArn, Family, Status, NetworkMode, Cpu, Memory, RegisteredBy string
	Revision                                                                  int
	ContainerDefinitions                                                      []container
	TaskRoleArn, ExecutionRoleArn                                             *string
	Compatibilities, RequiresCompatibilities                                  []string
	RuntimePlatform                                                           *platform
	EphemeralStorage                                                          *storage
	Volumes, PlacementConstraints                                             []any
	RegisteredAt, DeregisteredAt                                              *wire.Time
	EnableFaultInjection                                                      bool
	tags                                                                      tagset.Set
}

type definitionAnswer struct {
	TaskDefinition *taskDefinition
	Tags           []tagset.Tag
}

// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
func (s *Service) registerTaskDefinition(_ context.Context, in *registerIn) (*definitionAnswer, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	tags, err := tagset.Add(rules, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	d := &taskDefinition{Family: in.Family, Status: "ACTIVE", NetworkMode: *in.NetworkMode, Cpu: units(*in.Cpu), Memory: units(*in.Memory),
		RegisteredBy: s.principal(), ContainerDefinitions: in.ContainerDefinitions, TaskRoleArn: in.TaskRoleArn, ExecutionRoleArn: in.ExecutionRoleArn,
		Compatibilities: []string{"EC2", "FARGATE", "MANAGED_INSTANCES"}, RequiresCompatibilities: in.RequiresCompatibilities, RuntimePlatform: in.RuntimePlatform,
		EphemeralStorage: in.EphemeralStorage, Volumes: []any{}, PlacementConstraints: []any{}, RegisteredAt: wire.At(s.now()), tags: tags}
	for i := range d.ContainerDefinitions {
		d.ContainerDefinitions[i].fill()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Revision = len(s.families[d.Family]) + 1
	d.TaskDefinitionArn = s.acct.ARN("ecs", fmt.Sprintf("task-definition/%s:%d", d.Family, d.Revision))
	s.families[d.Family] = append(s.families[d.Family], d)
	return &definitionAnswer{d, in.Tags}, nil
}

// fill adds AWS's defaults.
func (c *container) fill() {
	t := true
	if c.Essential == nil {
		c.Essential = &t
	}
	c.Environment = append([]keyValue{}, c.Environment...)
	c.MountPoints, c.VolumesFrom, c.SystemControls = []any{}, []any{}, []any{}
	ports := []portMapping{}
	for _, p := range c.PortMappings {
		tcp := "tcp"
		if p.Protocol == nil {
			p.Protocol = &tcp
		}
		p.HostPort = p.ContainerPort
		ports = append(ports, p)
	}
	c.PortMappings = ports
	if c.HealthCheck != nil {
		c.HealthCheck.fill()
	}
	if len(c.Secrets) == 0 {
		c.Secrets = nil
	}
	if len(c.Ulimits) == 0 {
		c.Ulimits = nil
	}
}

// definition finds family, family:revision or an ARN. A family without a revision means its newest ACTIVE one. The lock is held.
func (s *Service) definition(ref string) (family string, index int, ok bool) {
	if arn := s.acct.ARN("ecs", "task-definition/"); strings.HasPrefix(ref, "arn:") {
		if ref, ok = strings.CutPrefix(ref, arn); !ok {
			return "", 0, false
		}
	}
	family, revision, numbered := strings.Cut(ref, ":")
	revisions := s.families[family]
	if numbered {
		n, err := strconv.Atoi(revision)
		return family, n - 1, err == nil && n >= 1 && n <= len(revisions)
	}
	for i, d := range slices.Backward(revisions) {
		if d.Status == "ACTIVE" {
			return family, i, true
		}
	}
	return "", 0, false
}

func (s *Service) describeTaskDefinition(_ context.Context, in *struct {
	TaskDefinition string `wire:",required"`
	Include        []string
}) (*definitionAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	family, i, ok := s.definition(in.TaskDefinition)
	if !ok {
		return nil, client("Unable to describe task definition.")
	}
	out := &definitionAnswer{TaskDefinition: s.families[family][i]}
	if slices.Contains(in.Include, "TAGS") {
		out.Tags = tagset.List[tagset.Tag](out.TaskDefinition.tags)
	}
	return out, nil
}

func (s *Service) deregisterTaskDefinition(_ context.Context, in *struct {
	TaskDefinition string `wire:",required"`
}) (*definitionAnswer, error) {
	if !strings.Contains(in.TaskDefinition[strings.LastIndex(in.TaskDefinition, "/")+1:], ":") {
		return nil, invalid("Task definition must have a revision: %s", in.TaskDefinition)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	family, i, ok := s.definition(in.TaskDefinition)
	if !ok {
		return nil, client("The specified task definition does not exist. Specify a valid account, family, revision and try again.")
	}
	d := *s.families[family][i]
	if d.Status == "ACTIVE" {
		d.Status, d.DeregisteredAt = "INACTIVE", wire.At(s.now())
		s.families[family][i] = &d
	}
	return &definitionAnswer{TaskDefinition: &d}, nil
}
