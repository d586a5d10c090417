// Command lambda is the stack's stop function: environment, clients, lambda.Start.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

func main() {
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
