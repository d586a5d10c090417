locals {
  # Variables override the workload. An unknown workload is refused below.
  workloads = jsondecode(file("${path.module}/workloads.json"))
  preset    = try(local.workloads[var.load.workload], local.workloads["cache-aside"])
  workload = {
    ratio       = length(local.commands) == 0 ? try(coalesce(var.load.ratio, local.preset.ratio), "1:10") : null
    data_size   = local.value_bytes
    key_pattern = length(local.commands) == 0 ? local.workload_pattern : null
    key_maximum = coalesce(var.load.key_maximum, local.preset.key_maximum)
    pipeline    = coalesce(var.load.pipeline, local.preset.pipeline)
    extra_args  = concat(local.values, local.expiry, local.skew, local.extra_args)
    threads     = coalesce(var.load.threads, max(1, floor(var.load.cpu / 1024)))
  }

  # Additional flags, one --flag=value per line. A load with its own commands has no ratio, key pattern or prefill, because a prefill writes strings.
  extra_args = var.load.extra_args == null ? local.preset.extra_args : var.load.extra_args
  flags      = replace(join("\n", local.extra_args), "/(?m)^(--[a-z-]+)\\n([^-])/", "$1=$2")
  commands   = [for c in regexall("(?m)^--command=(.*)$", local.flags) : c[0]]

  # Only one setting for value sizes applies, the load's own or the workload's; for several sizes data_size is the mean.
  own_sizes = length([for v in [var.load.data_size, var.load.data_size_range, var.load.data_size_list] : v if v != null])
  range     = local.own_sizes > 0 ? var.load.data_size_range : local.preset.data_size_range
  list      = local.own_sizes > 0 ? var.load.data_size_list : local.preset.data_size_list
  ends      = local.range == null ? [] : [for n in split("-", local.range) : tonumber(n)]
  weighted  = local.list == null ? [] : [for pair in split(",", local.list) : [for n in split(":", pair) : tonumber(n)]]
  values    = concat([for r in local.range[*] : "--data-size-range=${r}"], [for l in local.list[*] : "--data-size-list=${l}"])
  value_bytes = (
    local.list != null ? ceil(sum([for w in local.weighted : w[0] * w[1]]) / max(1, sum([for w in local.weighted : w[1]]))) :
    local.range != null ? ceil(sum(local.ends) / 2) :
    coalesce(var.load.data_size, local.preset.data_size)
  )

  expires = var.load.expiry_range == null ? local.preset.expiry_range : var.load.expiry_range # "": never
  expiry  = length(local.commands) > 0 ? [] : [for e in compact([local.expires]) : "--expiry-range=${e}"]
  zipf    = try(coalesce(var.load.key_zipf_exp, local.preset.key_zipf_exp), 1)
  zipfian = can(regex("Z", length(local.commands) == 0 ? local.workload_pattern : join("", [for p in regexall("(?m)^--command-key-pattern=(.)$", local.flags) : p[0]])))
  skew    = local.zipfian ? ["--key-zipf-exp=${local.zipf}"] : []

  workload_pattern = try(coalesce(var.load.key_pattern, local.preset.key_pattern), "R:R")

  prefill         = var.load.prefill.minutes != 0 && length(local.commands) == 0 # null: within the run's minutes
  prefill_minutes = coalesce(var.load.prefill.minutes, 0)
  replicas        = var.load.read_from == "replicas"

  # The load must outlast everything that can end a run late (a slow steady state, the stop's own minute, its retries), however short its prefill was.
  test_seconds = (var.minutes + local.prefill_minutes + 30) * 60

  # load.sh adds what is only known in the task: key prefix, seed, CA file, password and result file.
  command = concat(
    [
      "memtier", # $0 of the wrapper
      "--server=${local.replicas ? coalesce(var.cache.reader_endpoint, var.cache.endpoint) : var.cache.endpoint}",
      "--port=${var.cache.port}",
      "--threads=${local.workload.threads}",
      "--clients=${var.load.clients}",
      "--pipeline=${local.workload.pipeline}",
      "--key-minimum=1",
      "--key-maximum=${local.workload.key_maximum}",
      "--test-time=${local.test_seconds}",
    ],
    length(local.values) > 0 ? [] : ["--data-size=${local.workload.data_size}"],
    length(local.commands) == 0 ? ["--ratio=${local.workload.ratio}", "--key-pattern=${local.workload.key_pattern}"] : [],
    var.cache.tls ? ["--tls"] : [],
    var.cache.cluster_mode ? ["--cluster-mode"] : [],
    var.load.rate_limit == null ? [] : ["--rate-limiting=${var.load.rate_limit}"],
    local.workload.extra_args,
  )

  environment = merge(
    {
      RUN   = var.run
      TASKS = tostring(var.load.task_count) # a new number must replace the service, because changes of desired_count are ignored
    },
    local.prefill ? { PREFILL_SECONDS = tostring(local.prefill_minutes > 0 ? local.prefill_minutes * 60 : var.minutes * 30) } : {},
    local.prefill_minutes > 0 ? { PREFILL_REQUIRED = "1" } : {},
    local.prefill && length(local.values) > 0 ? { PREFILL_BYTES = tostring(local.workload.key_maximum * local.value_bytes) } : {},
    local.prefill && local.replicas ? { PREFILL_SERVER = var.cache.endpoint } : {},
    var.cache.tls ? { CA_PEM = coalesce(var.load.ca_pem, file("${path.module}/amazon-roots.pem")) } : {},
  )
}

