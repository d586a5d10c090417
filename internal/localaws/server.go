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
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ec2"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/guard"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Config is what Start makes. Only Dir is required.
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

// Server is a running embedded AWS. The services of its first account and Region are there for tests that have an embedded AWS of their own; those of other
// accounts and Regions are reached through the endpoint.
type Server struct {
	*Place
	Faults   *wire.Faults
	Requests *Requests // of the first account and Region; nil unless quotas are enforced

	cfg      Config
	http     *http.Server
	url, vpc string
	subnets  []string

	mu     sync.Mutex
	places map[at]*Place
	iam    map[string]*iam.Service // by account: IAM has no Regions
	boards map[string]*cloudwatch.Dashboards
	closed bool
}

// Start makes the embedded AWS and serves it. ctx bounds the start only; Close ends it.
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
	if address, is := listener.Addr().(*net.TCPAddr); !is || !address.IP.IsLoopback() { // a caller can start processes
		return nil, errors.Join(fmt.Errorf("localaws: endpoint: %s is not an address of this machine's own: take one like 127.0.0.1", listener.Addr()), listener.Close())
	}
	s := &Server{cfg: cfg, url: "http://" + listener.Addr().String(), Faults: &wire.Faults{}, places: map[at]*Place{}, iam: map[string]*iam.Service{},
		boards: map[string]*cloudwatch.Dashboards{}}
	s.Faults.Add(cfg.Faults...)
	s.Faults.Caller = s.process
	if err := s.first(acct); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s.serve(listener)
	return s, nil
}

// isolated reports whether there are caches, and a task with these security groups reaches none of them.
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
	s.http = &http.Server{ReadHeaderTimeout: time.Minute, Handler: guard.Loopback(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Date", s.acct.Clock.Now().UTC().Format(http.TimeFormat)) // AWS's clock, not the machine's
		s.place(r).registry.ServeHTTP(w, r)
	}))}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.acct.Log.Error("endpoint", "error", err)
		}
	}()
}

// URL is the endpoint, for AWS_ENDPOINT_URL. It names an IP address: SDKs then address S3 path-style by themselves.
func (s *Server) URL() string { return s.url }

// Env is the environment variables that point every SDK, the CLI and Terraform at the first account, and nowhere else.
func (s *Server) Env() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": s.url, "AWS_REGION": s.acct.Region, "AWS_DEFAULT_REGION": s.acct.Region,
		"AWS_ACCESS_KEY_ID": s.IAM.User().AccessKeyID, "AWS_SECRET_ACCESS_KEY": s.IAM.User().SecretAccessKey,
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	}
}

// VPC is the id of the VPC that exists at the start.
func (s *Server) VPC() string { return s.vpc }

// Subnets are the ids of its private subnets.
func (s *Server) Subnets() []string { return slices.Clone(s.subnets) }

// CacheServer names what a cache node runs, with its own version.
func (s *Server) CacheServer() string { return s.Caches.ServerVersion() }

// Generator names what a task finds as memtier_benchmark.
func (s *Server) Generator() string { return s.Tasks.Generator() }

// CA is the PEM certificate of the authority that signs for cache nodes with TLS; on AWS that is Amazon.
func (s *Server) CA() (string, error) { return s.Caches.CA() }

// portFree checks whether cache nodes can have their port, before anything is made.
func portFree(port int) error {
	if port == 0 {
		return nil
	}
	if err := elasticache.PortFree(port); err != nil {
		return fmt.Errorf("localaws: cache nodes cannot listen on port %d: %w; stop what listens on all addresses (ss -ltnp 'sport = :%d'), or take another cache.port", port, err, port)
	}
	return nil
}
