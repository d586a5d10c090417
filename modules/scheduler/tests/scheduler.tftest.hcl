mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
}

variables {
  name       = "orders"
  minutes    = 10
  service_id = "arn:aws:ecs:eu-central-1:123456789012:service/orders/orders-load"
  load       = { cluster = "orders", service = "orders-load", log_group = "/elasticache-perf/orders/load" }
  cache      = { replication_group = "orders", log_groups = { engine = "/aws/vendedlogs/elasticache/orders/engine-log", slow = "/aws/vendedlogs/elasticache/orders/slow-log" } }
  export     = { bucket = "my-exports" }
  lambda     = { zip = "tests/scheduler.tftest.hcl" } # any file that is there
  settings   = "{\"cache\":{\"engine\":\"valkey\"}}"
}

run "lambda" {
  command = plan

  assert {
    condition     = aws_lambda_function.this.function_name == "orders-stop" && aws_lambda_function.this.runtime == "provided.al2023" && join(" ", aws_lambda_function.this.architectures) == "arm64" && aws_lambda_function.this.timeout == 900
    error_message = "The Lambda is a bootstrap for arm64 with all the time there is."
  }
  assert {
    condition     = aws_lambda_function.this.environment[0].variables.GOMEMLIMIT == "460MiB"
    error_message = "Go's memory limit is 90 % of the function's memory."
  }
  assert {
    condition = jsondecode(aws_lambda_function.this.environment[0].variables.CONFIG) == jsondecode(jsonencode({
      name           = "orders"
      bucket         = "my-exports"
      prefix         = "exports"
      kms_key_arn    = ""
      cluster        = "orders"
      service        = "orders-load"
      cache          = { replication_group = "orders", serverless = "", delete = true }
      logs           = { load = "/elasticache-perf/orders/load", engine = "/aws/vendedlogs/elasticache/orders/engine-log", slow = "/aws/vendedlogs/elasticache/orders/slow-log" }
      schedules      = { group = "orders", watch = "orders-watch", stop = "orders-load-stop" }
      topic_arn      = ""
      minutes        = 10
      period_seconds = 60
      settings       = { cache = { engine = "valkey" } }
    }))
    error_message = "CONFIG is what the Lambda reads."
  }
  assert {
    condition     = aws_lambda_function_event_invoke_config.this.maximum_retry_attempts == 2 && aws_lambda_function_event_invoke_config.this.maximum_event_age_in_seconds == 3600
    error_message = "An event is tried three times, within an hour."
  }
}

