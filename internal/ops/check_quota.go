package ops

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// checkQuota checks that the account's Fargate quota allows the load's vCPUs. It does not count tasks that already run. A quota that cannot be read is no
// problem: ECS itself reports a quota that is too low.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
func checkQuota(ctx context.Context, con *console.Console, cfg aws.Config, in *terraform.Inputs) ([]string, error) {
	has, known := quotaOf(ctx, con, cfg, fargateVCPU)
	want := float64(in.Load.TaskCount) * float64(in.Load.CPU) / 1024
	if !known || has >= want {
		return nil, ctx.Err()
	}
	return []string{fmt.Sprintf("the load needs %g vCPU of Fargate (%s x %g), but the account's quota is %g in %s: request more with `%s`, or use fewer tasks",
		want, report.Quantity(in.Load.TaskCount, "task"), float64(in.Load.CPU)/1024, has, cfg.Region, fargateVCPU.more(cfg.Region, want))}, nil
}