# SSM, not Secrets Manager, where the name of a deleted secret stays reserved for at least 7 days.
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
      stopTimeout = 120 # Fargate's maximum; the final table needs a second or two

      # A task is healthy once it has connected to the cache and logged in, so a prefill can take any time. The wrapper gives up after 3 tries of 10 s, which
      # is within the start period. A busy task can answer slowly and must not be stopped for it, hence 10 retries of 30 s.
      # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/healthcheck.html
      healthCheck = {
        command     = ["CMD-SHELL", "ls \"$${TMPDIR:-/tmp}\"/*/ready"]
        interval    = 5
        timeout     = 30
        retries     = 10
        startPeriod = 60
      }

      logConfiguration = {
        logDriver = "awslogs"
        options = {
          awslogs-group         = aws_cloudwatch_log_group.load.name
          awslogs-region        = local.region
          awslogs-stream-prefix = "load"
          mode                  = "blocking" # a full buffer must not drop lines: the default is non-blocking since 2025-06-25
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
    precondition {
      condition     = contains(keys(local.workloads), var.load.workload)
      error_message = "There is no workload \"${var.load.workload}\": use one of ${join(", ", keys(local.workloads))}."
    }
    precondition {
      condition     = local.replicas ? can(regex("^0:", local.workload.ratio)) : true
      error_message = "With read_from = \"replicas\" the load must write nothing, because a replica refuses writes: set ratio = \"0:1\" (it is \"${coalesce(local.workload.ratio, "--command")}\")."
    }
    # memtier's own rules, which it would only report in the running task: client.cpp and memtier_benchmark.cpp (verify_cluster_option,
    # verify_arbitrary_command_option), https://github.com/redis/memtier_benchmark
    precondition {
      condition     = local.own_sizes <= 1
      error_message = "The size of the load's values has one rule: set only one of data_size, data_size_range and data_size_list."
    }
    precondition {
      condition     = length(local.commands) == 0 || (var.load.ratio == null && var.load.key_pattern == null)
      error_message = "With --command in extra_args the load has neither ratio nor key_pattern: put --command-ratio and --command-key-pattern after each --command."
    }
    precondition {
      condition     = length(local.commands) == 0 || local.prefill_minutes == 0
      error_message = "With --command in extra_args there is no prefill, which writes strings: leave prefill out."
    }
    precondition {
      condition     = !can(regex("(?m)^--command-(ratio|key-pattern)=", split("--command=", local.flags)[0]))
      error_message = "In extra_args, --command-ratio and --command-key-pattern follow the --command that they belong to."
    }
    precondition {
      condition     = contains([0, length(local.commands)], length(regexall("(?m)^--command-key-pattern=P$", local.flags)))
      error_message = "The --command-key-pattern P must be set for all commands or for none."
    }
    precondition {
      condition     = !can(regex("(?m)^--key-(stddev|median)=", local.flags)) || can(regex("G", coalesce(local.workload.key_pattern, "-")))
      error_message = "With --key-stddev or --key-median in extra_args the key_pattern must have a G, such as \"G:G\"."
    }
    precondition {
      condition     = !var.cache.cluster_mode || !can(regex("(?m)^--(reconnect-interval=|select-db=[^0])", local.flags))
      error_message = "In cluster mode memtier has neither --reconnect-interval nor a --select-db other than 0."
    }
    precondition {
      condition     = local.replicas ? !var.cache.cluster_mode && var.cache.reader_endpoint != null : true
      error_message = "With read_from = \"replicas\" the cache needs a reader endpoint: cluster mode off (shards = null) and 1 replica or more."
    }
  }
}
