package localaws

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/authorize"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ec2"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ecs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/lambda"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/s3"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/scheduler"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/servicequotas"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sns"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sqs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ssm"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sts"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Config says what world to make. Only Dir is needed.
type Config struct {
	Dir           string        // holds everything: s3/BUCKET/KEY, logs/, nodes/, tasks/, bin/
	Listen        string        // default 127.0.0.1:0
	Region        string        // default us-east-1
	Buckets       []string      // exist from the start
	MetricsPeriod time.Duration // how often metrics are published; default 60 s, as on AWS
	Delays        account.Delays
	CachePort     int    // when set, Start fails if cache nodes cannot listen on it
	Tools         string // path of a cmd/localaws binary: the embedded cache node and the generator
	Log           *slog.Logger
	Clock         account.Clock // default: the machine's
	Faults        []wire.Fault
	Documented    bool                // demand permissions that AWS documents, also where nobody has seen it ask for them
	Quotas        bool                // enforce AWS's request quotas, see quota.go
	Record        func(wire.Exchange) // gets every exchange but S3's
	Decided       func(iam.Decision)  // gets every decision on a permission
}

// Server is a running embedded AWS. Its services are there for tests that own the world they run in.
type Server struct {
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
	Faults     *wire.Faults
	Requests   *Requests // nil unless quotas are enforced

	acct     *account.Account
	registry *wire.Registry
	http     *http.Server
	url, vpc string
	subnets  []string
	closers  []func() error // in the order of closing
}

// Start makes the world and serves it. ctx bounds the start alone; Close ends the world.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	acct := &account.Account{ID: account.ID, Region: cmp.Or(cfg.Region, "us-east-1"), Dir: cfg.Dir, Tools: cfg.Tools,
		Clock: cfg.Clock, Log: cfg.Log, Delays: cfg.Delays, MetricsPeriod: cmp.Or(cfg.MetricsPeriod, time.Minute)}
	if acct.Clock == nil {
		acct.Clock = account.SystemClock{}
	}
	if acct.Log == nil {
		acct.Log = slog.New(slog.DiscardHandler)
	}
	if !filepath.IsAbs(acct.Dir) {
		return nil, fmt.Errorf("localaws: the folder %q must be an absolute path", acct.Dir)
	}
	if err := os.MkdirAll(acct.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("localaws: %w", err)
	}
	if err := portFree(cfg.CachePort); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cmp.Or(cfg.Listen, "127.0.0.1:0"))
	if err != nil {
		return nil, fmt.Errorf("localaws: endpoint: %w", err)
	}
	if address, is := listener.Addr().(*net.TCPAddr); !is || !address.IP.IsLoopback() { // who may call it may start processes
		return nil, errors.Join(fmt.Errorf("localaws: endpoint: %s is not an address of this machine's own: take one like 127.0.0.1", listener.Addr()), listener.Close())
	}
	s := &Server{acct: acct, registry: wire.NewRegistry(), url: "http://" + listener.Addr().String(), Faults: &wire.Faults{}}
	s.registry.Record, s.registry.Faults = cfg.Record, s.Faults
	s.Faults.Add(cfg.Faults...)
	if cfg.Quotas {
		s.Requests = &Requests{region: acct.Region, clock: acct.Clock}
		s.registry.Limit = s.Requests.limit
	}
	if err := s.wire(cfg); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.serve(listener)
	return s, nil
}

