// Package scheduler is EventBridge Scheduler with Lambda functions as targets: schedule groups, and one-time and
// rate schedules that fire for real, through their role, with retries and a dead-letter queue.
//
// When a schedule fires: at() at its time, or at once if that has passed; rate() at its StartDate, or without one
// at once ("If you do not provide a StartDate for a rate-based schedule, your schedule starts invoking the target
// immediately", https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#rate-based), then at its
// rate. AWS fires within the minute that follows; here within the second, unless Service.Precision is set. In a
// flexible window, a schedule fires at the start. An event is delivered once.
//
// Not served, and refused: cron(), targets other than Lambda functions, and KMS keys.
//
// https://docs.aws.amazon.com/scheduler/latest/APIReference/Welcome.html
package scheduler
