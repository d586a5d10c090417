// Command lambda is the stack's stop function: environment, clients, lambda.Start.
package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// limits returns the memory limits of the Go runtime and, within it, of log pages, in bytes, for a function of memory MB: what any run needs, for which
// 512 MB are enough, plus three quarters and half of the memory above 512 MB. The process needs some 15 MB outside the runtime.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func limits(memory string) (runtime, pages int64) {
	mb, err := strconv.ParseInt(memory, 10, 64)
	if err != nil {
		mb = 512
	}
	more := max(0, mb-512) << 20
	return 192<<20 + more/4*3, export.Budget + more/2
}

func main() {
	// Pages of metrics and logs are allocated and freed by the megabyte. Collecting near a fixed limit, not in proportion to the live heap, gives the
	// same peak for a run of any length: https://go.dev/doc/gc-guide#Memory_limit
	debug.SetGCPercent(-1)
	bound, pages := limits(os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
	debug.SetMemoryLimit(min(debug.SetMemoryLimit(-1), bound)) // GOMEMLIMIT may be lower
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	cfg, err := shutdown.ParseConfig(os.Getenv("CONFIG"))
	if err != nil {
		exit(err)
	}
	cfg.PageBytes = pages
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