// wire makes the services, each with those that it calls.
func (s *Server) wire(cfg Config) error {
	acct := s.acct
	roles := iam.New(acct)
	roles.Decided, s.IAM = cfg.Decided, roles
	network := ec2.New(acct)
	s.vpc, s.subnets = network.Seed()
	queues := sqs.New(acct)
	s.SNS = sns.New(acct, queues)
	metrics := cloudwatch.New(acct, s.SNS)
	queues.CloudWatch = metrics
	streams := logs.New(acct)
	s.SQS, s.CloudWatch, s.Logs = queues, metrics, streams
	parameters := ssm.New(acct, roles)
	s.Quotas = servicequotas.New(acct)
	s.Caches = elasticache.New(acct, network, streams, metrics)
	s.Tasks = ecs.New(acct, ecs.Deps{EC2: network, IAM: roles, Logs: streams, SSM: parameters, CloudWatch: metrics,
		VCPUs:    func() float64 { return s.Quotas.Value("L-3032A538") },
		Isolated: func(groups []string) bool { return isolated(network, s.Caches.Listeners(), groups) }})
	functions := lambda.New(acct, lambda.Deps{IAM: roles, Logs: streams, CloudWatch: metrics, SQS: queues, SNS: s.SNS, Endpoint: s.URL})
	s.Lambda, s.Faults.Caller = functions, functions.Caller
	s.Scheduler = scheduler.New(acct, scheduler.Deps{IAM: roles, Lambda: functions, SQS: queues})
	var err error
	if s.S3, err = s3.New(acct); err != nil {
		return err
	}
	for _, name := range cfg.Buckets {
		if err := s.S3.Bucket(name, acct.Region); err != nil {
			return fmt.Errorf("localaws: bucket %s: %w", name, err)
		}
	}
	for _, service := range []interface{ Register(*wire.Registry) }{roles, sts.New(acct, roles), network, queues, s.SNS, metrics, streams,
		parameters, s.Quotas, s.Caches, s.Tasks, functions, s.Scheduler, s.S3} {
		service.Register(s.registry)
	}
	s.registry.Authorize = authorize.New(acct, authorize.Deps{IAM: roles, Tags: network.Tags, Documented: cfg.Documented, Miss: s.registry.Miss}).Call
	// What starts things ends first; what is written to ends last.
	s.closers = []func() error{s.Scheduler.Close, functions.Close, s.Tasks.Close, s.Caches.Close, queues.Close, metrics.Close, streams.Close}
	return nil
}

// isolated tells whether there are caches and a task with these security groups reaches none of them.
func isolated(network *ec2.Service, caches []elasticache.Listener, groups []string) bool {
	return len(caches) > 0 && !slices.ContainsFunc(caches, func(l elasticache.Listener) bool { return network.Reaches(groups, l.SecurityGroups, l.Port) })
}

func (s *Server) serve(l net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_localaws/unhandled", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(append([]string{}, s.Unhandled()...)) // the caller may be gone
	})
	mux.Handle("GET "+dashboardPath+"{name...}", s.dashboards())
	// Not through the mux: it would clean paths, and S3 keys may hold anything.
	s.http = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Date", s.acct.Clock.Now().UTC().Format(http.TimeFormat)) // AWS's clock, not the machine's
		s.registry.ServeHTTP(w, r)
	})}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.acct.Log.Error("endpoint", "error", err)
		}
	}()
}

// Settled tells whether nothing is on its way: no task starts or stops, and no cache is created, modified or deleted.
func (s *Server) Settled() bool { return s.Tasks.Settled() && s.Caches.Settled() }

// Close ends every process of the world and waits for all of them.
func (s *Server) Close() error {
	var errs []error
	for _, end := range s.closers {
		errs = append(errs, end())
	}
	// Connections still open are of clients that do not matter any more.
	return errors.Join(append(errs, s.http.Close())...)
}

// URL is the endpoint, for AWS_ENDPOINT_URL. It names an IP address: SDKs then address S3 path-style by themselves.
func (s *Server) URL() string { return s.url }

// Env is the environment that leads every SDK, the CLI and Terraform here and nowhere else.
func (s *Server) Env() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": s.url, "AWS_REGION": s.acct.Region, "AWS_DEFAULT_REGION": s.acct.Region,
		"AWS_ACCESS_KEY_ID": "AKIALOCALAWS00000000", "AWS_SECRET_ACCESS_KEY": "localaws",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	}
}

// VPC is the id of the VPC that exists from the start.
func (s *Server) VPC() string { return s.vpc }

// Subnets are the ids of its private subnets.
func (s *Server) Subnets() []string { return slices.Clone(s.subnets) }

// CacheServer names what a cache node runs, with its own version.
func (s *Server) CacheServer() string { return s.Caches.ServerVersion() }

// Generator names what a task finds as memtier_benchmark.
func (s *Server) Generator() string { return s.Tasks.Generator() }

// CA is the certificate, in PEM, of who signs for cache nodes with TLS; on AWS that is Amazon.
func (s *Server) CA() (string, error) { return s.Caches.CA() }

// Unhandled lists what was asked for and is not served; empty when the world was as complete as its callers needed.
func (s *Server) Unhandled() []string { return s.registry.Unhandled() }

// portFree finds out before anything is made whether cache nodes can have their port.
func portFree(port int) error {
	if port == 0 {
		return nil
	}
	if err := elasticache.PortFree(port); err != nil {
		return fmt.Errorf("localaws: cache nodes cannot listen on port %d: %w; stop what listens on all addresses (ss -ltnp 'sport = :%d'), or take another cache.port", port, err, port)
	}
	return nil
}
