package shutdown

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Skew is how far the applying computer's clock may differ from AWS's. A run's times come from the computer, CloudWatch's from AWS. Nothing else
// detects a wrong clock: AWS accepts requests that are up to some 15 minutes off, and its SDKs correct more:
// https://aws.amazon.com/blogs/developer/clock-skew-correction/
const Skew = 2 * time.Minute

// propagation is how long the provider retries to create a schedule with a new role; the time in the schedule's input is taken before that.
// https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/scheduler/retry.go
const propagation = 2 * time.Minute

// skewed checks the clock for users who apply without mage validate. It compares the run's name with the time when AWS created its schedule: the
// tasks of a run named after the future would be taken for an earlier run's, and a run named after the past ends too soon.
func (r *run) skewed(ctx context.Context) error {
	watch, err := r.schedule(ctx, r.cfg.Schedules.Watch)
	if err != nil || watch == nil {
		return err
	}
	there := cmp.Or(aws.ToTime(watch.CreationDate), r.clock.Now())
	if off := r.start.Sub(there); off <= Skew && (off >= -Skew-propagation || watch.CreationDate == nil) {
		return nil
	}
	return fmt.Errorf("the run was named at %s by the clock of the computer that applies it, but AWS's clock says %s: set that clock, then start a new run by terraform apply with -replace=module.scheduler.aws_scheduler_schedule.watch",
		r.start.Format(time.RFC3339), there.UTC().Format(time.RFC3339))
}
