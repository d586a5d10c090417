# The run's clock and guard. Edges are values, not depends_on between modules: what may not exist without a guard takes
# `run` from the preflight, which takes it from watch.

resource "aws_scheduler_schedule_group" "this" {
  name = var.name
  tags = var.tags # schedules themselves take none
}

# Fixes the run when it is created and keeps it in its own input: timestamp() elsewhere would be another time.
resource "aws_scheduler_schedule" "watch" {
  name                         = local.watch
  group_name                   = aws_scheduler_schedule_group.this.name
  description                  = "Ends the run when it is overdue, until nothing that costs money is left"
  schedule_expression          = "rate(10 minutes)"
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
      maximum_event_age_in_seconds = 600 # then the next tick is there
      maximum_retry_attempts       = 10
    }

    # By name, so that the guard does not wait the provider's 25 s for the queue. CreateSchedule asks for the ARN of a
    # standard queue and a role that Scheduler may assume; the queue is looked for when an event has failed for good.
    # https://docs.aws.amazon.com/scheduler/latest/APIReference/API_DeadLetterConfig.html
    dead_letter_config {
      arn = local.queue_arn
    }
  }

  lifecycle {
    ignore_changes = [target[0].input]
  }

  depends_on = [aws_iam_role_policy.scheduler, aws_iam_role_policy.lambda] # it fires as soon as it is there
}

locals {
  clock = jsondecode(aws_scheduler_schedule.watch.target[0].input)
}

# Fails the apply before anything is billed when the Lambda cannot do its work later: bucket, permissions, names.
resource "aws_lambda_invocation" "preflight" {
  function_name = aws_lambda_function.this.function_name
  input         = jsonencode({ action = "preflight", run = local.clock.run })

  lifecycle {
    precondition {
      condition     = formatdate("YYYY-MM-DD'T'hh-mm-ss'Z'", timeadd(local.clock.stop_by, "-${var.minutes + var.margin_minutes}m")) == local.clock.run
      error_message = "The run ${local.clock.run} is alive and ends by ${local.clock.stop_by}, which another duration would not change. Let it end first, or replace it by a new run: terraform apply with -replace of this module's aws_scheduler_schedule.watch."
    }
    postcondition {
      condition     = jsondecode(self.result).run == local.clock.run
      error_message = "The preflight answered for another run than ${local.clock.run}: ${self.result}"
    }
  }

  # The policy also has to outlive everything that waits for the preflight: watch may have to end it during a destroy.
  # Its result is sent to whom `notifications` names.
  depends_on = [aws_iam_role_policy.lambda, aws_sns_topic_subscription.email]
}

# Created when the service is steady, so the minutes count from running load; its name is unknown, hence new, whenever
# the service is replaced.
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

    # The Lambda may touch the schedule of this name only.
    precondition {
      condition     = reverse(split("/", var.service_id))[0] == var.load.service
      error_message = "The service_id ${var.service_id} is not of the service ${var.load.service}."
    }
  }
}

# A destroy ends and exports the run before anything else goes: this waits for the service, which waits for the cache, and nothing waits for
# this, so it is the first to be deleted. Making it, or changing it to another run,
# waits until the load's tasks are healthy, fails when they cannot start, and notifies that the load runs.
resource "aws_lambda_invocation" "destroy" {
  function_name   = aws_lambda_function.this.function_name
  input           = jsonencode({ action = "destroy", run = local.clock.run, skip_final_export = var.skip_final_export })
  lifecycle_scope = "CRUD"

  # The stop schedule is not waited for: a load without one is exported, too. The cache waits for `destroyed`, so what takes long is waited for here:
  # the provider watches the queue behind the invoke config for 25 s.
  depends_on = [var.service_id, aws_lambda_invocation.destroyed, aws_lambda_function_event_invoke_config.this]
}

# Asked when load and cache are gone, because they wait for this: an apply that failed before `destroy` was made may have had a load all the same.
# CloudWatch keeps its metrics, and the log groups are there as long as the function, whose configuration has their names. It also waits until Container
# Insights has written of the last task.
resource "aws_lambda_invocation" "destroyed" {
  function_name   = aws_lambda_function.this.function_name
  input           = jsonencode({ action = "destroyed", run = local.clock.run, skip_final_export = var.skip_final_export })
  lifecycle_scope = "CRUD"

  # What the function works with outlives it, and what the tasks do.
  depends_on = [
    var.load_base,
    aws_iam_role_policy.lambda,
    aws_iam_role_policy.scheduler,
    aws_lambda_invocation.preflight,
    aws_sns_topic_subscription.email,
  ]
}
