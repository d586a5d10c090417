// Command lambda is the stack's stop function: environment, clients, lambda.Start.
package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// bound is on the memory of the Go runtime, in bytes; the process has some 15 MB beside it.
const bound = 192 << 20

func main() {
	// Pages of metrics and logs come and go by the megabyte. Collecting when they come near a fixed bound, not in proportion to what is
	// held, gives the same peak for a run of any length: https://go.dev/doc/gc-guide#Memory_limit
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(min(debug.SetMemoryLimit(-1), bound)) // GOMEMLIMIT may be lower
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	cfg, err := shutdown.ParseConfig(os.Getenv("CONFIG"))
	if err != nil {
		exit(err)
	}
	aws, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		exit(err)
	}
	lambda.Start(shutdown.New(cfg, shutdown.NewClients(aws), export.Wall{}).Handle)
}

func exit(err error) {
	slog.Error("the function cannot start", "error", err)
	os.Exit(1)
}
