package localaws

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/authorize"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ec2"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ecs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/lambda"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/pricing"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/s3"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/scheduler"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/servicequotas"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/signature"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sns"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sqs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ssm"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sts"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Place is the services of one account in one Region. All Regions of an account share IAM and dashboards, and all accounts share S3.
type Place struct {
	IAM        *iam.Service
	S3         *s3.Service
	Scheduler  *scheduler.Service
	SNS        *sns.Service
	SQS        *sqs.Service
	Caches     *elasticache.Service
	Tasks      *ecs.Service
	Quotas     *servicequotas.Service
	Lambda     *lambda.Service
	Logs       *logs.Service
	CloudWatch *cloudwatch.Service

	acct     *account.Account
	registry *wire.Registry
	closers  []func() error // in the order of closing
}

// at is the account and Region of a place.
type at struct{ account, region string }

// first makes the place that exists at the start.
func (s *Server) first(acct *account.Account) error {
	buckets, err := s3.New(acct)
	if err != nil {
		return err
	}
	for _, name := range s.cfg.Buckets {
		if err := buckets.Bucket(name, acct.Region); err != nil {
			return fmt.Errorf("localaws: bucket %s: %w", name, err)
		}
	}
	s.Place = s.open(acct, buckets)
	return nil
}

// open makes the services of an account in a Region and connects each to those that it calls. s.mu is held, or there are no requests yet.
func (s *Server) open(acct *account.Account, buckets *s3.Service) *Place {
	p := &Place{acct: acct, registry: wire.NewRegistry(), S3: buckets}
	p.registry.Record, p.registry.Faults = s.cfg.Record, s.Faults
	if s.cfg.Quotas { // they are per account and Region
		requests := &Requests{region: acct.Region, clock: acct.Clock}
		p.registry.Limit = requests.limit
		if s.Requests == nil {
			s.Requests = requests
		}
	}
	roles := s.iam[acct.ID]
	if roles == nil {
		roles = iam.New(acct)
		roles.Decided = s.cfg.Decided
		s.iam[acct.ID] = roles
		s.boards[acct.ID] = cloudwatch.NewDashboards()
	}
	network := ec2.New(acct)
	vpc, subnets := network.Seed()
	if s.vpc == "" {
		s.vpc, s.subnets = vpc, subnets
	}
	queues := sqs.New(acct)
	p.SNS = sns.New(acct, queues)
	metrics := cloudwatch.New(acct, p.SNS, s.boards[acct.ID])
	queues.CloudWatch = metrics
	streams := logs.New(acct)
	p.IAM, p.SQS, p.CloudWatch, p.Logs = roles, queues, metrics, streams
	parameters := ssm.New(acct, roles)
	p.Quotas = servicequotas.New(acct)
	p.Caches = elasticache.New(acct, network, streams, metrics)
	p.Tasks = ecs.New(acct, ecs.Deps{EC2: network, IAM: roles, Logs: streams, SSM: parameters, CloudWatch: metrics,
		VCPUs:    func() float64 { return p.Quotas.Value("L-3032A538") },
		Isolated: func(groups []string) bool { return isolated(network, p.Caches.Listeners(), groups) }})
	p.Lambda = lambda.New(acct, lambda.Deps{IAM: roles, Logs: streams, CloudWatch: metrics, SQS: queues, SNS: p.SNS, S3: buckets, Endpoint: s.URL})
	p.Scheduler = scheduler.New(acct, scheduler.Deps{IAM: roles, Lambda: p.Lambda, SQS: queues})
	for _, service := range []interface{ Register(*wire.Registry) }{roles, sts.New(acct, roles), network, queues, p.SNS, metrics, streams,
		parameters, p.Quotas, p.Caches, p.Tasks, p.Lambda, p.Scheduler, buckets.Of(acct.ID), pricing.New(),
		tagging.New(acct, network, queues, p.SNS, metrics, streams, parameters, p.Caches, p.Tasks, p.Lambda, p.Scheduler)} {
		service.Register(p.registry)
	}
	p.registry.Authenticate = p.authenticate
	p.registry.Authorize = authorize.New(acct, authorize.Deps{IAM: roles, Tags: network.Tags, Documented: s.cfg.Documented, Miss: p.registry.Miss}).Call
	// Services that start things close first, and those that are written to close last.
	p.closers = []func() error{p.Scheduler.Close, p.Lambda.Close, p.Tasks.Close, p.Caches.Close, queues.Close, metrics.Close, streams.Close}
	s.places[at{acct.ID, acct.Region}] = p
	return p
}

// Account adds an account, with a VPC in each Region and nothing else, and returns the environment variables for it.
func (s *Server) Account(id string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	env, key := s.Env(), s.enter(at{id, s.acct.Region}).IAM.User()
	env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = key.AccessKeyID, key.SecretAccessKey
	return env
}

var regionName = regexp.MustCompile(`^[a-z]+(-[a-z]+)+-[0-9]+$`) // also a folder's name

// place is the account and Region of a request's signature. An unknown key gives the first account, whose IAM refuses it. An invalid Region gives
// the first Region.
func (s *Server) place(r *http.Request) *Place {
	signed := signature.Of(r)
	region := signed.Region
	if !regionName.MatchString(region) {
		region = s.acct.Region
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	owner := s.acct.ID
	for id, roles := range s.iam {
		if _, ok := roles.Credentials(signed.AccessKey); ok {
			owner = id
		}
	}
	return s.enter(at{owner, region})
}

// enter finds a place, and makes it on first use; s.mu is held.
func (s *Server) enter(where at) *Place {
	if p := s.places[where]; p != nil {
		return p
	}
	if s.closed {
		return s.Place
	}
	acct := *s.acct
	acct.ID, acct.Region = where.account, where.region
	acct.Dir = filepath.Join(s.acct.Dir, "places", where.account, where.region)
	if err := os.MkdirAll(acct.Dir, 0o755); err != nil { // a later write there returns the error
		acct.Log.Error("another account or Region", "error", err)
	}
	return s.open(&acct, s.S3)
}

// all returns the places, starting with the first one.
func (s *Server) all() []*Place {
	s.mu.Lock()
	defer s.mu.Unlock()
	others := slices.DeleteFunc(slices.Collect(maps.Values(s.places)), func(p *Place) bool { return p == s.Place })
	return append([]*Place{s.Place}, others...)
}

// process finds the function process that an access key belongs to.
func (s *Server) process(key string) (kill func()) {
	for _, p := range s.all() {
		if kill = p.Lambda.Caller(key); kill != nil {
			return kill
		}
	}
	return nil
}

// Settled reports whether nothing is in progress: no task starts or stops, and no cache is created, modified or deleted.
func (s *Server) Settled() bool {
	return !slices.ContainsFunc(s.all(), func(p *Place) bool { return !p.Tasks.Settled() || !p.Caches.Settled() })
}

// Unhandled lists what was asked for and is not served; empty when everything that its callers needed was served.
func (s *Server) Unhandled() []string {
	var asked []string
	for _, p := range s.all() {
		asked = append(asked, p.registry.Unhandled()...)
	}
	slices.Sort(asked)
	return slices.Compact(asked)
}

// Close ends every process that was started and waits for all of them.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	var errs []error
	for _, p := range s.all() {
		for _, end := range p.closers {
			errs = append(errs, end())
		}
	}
	// Connections still open are of clients that do not matter any more.
	return errors.Join(append(errs, s.http.Close())...)
}
