locals {
  # 123456789012.dkr.ecr.us-east-1.amazonaws.com/perf/memtier:2.3.1 -> account, Region, repository
  ecr = try(regex("^(?P<account>[0-9]{12})\\.dkr\\.ecr\\.(?P<region>[a-z0-9-]+)\\.amazonaws\\.com(?:\\.cn)?/(?P<repository>[^:@]+)", var.load.image), null)

  # The ECS agent's permissions to start a task. Statements that are not needed are omitted.
  execution_statements = concat(
    [{
      Sid      = "WriteLoadLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.log_group}:*"
    }],
    [for _ in local.auth ? [1] : [] : {
      Sid      = "ReadAuthToken" # the key alias/aws/ssm allows decryption to everyone who can read the parameter
      Effect   = "Allow"
      Action   = ["ssm:GetParameters"]
      Resource = "arn:${local.partition}:ssm:${local.region}:${local.account}:parameter${local.parameter}"
    }],
    [for arn in compact([var.load.image_credentials_arn]) : {
      Sid      = "ReadImageCredentials"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = arn
    }],
    [for ecr in local.ecr == null ? [] : [local.ecr] : {
      Sid      = "PullImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = "arn:${local.partition}:ecr:${ecr.region}:${ecr.account}:repository/${ecr.repository}"
    }],
    # For a pull-through cache, the first pull creates the repository and imports the image: https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
    [for ecr in local.ecr == null ? [] : [local.ecr] : {
      Sid      = "FillPullThroughCache"
      Effect   = "Allow"
      Action   = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"]
      Resource = "arn:${local.partition}:ecr:${ecr.region}:${ecr.account}:repository/${ecr.repository}"
    }],
    [for _ in local.ecr == null ? [] : [1] : {
      Sid      = "LogInToRegistry"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = "*" # has no resource-level permissions
    }],
  )
}

resource "aws_iam_role" "execution" {
  name                 = "${var.name}-load-execution"
  description          = "Starts the load tasks of ${var.name}"
  path                 = var.iam.path
  permissions_boundary = var.iam.permissions_boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "execution" {
  name   = "start-load"
  role   = aws_iam_role.execution.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.execution_statements })
}

# The load calls no AWS API, so this role has no policy. Its trust policy is as narrow as AWS advises in
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
resource "aws_iam_role" "task" {
  name                 = "${var.name}-load-task"
  description          = "Load tasks of ${var.name}: no permissions"
  path                 = var.iam.path
  permissions_boundary = var.iam.permissions_boundary
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = {
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${local.region}:${local.account}:*" }
        StringEquals = { "aws:SourceAccount" = local.account }
      }
    }]
  })
}
