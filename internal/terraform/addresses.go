package terraform

import "strings"

// Addresses of resources in the stack's state that commands need.

// WatchAddress fixes the run: recreating it starts a new run.
const WatchAddress = "module.scheduler.aws_scheduler_schedule.watch"

// DestroyAddress is Terraform's question whether the run is ended and exported: the first thing that a destroy removes. DestroyedAddress is asked
// when load and cache are gone.
const (
	DestroyAddress   = "module.scheduler.aws_lambda_invocation.destroy"
	DestroyedAddress = "module.scheduler.aws_lambda_invocation.destroyed"
)

// InsightsAddress is the log group of Container Insights.
const InsightsAddress = "module.load.aws_cloudwatch_log_group.insights[0]"

// IsCache reports whether an address is a cache's.
func IsCache(address string) bool {
	return strings.Contains(address, "aws_elasticache_replication_group.") || strings.Contains(address, "aws_elasticache_serverless_cache.")
}
