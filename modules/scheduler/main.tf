data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  region    = lookup(data.aws_region.current, "region", data.aws_region.current.name) # provider 6 renamed it
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  # ARNs built from names, for policies, and so that the guard does not wait for resources that it does not need.
  function  = "${var.name}-stop"
  log_group = "/aws/lambda/${local.function}"
  watch     = "${var.name}-watch"
  stop      = "${var.load.service}-stop"
  queue_arn = "arn:${local.partition}:sqs:${local.region}:${local.account}:${local.function}-dlq"
  topics    = aws_sns_topic.this[*].arn

  environment = {
    CONFIG     = local.config
    GOMEMLIMIT = "${floor(var.lambda.memory * 0.9)}MiB"
  }
  # In JSON each quote of CONFIG is two bytes; Base64 has four characters for three bytes.
  environment_bytes = ceil(length(base64encode(jsonencode(local.environment))) * 3 / 4)

  # AWS has checksums in Base64, people in hexadecimal: three bytes are six digits, or four characters. A zero byte pads the 32 bytes.
  base64   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  triples  = [for digits in regexall("[0-9a-f]{6}", "${join("", var.lambda.sha256[*])}00") : parseint(digits, 16)]
  sum      = "${substr(join("", flatten([for n in local.triples : [for power in [262144, 4096, 64, 1] : substr(local.base64, floor(n / power) % 64, 1)]])), 0, 43)}="
  there    = try(fileexists(var.lambda.zip), false)
  code_sum = var.lambda.sha256 != null ? local.sum : try(filebase64sha256(var.lambda.zip), null)

  config = jsonencode({
    name           = var.name
    bucket         = var.export.bucket
    prefix         = var.export.prefix
    kms_key_arn    = join("", var.export.kms_key_arn[*])
    cluster        = var.load.cluster
    service        = var.load.service
    cache          = { replication_group = join("", var.cache.replication_group[*]), serverless = join("", var.cache.serverless[*]), delete = var.cache.delete }
    logs           = merge({ load = var.load.log_group }, var.cache.log_groups)
    schedules      = { group = var.name, watch = local.watch, stop = local.stop }
    topic_arn      = join("", local.topics)
    minutes        = var.minutes
    period_seconds = var.export.period_seconds
    settings       = jsondecode(var.settings)
  })
}

# The Lambda may not create log groups. Otherwise its own would reappear after destroy, without a retention.
resource "aws_cloudwatch_log_group" "this" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  function_name = local.function
  description   = "Ends a run of ${var.name}: stops the load, exports metrics and logs, deletes the cache"
  role          = aws_iam_role.lambda.arn
  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.lambda.architecture]
  memory_size   = var.lambda.memory
  timeout       = 900 # Lambda's maximum; longer work continues at the next tick of watch
  tags          = var.tags

  filename          = var.lambda.zip
  s3_bucket         = var.lambda.s3_bucket
  s3_key            = var.lambda.s3_key
  s3_object_version = var.lambda.s3_object_version
  source_code_hash  = local.code_sum

  environment {
    variables = local.environment
  }

  lifecycle {
    precondition {
      condition     = var.lambda.zip == null || local.there
      error_message = "The Lambda's zip ${join("", var.lambda.zip[*])} does not exist. Build it with Go:\n  ARCH=${var.lambda.architecture} go tool mage build\nor download lambda-${var.lambda.architecture}.zip of a release, and set the lambda's zip to where it is, or s3_bucket, s3_key and sha256 to where you put it."
    }
    precondition {
      condition     = var.lambda.sha256 == null || !local.there || try(filesha256(var.lambda.zip), "") == var.lambda.sha256
      error_message = "The Lambda's zip ${join("", var.lambda.zip[*])} does not match lambda.sha256: its sum is ${try(filesha256(var.lambda.zip), "unknown")}. Download it again, or correct the sum."
    }
    postcondition {
      condition     = var.lambda.sha256 == null || self.code_sha256 == null || self.code_sha256 == local.sum # null: the function's creation was interrupted
      error_message = "The Lambda's code in AWS does not match lambda.sha256: its sum in Base64 is ${coalesce(self.code_sha256, "unknown")} instead of ${local.sum}. Check the object s3_key in s3_bucket, or correct the sum."
    }
    # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 4 KB for all variables together, as JSON
    precondition {
      condition     = local.environment_bytes <= 4096
      error_message = "The Lambda's environment has ${local.environment_bytes} bytes as JSON, and AWS allows 4096: shorten cache.parameters or load.extra_args."
    }
  }

  depends_on = [aws_cloudwatch_log_group.this]
}

# Events that finally fail, here or in a schedule, are kept in this queue for a person. It needs no queue policy: Lambda and
# Scheduler send with their roles.
resource "aws_sqs_queue" "dead" {
  name                      = "${local.function}-dlq"
  message_retention_seconds = 1209600 # 14 days, the maximum
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

# Needs the queue: Lambda refuses a destination that the function's role cannot send to.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_event_age_in_seconds = 3600
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = aws_sqs_queue.dead.arn
    }
  }

  depends_on = [aws_iam_role_policy.lambda]
}

resource "aws_sns_topic" "this" {
  count = var.notifications == null ? 0 : 1

  name = var.name # not encrypted with alias/aws/sns: alarms could not publish to it
  tags = var.tags
}

resource "aws_sns_topic_subscription" "email" {
  count = var.notifications == null ? 0 : 1

  topic_arn = aws_sns_topic.this[0].arn
  protocol  = "email"
  endpoint  = var.notifications.email
}

# A run that is 24 h overdue is also a Lambda error, so this alarm reports runs that do not end.
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${local.function}-errors"
  alarm_description   = "Ending a run of ${var.name} failed; see the log group ${local.log_group}. It is tried again every ${local.watch_minutes} minutes."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = local.function }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.topics
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "dead" {
  alarm_name          = "${local.function}-dlq"
  alarm_description   = "An event of ${var.name} was given up; it lies in the queue ${local.function}-dlq."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.topics
  tags                = var.tags
}
