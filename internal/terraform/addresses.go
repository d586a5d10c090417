package terraform

import "strings"

// Addresses of the stack's resources in its state that commands ask for.

// WatchAddress is what fixes the run: recreated, it begins a new one.
const WatchAddress = "module.scheduler.aws_scheduler_schedule.watch"

// DestroyAddress is Terraform's question whether the run is ended and exported: the first thing that a destroy removes. DestroyedAddress is asked
// when load and cache are gone.
const (
	DestroyAddress   = "module.scheduler.aws_lambda_invocation.destroy"
	DestroyedAddress = "module.scheduler.aws_lambda_invocation.destroyed"
)

// InsightsAddress is the log group of Container Insights.
const InsightsAddress = "module.load.aws_cloudwatch_log_group.insights[0]"

// IsCache tells whether an address is that of a cache.
func IsCache(address string) bool {
	return strings.Contains(address, "aws_elasticache_replication_group.") || strings.Contains(address, "aws_elasticache_serverless_cache.")
}
