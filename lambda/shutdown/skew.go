package shutdown

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Skew is how far the clock of the computer that applies may be off AWS's. A run's times come from the one, what CloudWatch has of it from the
// other. AWS takes requests that are some 15 minutes off, and its SDKs correct what is more, so that nothing else finds out:
// https://aws.amazon.com/blogs/developer/clock-skew-correction/
const Skew = 2 * time.Minute

// propagation is how long the provider tries to make a schedule with a new role, after the time in its input was taken.
// https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/scheduler/retry.go
const propagation = 2 * time.Minute

// skewed is for who applies without mage validate. It compares the time that the run is named after with the moment when AWS made the schedule that
// fixes it: the tasks of a run that is named after the future would be taken for an earlier run's, and one named after the past ends too soon.
func (r *run) skewed(ctx context.Context) error {
	watch, err := r.schedule(ctx, r.cfg.Schedules.Watch)
	if err != nil || watch == nil {
		return err
	}
	there := cmp.Or(aws.ToTime(watch.CreationDate), r.clock.Now())
	if off := r.start.Sub(there); off <= Skew && (off >= -Skew-propagation || watch.CreationDate == nil) {
		return nil
	}
	return fmt.Errorf("the run was named at %s by the clock of the computer that applies it, and AWS's says %s: set that clock, then start a new run by terraform apply with -replace=module.scheduler.aws_scheduler_schedule.watch",
		r.start.Format(time.RFC3339), there.UTC().Format(time.RFC3339))
}
