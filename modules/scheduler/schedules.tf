# The run's schedules and guard. Dependencies are values, not depends_on between modules: resources that must not exist
# without a guard take `run` from the preflight, which takes it from watch.

locals {
  watch_minutes = 10
}

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
  tags = var.tags # schedules themselves take none
}

# Its creation fixes the run's time, which its input keeps: timestamp() elsewhere would return another time.
resource "aws_scheduler_schedule" "watch" {
  name                         = local.watch
  group_name                   = aws_scheduler_schedule_group.this.name
  description                  = "Ends the run when it is overdue, until nothing that costs money is left"
  schedule_expression          = "rate(${local.watch_minutes} minutes)"
  schedule_expression_timezone = "UTC"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.scheduler.arn
    input = [for t in [timestamp()] : jsonencode({
      action  = "watch"
      run     = formatdate("YYYY-MM-DD'T'hh-mm-ss'Z'", t)
      stop_by = timeadd(t, "${var.minutes + var.margin_minutes}m")
    })][0]

    retry_policy {
      maximum_event_age_in_seconds = local.watch_minutes * 60 # then the next tick comes
      maximum_retry_attempts       = 10
    }

    # By name, so that the guard does not wait the provider's 25 s for the queue. CreateSchedule requires the ARN of a
    # standard queue and a role that Scheduler can assume; the queue is only used when an event has finally failed.
    # https://docs.aws.amazon.com/scheduler/latest/APIReference/API_DeadLetterConfig.html
    dead_letter_config {
      arn = local.queue_arn
    }
  }

  lifecycle {
    ignore_changes = [target[0].input]
  }

  depends_on = [aws_iam_role_policy.scheduler, aws_iam_role_policy.lambda] # it fires as soon as it exists
}

locals {
  clock = jsondecode(aws_scheduler_schedule.watch.target[0].input)
}

# Fails the apply before anything is billed if the Lambda could not do its work later: bucket, permissions, names.
resource "aws_lambda_invocation" "preflight" {
  function_name = aws_lambda_function.this.function_name
  input         = jsonencode({ action = "preflight", run = local.clock.run })

  lifecycle {
    precondition {
      condition     = formatdate("YYYY-MM-DD'T'hh-mm-ss'Z'", timeadd(local.clock.stop_by, "-${var.minutes + var.margin_minutes}m")) == local.clock.run
      error_message = "The run ${local.clock.run} is under way and ends by ${local.clock.stop_by}, which another duration would not change. Let it end first, or replace it with a new run: terraform apply with -replace of this module's aws_scheduler_schedule.watch."
    }
    postcondition {
      condition     = jsondecode(self.result).run == local.clock.run
      error_message = "The preflight answered for a run other than ${local.clock.run}: ${self.result}"
    }
  }

  # The policy must also outlive everything that depends on the preflight: watch may have to end it during a destroy.
  # The subscriptions come first because the preflight's message goes to the addresses in `notifications`.
  depends_on = [aws_iam_role_policy.lambda, aws_sns_topic_subscription.email]
}

# Created when the service is steady, so the minutes count from running load; its name is unknown whenever the service is
# replaced, so that it is replaced too.
resource "aws_scheduler_schedule" "stop" {
  name                         = "${reverse(split("/", var.service_id))[0]}-stop"
  group_name                   = aws_scheduler_schedule_group.this.name
  description                  = "Ends the run on time"
  schedule_expression          = "at(${formatdate("YYYY-MM-DD'T'hh:mm:ss", timeadd(timestamp(), "${var.minutes}m"))})"
  schedule_expression_timezone = "UTC"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode({ action = "stop", run = local.clock.run })

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 30
    }

    dead_letter_config {
      arn = local.queue_arn
    }
  }

  lifecycle {
    ignore_changes = [schedule_expression]

    # The Lambda is allowed to use only the schedule with this name.
    precondition {
      condition     = reverse(split("/", var.service_id))[0] == var.load.service
      error_message = "The service_id ${var.service_id} does not belong to the service ${var.load.service}."
    }
  }
}

# A destroy ends and exports the run before it deletes anything else: this depends on the service, which depends on the cache, and nothing
# depends on this, so it is deleted first. Its creation, or its change to another run, waits until the load's tasks are healthy, fails if
# they cannot start, and notifies that the load runs.
resource "aws_lambda_invocation" "destroy" {
  function_name   = aws_lambda_function.this.function_name
  input           = jsonencode({ action = "destroy", run = local.clock.run, skip_final_export = var.skip_final_export })
  lifecycle_scope = "CRUD"

  # The stop schedule is no dependency: a load without one is exported too. The invoke config is one here and not of `destroyed`, which the cache
  # depends on: the provider waits 25 s for the queue behind it.
  depends_on = [var.service_id, aws_lambda_invocation.destroyed, aws_lambda_function_event_invoke_config.this]
}

# Invoked after load and cache are gone, because they depend on this: an apply that failed before `destroy` was created may still have had a load.
# CloudWatch keeps its metrics, and the log groups exist as long as the function, whose configuration has their names. It also waits until Container
# Insights has written about the last task.
resource "aws_lambda_invocation" "destroyed" {
  function_name   = aws_lambda_function.this.function_name
  input           = jsonencode({ action = "destroyed", run = local.clock.run, skip_final_export = var.skip_final_export })
  lifecycle_scope = "CRUD"

  # The function's dependencies must outlive this, and so must the tasks'.
  depends_on = [
    var.load_base,
    aws_iam_role_policy.lambda,
    aws_iam_role_policy.scheduler,
    aws_lambda_invocation.preflight,
    aws_sns_topic_subscription.email,
  ]
}
