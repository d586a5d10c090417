package test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/apimodel"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// environment is the AWS that a journey uses: the embedded one or, with E2E_TARGET=aws, the caller's account.
type environment struct {
	aws.Config
	env          map[string]string
	vpc, bucket  string
	subnets      []string
	architecture string
	period       int // seconds between datapoints, as the export requests them
	local        *localaws.Server
	dir          string // of the embedded AWS
	decided      *decisions
}

// onAWS reports whether journeys use the caller's account; tests that change their environment run on localaws only.
func onAWS() bool { return os.Getenv("E2E_TARGET") == "aws" }

// long reports whether the longer journeys run too (mage test:all).
func long() bool { return os.Getenv("E2E_LONG") != "" }

// onlyLong skips one of the longer journeys in mage test.
func onlyLong(t *testing.T) {
	t.Helper()
	if !long() {
		t.Skip("one of the longer suites: mage test:all")
	}
}

func newEnvironment(t *testing.T, change ...func(*localaws.Config)) *environment {
	t.Helper()
	if onAWS() {
		return accountEnvironment(t)
	}
	models, err := apimodel.Load()
	require.NoError(t, err)
	var mu sync.Mutex
	var problems []string
	decided := &decisions{}
	cfg := localaws.Config{
		Dir: awkwardDir(t), Buckets: []string{"exports"}, MetricsPeriod: 5 * time.Second, Tools: tools(t),
		Log: slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
		// Long enough to be visible, but far shorter than AWS's minutes.
		Delays: account.Delays{CacheCreate: 2 * time.Second, CacheDelete: 3 * time.Second, TaskStart: time.Second, TaskStop: time.Second,
			LogDelivery: time.Second, FunctionReady: 2 * time.Second, RoleReady: 500 * time.Millisecond},
		Decided: decided.add, Documented: true,
		Record: func(x wire.Exchange) {
			found := models.Check(x)
			mu.Lock()
			defer mu.Unlock()
			for _, p := range found {
				if !slices.Contains(problems, p) {
					problems = append(problems, p)
				}
			}
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	server, err := localaws.Start(t.Context(), cfg)
	require.NoError(t, err)
	require.NoError(t, server.S3.Policy("exports", encryptionPolicy))
	w := &environment{local: server, decided: decided, dir: cfg.Dir, env: server.Env(), vpc: server.VPC(), subnets: server.Subnets(), bucket: "exports", architecture: hostArchitecture(),
		period: int(cfg.MetricsPeriod.Seconds())}
	w.Config = aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(server.URL()), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: w.env["AWS_ACCESS_KEY_ID"], SecretAccessKey: w.env["AWS_SECRET_ACCESS_KEY"]}, nil
	})}
	t.Cleanup(func() {
		// Check unhandled requests first: Close would end their senders.
		require.Empty(t, server.Unhandled(), "requests that localaws does not serve")
		require.NoError(t, server.Close())
		require.Empty(t, children(cfg.Dir), "processes left behind")
		mu.Lock()
		defer mu.Unlock()
		seen, reachable, actions := models.Coverage()
		t.Logf("checked against AWS's API models: %d actions, %d of the %d structures that they can carry", actions, seen, reachable)
		require.Empty(t, problems, "exchanges that AWS's API models do not allow")
	})
	return w
}

// awkwardDir is a folder whose name a shell splits, and which is a pattern that it does not match.
func awkwardDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "it's a [b-c]*")
	require.NoError(t, os.Mkdir(dir, 0o755))
	return dir
}

// Many buckets and organizations deny requests without an encryption header:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingServerSideEncryption.html
const encryptionPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::exports/*",
	"Condition":{"Null":{"s3:x-amz-server-side-encryption":"true"}}}]}`

// slow makes AWS's delays longer than a person would accept in `local:up`: a role's policy takes effect late, a function is Pending for long, metrics
// arrive after their minute, and a third of the reads of logs start with an empty page. It is for journeys about the whole run or about permissions.
func slow(c *localaws.Config) {
	c.Delays.PolicyReady, c.Delays.FunctionReady, c.Delays.MetricsReady, c.Delays.EmptyPages = 5*time.Second, 5*time.Second, 15*time.Second, true
}

func accountEnvironment(t *testing.T) *environment {
	t.Helper()
	w := &environment{env: map[string]string{}, vpc: os.Getenv("E2E_VPC_ID"), bucket: os.Getenv("E2E_BUCKET"), architecture: "arm64", period: 60,
		subnets: strings.FieldsFunc(os.Getenv("E2E_SUBNET_IDS"), func(r rune) bool { return r == ',' })}
	if w.vpc == "" || w.bucket == "" || len(w.subnets) == 0 {
		t.Fatal("E2E_TARGET=aws needs E2E_VPC_ID, E2E_SUBNET_IDS (comma-separated, private) and E2E_BUCKET of an account that may be billed")
	}
	var err error
	w.Config, err = config.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	return w
}

func hostArchitecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// children returns this process's living children that work below a folder. Journeys run in parallel, so each only looks at its own folder.
func children(dir string) (living []string) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is valid
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // the process has just ended
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if fields[0] == "Z" || fields[1] != strconv.Itoa(os.Getpid()) {
			continue
		}
		cwd, _ := os.Readlink(filepath.Join(filepath.Dir(stat), "cwd"))
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(stat), "cmdline"))
		if strings.HasPrefix(cwd, dir) || strings.Contains(string(line), dir) {
			living = append(living, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return living
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}
