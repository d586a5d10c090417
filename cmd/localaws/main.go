// Command localaws is the embedded AWS as a process, and the programs that it starts: a cache node, and the load generator under the name of
// memtier_benchmark.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/loadgen"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache/node"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

const usage = `usage: localaws serve --dir DIR [--listen 127.0.0.1:0] [--region us-east-1] [--bucket NAME ...] [--metrics-period 60s] [--fast] [--with-parent] [--cache-port N]
                      [--quotas] [--fault monitoring.GetMetricData:3=throttle ...]
       localaws cache-node ARGS     a cache node without a Redis or Valkey server
       localaws loadgen ARGS        the load generator; also under the name memtier_benchmark`

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if name != "memtier_benchmark" {
		if len(args) == 0 {
			fmt.Fprintln(os.Stderr, usage)
			os.Exit(2)
		}
		name, args = args[0], args[1:]
	}
	ctx := context.Background()
	switch name {
	case "serve":
		os.Exit(serve(args, os.Stdin, os.Stdout, os.Stderr))
	case "memtier_benchmark", "loadgen":
		os.Exit(loadgen.Main(ctx, args, os.Stdout, os.Stderr))
	case "cache-node":
		if err := node.RunNode(ctx, args, os.Stdout); err != nil {
			fmt.Fprintf(os.Stderr, "localaws cache-node: %v\n", err)
			os.Exit(1)
		}
		return
	}
	fmt.Fprintln(os.Stderr, usage)
	os.Exit(2)
}

// list is a flag that may come several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// hello is the line on stdout that says the embedded AWS is ready.
type hello struct {
	URL         string            `json:"url"`
	Region      string            `json:"region"`
	Account     string            `json:"account"`
	VPC         string            `json:"vpc_id"`
	Subnets     []string          `json:"subnet_ids"`
	Bucket      string            `json:"bucket"`
	Env         map[string]string `json:"env"`
	CacheServer string            `json:"cache_server"`
	Generator   string            `json:"generator"`
}

// serve runs the embedded AWS until SIGINT, SIGTERM, or with --with-parent until stdin closes. It gives 1 when it was asked for actions that it
// does not serve.
func serve(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("localaws serve", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var buckets, faults list
	dir := flags.String("dir", "", "folder that holds everything: s3/, nodes/, tasks/, bin/")
	listen := flags.String("listen", "127.0.0.1:0", "address of the endpoint")
	region := flags.String("region", "us-east-1", "the Region that the buckets and the printed VPC are in")
	flags.Var(&buckets, "bucket", "bucket that exists from the start; may be repeated")
	period := flags.Duration("metrics-period", time.Minute, "how often metrics are published; AWS: every minute")
	fast := flags.Bool("fast", false, "state changes take no longer than the processes behind them")
	withParent := flags.Bool("with-parent", false, "end when stdin closes")
	port := flags.Int("cache-port", 0, "port of the cache nodes: an error right away if something listens on it on all addresses; 0 skips this check")
	quotas := flags.Bool("quotas", false, "throttle requests beyond AWS's quotas")
	flags.Var(&faults, "fault", "fault to inject, SERVICE.ACTION[:CALL]=KIND, as in logs.GetLogEvents:2-4=5xx or *:17=kill; may be repeated")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *dir == "" || flags.NArg() > 0 {
		fmt.Fprintln(stderr, usage)
		return 2
	}
	cfg := localaws.Config{Dir: *dir, Listen: *listen, Region: *region, Buckets: buckets, MetricsPeriod: *period, CachePort: *port, Quotas: *quotas}
	for _, text := range faults {
		fault, err := wire.ParseFault(text)
		if err != nil {
			fmt.Fprintf(stderr, "localaws: %v\n", err)
			return 2
		}
		cfg.Faults = append(cfg.Faults, fault)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if *withParent {
		// Whoever started us holds the other end, and the kernel closes it however that process ends.
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		go func() {
			defer cancel()
			_, _ = io.Copy(io.Discard, stdin)
		}()
	}
	if err := run(ctx, *fast, cfg, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// lasting are state changes that can be seen, and still leave a run on a laptop short. AWS takes minutes for a cache.
var lasting = account.Delays{
	CacheCreate: 2 * time.Second, CacheDelete: 2 * time.Second, TaskStart: time.Second, TaskStop: time.Second,
	LogDelivery: time.Second, FunctionReady: time.Second, MetricsReady: time.Second, EmptyPages: true, PolicyReady: time.Second, RoleReady: 500 * time.Millisecond,
}

func run(ctx context.Context, fast bool, cfg localaws.Config, stdout, stderr io.Writer) (err error) {
	var problem error
	if cfg.Tools, problem = os.Executable(); problem != nil {
		return problem
	}
	if cfg.Dir, problem = filepath.Abs(cfg.Dir); problem != nil {
		return problem
	}
	cfg.Log = slog.New(slog.NewTextHandler(stderr, nil))
	if !fast {
		cfg.Delays = lasting
	}
	server, err := localaws.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if _, err := server.CA(); err != nil { // DIR/ca.pem is there for whoever speaks TLS with the caches to come
		return err
	}
	ready := hello{URL: server.URL(), Region: cfg.Region, Account: account.ID, VPC: server.VPC(), Subnets: server.Subnets(), Env: server.Env(),
		CacheServer: server.CacheServer(), Generator: server.Generator()}
	if len(cfg.Buckets) > 0 {
		ready.Bucket = cfg.Buckets[0]
	}
	if err := json.NewEncoder(stdout).Encode(ready); err != nil {
		return fmt.Errorf("localaws: say that it is ready: %w", err)
	}
	<-ctx.Done()
	if unhandled := server.Unhandled(); len(unhandled) > 0 {
		return fmt.Errorf("localaws: requests that are not supported: %s", strings.Join(unhandled, ", "))
	}
	return nil
}