# The sums are those of no bytes at all: sha256sum </dev/null.
run "code_of_a_bucket" {
  command = plan
  variables {
    lambda = { s3_bucket = "code", s3_key = "v1/lambda-arm64.zip", s3_object_version = "3sL4kqtJlcpXroDTDmJ", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }

  assert {
    condition     = aws_lambda_function.this.filename == null && aws_lambda_function.this.s3_bucket == "code" && aws_lambda_function.this.s3_key == "v1/lambda-arm64.zip" && aws_lambda_function.this.s3_object_version == "3sL4kqtJlcpXroDTDmJ"
    error_message = "The code is the object."
  }
  assert {
    condition     = aws_lambda_function.this.source_code_hash == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    error_message = "The sum of hexadecimal digits is AWS's in Base64."
  }
}

run "code_of_a_file_with_its_sum" {
  command = plan
  variables {
    lambda = { zip = "tests/scheduler.tftest.hcl", sha256 = filesha256("tests/scheduler.tftest.hcl") }
  }

  assert {
    condition     = aws_lambda_function.this.source_code_hash == filebase64sha256("tests/scheduler.tftest.hcl") && aws_lambda_function.this.s3_bucket == null
    error_message = "The sum of hexadecimal digits is the file's in Base64."
  }
}

run "code_of_another_sum" {
  command = plan
  variables {
    lambda = { zip = "tests/scheduler.tftest.hcl", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }
  expect_failures = [aws_lambda_function.this]
}

run "code_that_is_not_there" {
  command = plan
  variables {
    lambda = { zip = "nowhere.zip" }
  }
  expect_failures = [aws_lambda_function.this]
}

run "code_of_both" {
  command = plan
  variables {
    lambda = { zip = "tests/scheduler.tftest.hcl", s3_bucket = "code", s3_key = "lambda.zip", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }
  expect_failures = [var.lambda]
}

run "code_of_neither" {
  command = plan
  variables {
    lambda = {}
  }
  expect_failures = [var.lambda]
}

run "code_of_a_bucket_without_a_sum" {
  command = plan
  variables {
    lambda = { s3_bucket = "code", s3_key = "lambda.zip" }
  }
  expect_failures = [var.lambda]
}

run "code_of_a_bucket_without_a_key" {
  command = plan
  variables {
    lambda = { s3_bucket = "code", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }
  expect_failures = [var.lambda]
}

run "a_sum_that_is_none" {
  command = plan
  variables {
    lambda = { zip = "tests/scheduler.tftest.hcl", sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
  }
  expect_failures = [var.lambda]
}

run "schedules" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.watch.name == "orders-watch" && aws_scheduler_schedule.watch.schedule_expression == "rate(10 minutes)"
    error_message = "watch comes every 10 minutes."
  }
  assert {
    condition     = aws_scheduler_schedule.stop.name == "orders-load-stop" && aws_scheduler_schedule.stop.flexible_time_window[0].mode == "OFF"
    error_message = "stop has the service's name and comes on time."
  }
  assert {
    condition = alltrue([for s in [aws_scheduler_schedule.watch, aws_scheduler_schedule.stop] : alltrue([
      s.group_name == "orders",
      s.target[0].dead_letter_config[0].arn == "arn:aws:sqs:eu-central-1:123456789012:orders-stop-dlq",
      s.target[0].retry_policy[0].maximum_event_age_in_seconds <= 3600,
    ])])
    error_message = "What cannot be delivered is given up within an hour and kept in the queue."
  }
}

run "destroy" {
  command = plan

  assert {
    condition     = aws_lambda_invocation.destroy.lifecycle_scope == "CRUD" && aws_lambda_invocation.destroy.triggers == null
    error_message = "The question is asked when it is deleted, and nothing replaces it."
  }
}

run "failures" {
  command = plan
  variables {
    notifications = { email = "team@example.com" }
  }

  assert {
    condition     = length(aws_lambda_function_event_invoke_config.this.destination_config[0].on_failure) == 1 && aws_sqs_queue.dead.message_retention_seconds == 1209600
    error_message = "What the Lambda fails for good is kept for two weeks."
  }
  assert {
    condition = alltrue([for a in [aws_cloudwatch_metric_alarm.errors, aws_cloudwatch_metric_alarm.dead] : alltrue([
      a.threshold == 0, a.comparison_operator == "GreaterThanThreshold", a.evaluation_periods == 1, a.treat_missing_data == "notBreaching",
    ])]) && length(local.topics) == 1
    error_message = "One is too many, and people are told."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.errors.namespace == "AWS/Lambda" && aws_cloudwatch_metric_alarm.errors.metric_name == "Errors" && aws_cloudwatch_metric_alarm.errors.dimensions == tomap({ FunctionName = "orders-stop" })
    error_message = "An error of the Lambda, and so a run that is 24 h overdue, is an alarm."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.dead.namespace == "AWS/SQS" && aws_cloudwatch_metric_alarm.dead.metric_name == "ApproximateNumberOfMessagesVisible" && aws_cloudwatch_metric_alarm.dead.dimensions == tomap({ QueueName = "orders-stop-dlq" })
    error_message = "An event in the queue is an alarm."
  }
}

run "permissions" {
  command = plan

  assert {
    condition     = toset([for s in local.lambda_statements : s.Sid if jsonencode(s.Resource) == "\"*\""]) == toset(["EndLogDelivery", "ListTasks", "ReadMetrics"])
    error_message = "Only what AWS cannot restrict is for every resource."
  }
  assert {
    condition     = [for s in local.lambda_statements : jsonencode(s.Condition) if s.Sid == "ListTasks"][0] == "{\"ArnEquals\":{\"ecs:cluster\":\"arn:aws:ecs:eu-central-1:123456789012:cluster/orders\"}}"
    error_message = "Tasks are listed in the load's cluster only."
  }
  assert {
    condition     = length([for s in local.lambda_statements : s.Sid]) == length(distinct([for s in local.lambda_statements : s.Sid]))
    error_message = "Each statement has a name of its own."
  }
  assert {
    condition     = length([for s in local.lambda_statements : s if anytrue([for a in s.Action : can(regex("\\*", a))])]) == 0
    error_message = "No statement allows actions by wildcard."
  }
  assert {
    condition     = jsondecode(aws_iam_role.scheduler.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceArn"] == "arn:aws:scheduler:eu-central-1:123456789012:schedule-group/orders"
    error_message = "Only schedules of the group may use the role."
  }
}

run "options" {
  command = plan
  variables {
    cache         = { replication_group = "someone-elses", delete = false }
    export        = { bucket = "my-exports", prefix = "team/exports", period_seconds = 300, kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
    lambda        = { zip = "tests/scheduler.tftest.hcl", architecture = "x86_64", memory = 1024 }
    notifications = { email = "team@example.com" }
    iam           = { path = "/perf/", permissions_boundary = "arn:aws:iam::123456789012:policy/boundary" }
  }

  assert {
    condition     = !contains([for s in local.lambda_statements : s.Sid], "DeleteCache")
    error_message = "A cache that is not the stack's cannot be deleted."
  }
  assert {
    condition     = length(setsubtract(["EncryptExports", "Notify"], [for s in local.lambda_statements : s.Sid])) == 0
    error_message = "A key and a topic bring their permissions."
  }
  assert {
    condition     = [for s in local.lambda_statements : s.Resource if s.Sid == "WriteExports"][0] == "arn:aws:s3:::my-exports/team/exports/*"
    error_message = "Objects are written below the prefix only."
  }
  assert {
    condition     = aws_sns_topic_subscription.email[0].endpoint == "team@example.com" && aws_iam_role.lambda.path == "/perf/" && aws_iam_role.scheduler.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary"
    error_message = "The address is subscribed; path and boundary are on the roles."
  }
}

run "serverless" {
  command = plan
  variables {
    cache = { serverless = "orders" }
  }

  assert {
    condition     = jsondecode(aws_lambda_function.this.environment[0].variables.CONFIG).cache == jsondecode("{\"replication_group\":\"\",\"serverless\":\"orders\",\"delete\":true}")
    error_message = "CONFIG names the serverless cache."
  }
  assert {
    condition = { for s in local.lambda_statements : s.Sid => join(" ", concat(s.Action, [s.Resource])) if strcontains(jsonencode(s.Action), "elasticache:") } == {
      DescribeCache = "elasticache:DescribeServerlessCaches arn:aws:elasticache:eu-central-1:123456789012:serverlesscache:orders"
      DeleteCache   = "elasticache:DeleteServerlessCache elasticache:ListTagsForResource arn:aws:elasticache:eu-central-1:123456789012:serverlesscache:orders"
    }
    error_message = "A serverless cache is described and deleted by its own name, and has no nodes."
  }
}

run "someone_elses_serverless" {
  command = plan
  variables {
    cache = { serverless = "theirs", delete = false }
  }

  assert {
    condition     = join(" ", flatten([for s in local.lambda_statements : s.Action if strcontains(jsonencode(s.Action), "elasticache:")])) == "elasticache:DescribeServerlessCaches"
    error_message = "A cache that is not the stack's is only described."
  }
}

run "only_an_endpoint" {
  command = plan
  variables {
    cache = { delete = false }
  }

  assert {
    condition     = !strcontains(jsonencode(local.lambda_statements), "elasticache:") && jsondecode(aws_lambda_function.this.environment[0].variables.CONFIG).cache == jsondecode("{\"replication_group\":\"\",\"serverless\":\"\",\"delete\":false}")
    error_message = "Nothing of ElastiCache is asked about a cache without a name."
  }
}

run "both_kinds" {
  command = plan
  variables {
    cache = { replication_group = "orders", serverless = "orders" }
  }
  expect_failures = [var.cache]
}

run "zip_not_built" {
  command = plan
  variables {
    lambda = { zip = "build/nothing.zip" }
  }
  expect_failures = [aws_lambda_function.this]
}

run "settings_too_long" {
  command = plan
  variables {
    settings = "{\"a\":\"${join("", [for i in range(500) : "12345678"])}\"}"
  }
  expect_failures = [aws_lambda_function.this]
}

run "service_of_another_name" {
  command = plan
  variables {
    service_id = "arn:aws:ecs:eu-central-1:123456789012:service/orders/other"
  }
  expect_failures = [aws_scheduler_schedule.stop]
}

run "bad_name" {
  command = plan
  variables {
    name = "orders_cache"
  }
  expect_failures = [var.name]
}

run "no_minutes" {
  command = plan
  variables {
    minutes = 0
  }
  expect_failures = [var.minutes]
}

run "small_margin" {
  command = plan
  variables {
    margin_minutes = 14
  }
  expect_failures = [var.margin_minutes]
}

run "unknown_log" {
  command = plan
  variables {
    cache = { replication_group = "orders", log_groups = { audit = "/audit" } }
  }
  expect_failures = [var.cache]
}

run "no_bucket" {
  command = plan
  variables {
    export = { bucket = "" }
  }
  expect_failures = [var.export]
}

run "bad_bucket" {
  command = plan
  variables {
    export = { bucket = "My_Exports" }
  }
  expect_failures = [var.export]
}

run "bad_prefix" {
  command = plan
  variables {
    export = { bucket = "my-exports", prefix = "/exports" }
  }
  expect_failures = [var.export]
}

run "bad_period" {
  command = plan
  variables {
    export = { bucket = "my-exports", period_seconds = 90 }
  }
  expect_failures = [var.export]
}

run "bad_architecture" {
  command = plan
  variables {
    lambda = { zip = "tests/scheduler.tftest.hcl", architecture = "amd64" }
  }
  expect_failures = [var.lambda]
}

run "too_little_memory" {
  command = plan
  variables {
    lambda = { zip = "tests/scheduler.tftest.hcl", memory = 128 }
  }
  expect_failures = [var.lambda]
}

run "settings_not_an_object" {
  command = plan
  variables {
    settings = "[]"
  }
  expect_failures = [var.settings]
}

run "bad_address" {
  command = plan
  variables {
    notifications = { email = "team" }
  }
  expect_failures = [var.notifications]
}
