locals {
  # Whatever may end a run late (a slow steady state, the stop's own minute, its retries) must still find load.
  test_seconds = (var.minutes + 30) * 60

  # load.sh adds what only the task knows: key prefix, seed, CA file, password and result file.
  command = concat(
    [
      "memtier", # $0 of the wrapper
      "--server=${var.cache.endpoint}",
      "--port=${var.cache.port}",
      "--threads=${var.load.threads}",
      "--clients=${var.load.clients}",
      "--pipeline=${var.load.pipeline}",
      "--data-size=${var.load.data_size}",
      "--ratio=${var.load.ratio}",
      "--key-pattern=${var.load.key_pattern}",
      "--key-minimum=1",
      "--key-maximum=${var.load.key_maximum}",
      "--test-time=${local.test_seconds}",
    ],
    var.cache.tls ? ["--tls"] : [],
    var.cache.cluster_mode ? ["--cluster-mode"] : [],
    var.load.rate_limit == null ? [] : ["--rate-limiting=${var.load.rate_limit}"],
    var.load.extra_args,
  )

  environment = merge(
    {
      RUN   = var.run
      TASKS = tostring(var.load.task_count) # so that another number replaces the service, whose desired_count is ignored
    },
    var.cache.tls ? { CA_PEM = coalesce(var.load.ca_pem, file("${path.module}/amazon-roots.pem")) } : {},
  )
}

# SSM and not Secrets Manager: the name of a deleted secret stays taken for 7 days or more.
resource "aws_ssm_parameter" "auth_token" {
  count = local.auth ? 1 : 0

  name        = local.parameter
  description = "Password of the cache of ${var.name}"
  type        = "SecureString"
  value       = var.auth_token
  tags        = var.tags
}

resource "aws_ecs_task_definition" "this" {
  family                   = local.service
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.load.cpu
  memory                   = var.load.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  tags                     = var.tags

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.load.architecture
  }

  container_definitions = jsonencode([merge(
    {
      name        = "memtier"
      image       = var.load.image
      essential   = true
      entryPoint  = ["sh", "-c", file("${path.module}/load.sh")]
      command     = local.command
      environment = [for k, v in local.environment : { name = k, value = v }]
      stopTimeout = 120 # the most that Fargate gives; the final table needs a second or two

      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.load.name
          awslogs-region        = local.region
          awslogs-stream-prefix = "load"
          mode                  = "blocking" # a full buffer must not lose lines: the default has been non-blocking since 2025-06-25
        }
      }
    },
    local.auth ? { secrets = [{ name = "CACHE_AUTH_TOKEN", valueFrom = aws_ssm_parameter.auth_token[0].arn }] } : {},
    var.load.image_credentials_arn == null ? {} : { repositoryCredentials = { credentialsParameter = var.load.image_credentials_arn } },
  )])

  lifecycle {
    precondition {
      condition     = local.auth ? var.cache.tls : true
      error_message = "A cache with an auth token speaks TLS only: set cache.tls = true, or leave auth_token out."
    }
  }
}
