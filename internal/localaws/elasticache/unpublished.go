package elasticache

import (
	"slices"
	"strings"
)

// Unpublished reports whether a metric is one of ElastiCache's that this package never publishes; the package's comment says why.
func Unpublished(metric string) bool {
	return strings.HasSuffix(metric, "AllowanceExceeded") || strings.HasPrefix(metric, "NetworkPackets") || strings.HasPrefix(metric, "NetworkMax") ||
		slices.Contains([]string{"SuccessfulReadRequestLatency", "SuccessfulWriteRequestLatency", "CPUCreditBalance", "CPUCreditUsage"}, metric)
}
