locals {
  prefix     = "arn:${local.partition}:s3:::${var.export.bucket}/${var.export.prefix}"
  ecs        = "arn:${local.partition}:ecs:${local.region}:${local.account}"
  cache      = "arn:${local.partition}:elasticache:${local.region}:${local.account}"
  logs       = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group"
  schedule   = "arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule/${var.name}"
  group_arn  = "arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule-group/${var.name}"
  lambda_arn = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${local.function}"

  cache_arns = merge(
    { for id in var.cache.replication_group[*] : "nodes" => "${local.cache}:replicationgroup:${id}" },
    { for name in var.cache.serverless[*] : "serverless" => "${local.cache}:serverlesscache:${name}" },
  )

  # docs/permissions.md explains each statement.
  lambda_statements = concat(
    [
      {
        Sid      = "WriteOwnLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${local.logs}:${local.log_group}:*"
      },
      {
        Sid      = "StopLoad"
        Effect   = "Allow"
        Action   = ["ecs:DescribeServices", "ecs:UpdateService"]
        Resource = "${local.ecs}:service/${var.load.cluster}/${var.load.service}"
      },
      {
        Sid       = "ListTasks" # Fargate has no container instance to name
        Effect    = "Allow"
        Action    = ["ecs:ListTasks"]
        Resource  = "*"
        Condition = { ArnEquals = { "ecs:cluster" = "${local.ecs}:cluster/${var.load.cluster}" } }
      },
      {
        Sid      = "DescribeTasks"
        Effect   = "Allow"
        Action   = ["ecs:DescribeTasks"]
        Resource = "${local.ecs}:task/${var.load.cluster}/*"
      },
      {
        Sid      = "ReadMetrics" # no resource-level permissions
        Effect   = "Allow"
        Action   = ["cloudwatch:GetMetricData", "cloudwatch:ListMetrics"]
        Resource = "*"
      },
      {
        Sid      = "ReadLogs"
        Effect   = "Allow"
        Action   = ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"]
        Resource = [for group in concat([var.load.log_group], values(var.cache.log_groups)) : "${local.logs}:${group}:*"]
      },
      {
        Sid      = "WriteExports"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        Resource = "${local.prefix}/*"
      },
      {
        Sid      = "RemoveProbe" # only the preflight's own object: no export can be deleted
        Effect   = "Allow"
        Action   = ["s3:DeleteObject"]
        Resource = "${local.prefix}/preflight/*"
      },
      {
        Sid      = "SeeWhatIsMissing" # without ListBucket S3 answers 403 instead of 404 for a missing object
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = "arn:${local.partition}:s3:::${var.export.bucket}"
      },
      {
        Sid      = "EndSchedules"
        Effect   = "Allow"
        Action   = ["scheduler:DeleteSchedule", "scheduler:GetSchedule"]
        Resource = ["${local.schedule}/${local.watch}", "${local.schedule}/${local.stop}"]
      },
      {
        Sid      = "SendFailures"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = local.queue_arn
      },
    ],
    [for kind, arn in local.cache_arns : {
      Sid      = "DescribeCache"
      Effect   = "Allow"
      Action   = [kind == "serverless" ? "elasticache:DescribeServerlessCaches" : "elasticache:DescribeReplicationGroups"]
      Resource = arn
    }],
    [for kind, arn in local.cache_arns : {
      Sid      = "DeleteCache" # if its tag names the run
      Effect   = "Allow"
      Action   = [kind == "serverless" ? "elasticache:DeleteServerlessCache" : "elasticache:DeleteReplicationGroup", "elasticache:ListTagsForResource"]
      Resource = arn
    } if var.cache.delete],
    [for id in var.cache.replication_group[*] : {
      Sid      = "EndLogDelivery" # documented, but never observed: docs/permissions.md
      Effect   = "Allow"
      Action   = ["logs:DeleteLogDelivery", "logs:GetLogDelivery", "logs:ListLogDeliveries"]
      Resource = "*"
    } if var.cache.delete && length(var.cache.log_groups) > 0],
    [for id in var.cache.replication_group[*] : {
      Sid      = "DescribeNodes"
      Effect   = "Allow"
      Action   = ["elasticache:DescribeCacheClusters"]
      Resource = "${local.cache}:cluster:${id}-*"
    }],
    [for arn in compact([var.export.kms_key_arn]) : {
      Sid      = "EncryptExports" # a multipart upload also decrypts
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = arn
    }],
    [for arn in local.topics : {
      Sid      = "Notify"
      Effect   = "Allow"
      Action   = ["sns:Publish"]
      Resource = arn
    }],
  )
}

resource "aws_iam_role" "lambda" {
  name                 = local.function
  description          = "Ends runs of ${var.name}"
  path                 = var.iam.path
  permissions_boundary = var.iam.permissions_boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "lambda" {
  name   = "end-run"
  role   = aws_iam_role.lambda.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.lambda_statements })
}

# https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html: the group's ARN,
# not a schedule's.
resource "aws_iam_role" "scheduler" {
  name                 = "${var.name}-scheduler"
  description          = "Schedules of ${var.name} invoke ${local.function}"
  path                 = var.iam.path
  permissions_boundary = var.iam.permissions_boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account, "aws:SourceArn" = local.group_arn }
      }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  name = "invoke-lambda"
  role = aws_iam_role.scheduler.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Invoke", Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = local.lambda_arn },
      { Sid = "SendFailures", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = local.queue_arn },
    ]
  })
}
