// Package ecs is Elastic Container Service on Fargate. A task is the task definition's own command as child
// processes of this machine, its output the events of an awslogs driver, its CPU and memory the service's metrics.
//
// No image is pulled: image names are only checked for their form, and a container must name what it runs
// (entryPoint, or command). The program comes from the machine's PATH, and memtier_benchmark, where the machine
// has none, from localaws itself. A task sees the machine's files, and has its own folder as HOME and TMPDIR, which is
// removed with it. CPU, memory and ulimits are validated and used for metrics and quota, but not enforced (so
// CPUUtilization can exceed 100 %); nor is the CPU architecture. The execution role's policies decide whether a task can
// have its log stream, secrets and image. Tasks have no credentials, volumes or ECS Exec. Log
// drivers other than awslogs, launch types other than FARGATE, load balancers and capacity providers for services
// are refused. Container Insights publishes metrics and, of the performance log events, those of tasks.
//
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/Welcome.html
package ecs

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ec2"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Deps are the services that ECS itself calls.
type Deps struct {
	EC2 interface {
		Subnet(id string) (ec2.Subnet, bool)
		SecurityGroup(id string) (ec2.SecurityGroup, bool)
		Attach(owner, subnet string, groups []string) (release func())
	}
	IAM interface {
		Trusts(roleARN, service string) bool
		Decide(principalARN, action, resource string, context map[string]string) iam.Decision
	}
	Logs interface {
		Put(group, stream string, events ...logs.Event) error
		Create(group string) error
	}
	SSM interface {
		Parameter(nameOrARN string) (string, bool)
	}
	CloudWatch interface {
		Put(m cloudwatch.Metric, t time.Time, value float64)
	}
	// VCPUs is the account's quota of Fargate On-Demand vCPUs (L-3032A538); nil is AWS's default of 6.
	VCPUs func() float64
	// Isolated reports whether a task with these security groups can reach nothing. It then starts in its own
	// network namespace, without any route. nil isolates no task.
	Isolated func(groups []string) bool
}

// Service is ECS of one account.
type Service struct {
	acct   *account.Account
	deps   Deps
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // task lives, wake-ups, metrics

	generator func() string

	mu        sync.Mutex // never held while a process is waited for
	clusters  map[string]*cluster
	families  map[string][]*taskDefinition
	services  []*service // in order of creation, INACTIVE ones included
	tasks     []*task    // in order of creation, stopped ones for an hour
	addresses int
	upstream  []string // prefixes of repositories that are pull-through caches

	performances []performance // of the period before, which are about to be written
}

// New has the account's default settings and no cluster. It puts memtier_benchmark into the account's bin/ folder
// when the machine has none.
func New(acct *account.Account, deps Deps) *Service {
	s := &Service{acct: acct, deps: deps, clusters: map[string]*cluster{}, families: map[string][]*taskDefinition{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.linkGenerator(); err != nil {
		acct.Log.Error("no memtier_benchmark for tasks", "error", err)
	}
	s.generator = sync.OnceValue(s.askGenerator)
	s.wg.Go(s.measure)
	return s
}

// Generator is the first line of memtier_benchmark's --version, as tasks find it: the machine's own, or localaws'.
func (s *Service) Generator() string { return s.generator() }

// Settled reports whether every task has reached its desired status.
func (s *Service) Settled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(s.tasks, func(t *task) bool { return t.lastStatus != t.desiredStatus })
}

// Close kills every task's processes, and returns when they are gone.
func (s *Service) Close() error {
	s.cancel()
	s.wg.Wait()
	return nil
}

// Register serves https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Operations.html
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "ecs", Lower: true, Invalid: "InvalidParameterException"},
		wire.Action("CreateCluster", s.createCluster),
		wire.Action("UpdateCluster", s.updateCluster),
		wire.Action("UpdateClusterSettings", s.updateClusterSettings),
		wire.Action("DescribeClusters", s.describeClusters),
		wire.Action("ListClusters", s.listClusters),
		wire.Action("DeleteCluster", s.deleteCluster),
		wire.Action("RegisterTaskDefinition", s.registerTaskDefinition),
		wire.Action("DescribeTaskDefinition", s.describeTaskDefinition),
		wire.Action("DeregisterTaskDefinition", s.deregisterTaskDefinition),
		wire.Action("CreateService", s.createService),
		wire.Action("UpdateService", s.updateService),
		wire.Action("DescribeServices", s.describeServices),
		wire.Action("ListServices", s.listServices),
		wire.Action("ListServiceDeployments", s.listServiceDeployments),
		wire.Action("DescribeServiceDeployments", s.describeServiceDeployments),
		wire.Action("DeleteService", s.deleteService),
		wire.Action("RunTask", s.runTask),
		wire.Action("DescribeTasks", s.describeTasks),
		wire.Action("ListTasks", s.listTasks),
		wire.Action("TagResource", s.tagResource),
		wire.Action("UntagResource", s.untagResource),
		wire.Action("ListTagsForResource", s.listTagsForResource),
	)
}

func client(format string, args ...any) error {
	return wire.Errorf(400, "ClientException", format, args...)
}

func invalid(format string, args ...any) error {
	return wire.Errorf(400, "InvalidParameterException", format, args...)
}

// unserved refuses what would otherwise be accepted and then ignored.
func unserved(member string, n int) error {
	if n > 0 {
		return invalid("localaws does not serve %s", member)
	}
	return nil
}

// nameForm is AWS's for clusters, families, services and containers.
var nameForm = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,255}$`)

type failure struct{ Arn, Reason string }

// referred checks the number of references of a Describe action.
func referred(what string, refs []string, most int) error {
	switch n := len(refs); {
	case n == 0:
		return invalid("%s cannot be empty.", what)
	case n > most:
		return invalid("%s cannot have more than %d elements.", what, most)
	}
	return nil
}

// described is what references lead to; one that leads nowhere is a failure with the ARN that it would have.
func described[T any](refs []string, describe func(ref string) (T, bool), arn func(id string) string) ([]T, []failure) {
	found, missing := []T{}, []failure{}
	for _, ref := range refs {
		if d, ok := describe(ref); ok {
			found = append(found, d)
		} else {
			missing = append(missing, failure{arn(id(ref)), "MISSING"})
		}
	}
	return found, missing
}

// id is the last part of an ARN, or the name itself.
func id(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func uuid() string {
	h := account.NewID(32)
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:])
}

func (s *Service) now() time.Time { return s.acct.Clock.Now() }

// page cuts a list of ARNs.
func page(arns []string, otherwise int, maxResults *int, token *string) ([]string, *string, error) {
	size, ok := paging.Size(maxResults, otherwise, 1, 100)
	if !ok {
		return nil, nil, invalid("maxResults must be between 1 and 100")
	}
	arns, next, ok := paging.Names(arns, size, or(token, ""))
	switch {
	case !ok:
		return nil, nil, invalid("Invalid token.")
	case next == "":
		return arns, nil, nil
	}
	return arns, &next, nil
}
