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
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/orders" }
  }
  mock_resource "aws_ssm_parameter" {
    defaults = { arn = "arn:aws:ssm:eu-central-1:123456789012:parameter/elasticache-perf/orders/auth-token" }
  }
}

variables {
  name       = "orders"
  vpc_id     = "vpc-0123456789abcdef0"
  subnet_ids = ["subnet-0123456789abcdef0"]
  run        = "2026-11-23T03-08-09Z"
  minutes    = 10
  cache      = { endpoint = "cache.example.com", security_group_id = "sg-0123456789abcdef0" }
}

run "defaults" {
  command = plan

  assert {
    condition = alltrue([
      aws_ecs_service.this.desired_count == 1,
      aws_ecs_service.this.wait_for_steady_state,
      aws_ecs_service.this.availability_zone_rebalancing == "DISABLED",
      aws_ecs_service.this.propagate_tags == "SERVICE",
      !aws_ecs_service.this.network_configuration[0].assign_public_ip,
      aws_ecs_service.this.timeouts.create == "10m",
      one(aws_ecs_cluster.this.setting).value == "disabled",
    ])
    error_message = "The service waits for its tasks, at most 10 minutes, and writes the defaults that differ."
  }
  assert {
    condition     = output.cluster_name == "orders" && output.service_name == "orders-load" && output.log_group == "/elasticache-perf/orders/load"
    error_message = "Names are known in the plan."
  }
  assert {
    condition     = aws_vpc_security_group_egress_rule.cache.referenced_security_group_id == "sg-0123456789abcdef0" && aws_vpc_security_group_egress_rule.cache.cidr_ipv4 == null
    error_message = "The tasks may go to the cache's group."
  }
  assert {
    condition     = alltrue([for p, r in aws_vpc_security_group_egress_rule.dns : r.ip_protocol == p && r.from_port == 53 && r.to_port == 53 && r.cidr_ipv4 == "0.0.0.0/0"]) && length(aws_vpc_security_group_egress_rule.dns) == 2
    error_message = "The tasks may ask whatever DNS servers the VPC names, by UDP and TCP."
  }
  assert {
    condition = { for s in local.execution_statements : s.Sid => s.Resource } == {
      WriteLoadLog = "arn:aws:logs:eu-central-1:123456789012:log-group:/elasticache-perf/orders/load:*"
    }
    error_message = "Without token, mirror and credentials the tasks' start needs their log group only."
  }
}

run "task" {
  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].command[0] == "memtier" && contains(jsondecode(aws_ecs_task_definition.this.container_definitions)[0].command, "--server=cache.example.com")
    error_message = "The command is the wrapper's $0 and memtier's arguments."
  }
  assert {
    condition     = contains(jsondecode(aws_ecs_task_definition.this.container_definitions)[0].command, "--test-time=2400")
    error_message = "10 minutes and 30 more are 2400 seconds."
  }
  assert {
    condition     = startswith(jsonencode(jsondecode(aws_ecs_task_definition.this.container_definitions)[0].entryPoint), "[\"sh\",\"-c\",") && jsondecode(aws_ecs_task_definition.this.container_definitions)[0].stopTimeout == 120
    error_message = "The wrapper is the entry point and has 120 seconds to stop."
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].healthCheck == { command = ["CMD-SHELL", "ls \"$${TMPDIR:-/tmp}\"/*/ready"], interval = 5, timeout = 30, retries = 10, startPeriod = 60 }
    error_message = "A task is healthy when its wrapper is ready."
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].logConfiguration.options.mode == "blocking" && jsondecode(aws_ecs_task_definition.this.container_definitions)[0].logConfiguration.options.awslogs-region == "eu-central-1"
    error_message = "No line is lost, and the Region is the provider's."
  }
  assert {
    condition     = { for e in jsondecode(aws_ecs_task_definition.this.container_definitions)[0].environment : e.name => e.value } == { RUN = "2026-11-23T03-08-09Z", TASKS = "1", PREFILL_SECONDS = "300", PREFILL_BYTES = "33000000" }
    error_message = "The task knows its run."
  }
}

run "everything" {
  variables {
    cache      = { endpoint = "cache.example.com", port = 6380, cluster_mode = true, tls = true }
    auth_token = "correct-horse-battery-staple"
    load = {
      task_count            = 3
      cpu                   = 16384
      memory                = 40960
      architecture          = "ARM64"
      image                 = "210987654321.dkr.ecr.us-west-2.amazonaws.com/perf/memtier_benchmark:2.3.1"
      image_credentials_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:docker-hub-AbCdEf"
      assign_public_ip      = true
      rate_limit            = 500
      extra_args            = ["--random-data"]
      container_insights    = "enhanced"
    }
    iam  = { path = "/perf/", permissions_boundary = "arn:aws:iam::123456789012:policy/boundary" }
    tags = { team = "search" }
  }

  assert {
    condition     = length(setsubtract(["--tls", "--cluster-mode", "--rate-limiting=500", "--random-data", "--port=6380"], local.command)) == 0
    error_message = "TLS, cluster mode, rate and extra arguments reach memtier."
  }
  assert {
    condition     = length(regexall("BEGIN CERTIFICATE", local.environment.CA_PEM)) == 5
    error_message = "With TLS the tasks get the five roots of Amazon Trust Services."
  }
  assert {
    condition     = jsondecode(aws_ecs_task_definition.this.container_definitions)[0].secrets[0].name == "CACHE_AUTH_TOKEN" && !can(regex("battery", nonsensitive(aws_ecs_task_definition.this.container_definitions)))
    error_message = "The token is a secret of the task and not in its definition."
  }
  assert {
    condition     = aws_ssm_parameter.auth_token[0].type == "SecureString" && aws_ssm_parameter.auth_token[0].name == "/elasticache-perf/orders/auth-token"
    error_message = "The token is kept as a SecureString."
  }
  assert {
    condition = { for s in local.execution_statements : s.Sid => s.Resource } == {
      WriteLoadLog         = "arn:aws:logs:eu-central-1:123456789012:log-group:/elasticache-perf/orders/load:*"
      ReadAuthToken        = "arn:aws:ssm:eu-central-1:123456789012:parameter/elasticache-perf/orders/auth-token"
      ReadImageCredentials = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:docker-hub-AbCdEf"
      PullImage            = "arn:aws:ecr:us-west-2:210987654321:repository/perf/memtier_benchmark"
      FillPullThroughCache = "arn:aws:ecr:us-west-2:210987654321:repository/perf/memtier_benchmark"
      LogInToRegistry      = "*"
    }
    error_message = "Each option adds its own permission."
  }
  assert {
    condition     = aws_vpc_security_group_egress_rule.cache.cidr_ipv4 == "0.0.0.0/0" && aws_vpc_security_group_egress_rule.cache.from_port == 6380
    error_message = "A cache whose security group is not known is reached by its port."
  }
  assert {
    condition     = aws_iam_role.task.path == "/perf/" && aws_iam_role.execution.permissions_boundary == "arn:aws:iam::123456789012:policy/boundary" && aws_cloudwatch_log_group.insights[0].name == "/aws/ecs/containerinsights/orders/performance"
    error_message = "Path and boundary are on the roles; the log group of Container Insights is ours."
  }
  assert {
    condition     = !can(output.settings.ca_pem) && output.settings.threads == 16
    error_message = "The settings have the defaults and no certificates."
  }
}

run "own_roots" {
  command = plan
  variables {
    cache = { endpoint = "cache.example.com", tls = true }
    load  = { ca_pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" }
  }
  assert {
    condition     = startswith(local.environment.CA_PEM, "-----BEGIN CERTIFICATE-----\nMIIB")
    error_message = "ca_pem replaces Amazon's roots."
  }
}

run "cache_aside_is_the_default" {
  command = plan

  assert {
    condition     = length(setsubtract(["--ratio=1:16", "--data-size-list=24:4,83:4,171:4,329:4,587:2,916:1,2066:1", "--key-pattern=Z:Z", "--key-zipf-exp=1.14", "--key-maximum=100000", "--threads=1", "--pipeline=1", "--test-time=2400", "--server=cache.example.com"], local.command)) == 0 && length(local.command) == 13
    error_message = "16 reads to each write, sizes and skew of a study, one thread on one vCPU, and no further argument."
  }
  assert {
    condition     = output.settings.workload == "cache-aside" && output.settings.ratio == "1:16" && output.settings.data_size == 330 && output.settings.working_set_bytes == 33000000 && output.settings.threads == 1 && output.prefill_minutes == 0
    error_message = "The settings say what the workload filled in."
  }
  assert {
    condition     = alltrue([for name, w in local.workloads : length(w) == 12 && can(regex("^[A-Z].*[.]$", w.description)) && can(regex("^[A-Z].*[.]$", w.source)) && length([for v in [w.data_size, w.data_size_range, w.data_size_list] : v if v != null]) == 1])
    error_message = "Each workload has all of its values, one rule for sizes, a sentence and a source."
  }
}

run "write_heavy" {
  command = plan
  variables {
    load = { workload = "write-heavy" }
  }
  assert {
    condition     = length(setsubtract(["--ratio=4:1", "--expiry-range=299-300", "--key-zipf-exp=0.3", "--data-size=1030"], local.command)) == 0 && output.settings.workload == "write-heavy"
    error_message = "Four writes to each read, for five minutes."
  }
}

run "large_values" {
  command = plan
  variables {
    load = { workload = "large-values", task_count = 2 }
  }
  assert {
    condition     = contains(local.command, "--key-maximum=10000") && output.settings.data_size == 9421 && output.settings.working_set_bytes == 2 * 10000 * 9421
    error_message = "9 KB each on average; two tasks have twice the keys."
  }
}

run "session_store" {
  command = plan
  variables {
    load = { workload = "session-store" }
  }
  assert {
    condition     = length(setsubtract(["--ratio=1:5", "--expiry-range=900-1800"], local.command)) == 0 && join(" ", output.settings.extra_args) == "--data-size-list=512:2,1024:3,2048:3,4096:2 --expiry-range=900-1800 --key-zipf-exp=1.07"
    error_message = "Sessions expire, and the settings say all that memtier is told."
  }
}

run "what_is_set_beside_a_workload_wins" {
  command = plan
  variables {
    load = { workload = "session-store", ratio = "1:1", data_size = 10, key_pattern = "Z:Z", key_zipf_exp = 0.8, key_maximum = 20, pipeline = 3, expiry_range = "", threads = 3, extra_args = [] }
  }
  assert {
    condition     = length(setsubtract(["--data-size=10", "--ratio=1:1", "--key-pattern=Z:Z", "--key-zipf-exp=0.8", "--key-maximum=20", "--pipeline=3", "--threads=3"], local.command)) == 0 && !anytrue([for a in local.command : can(regex("expiry|data-size-list", a))])
    error_message = "A workload fills in only what is left out."
  }
}

run "prefill" {
  command = plan
  variables {
    load = { prefill = { minutes = 45 } }
  }
  assert {
    condition     = output.prefill_minutes == 45 && local.environment.PREFILL_REQUIRED == "1" && local.environment.PREFILL_SECONDS == "2700" && !can(local.environment.PREFILL_SERVER) && contains(local.command, "--test-time=5100")
    error_message = "The load lasts past its stop, however short the prefill was."
  }
}

run "prefill_by_default" {
  command = plan
  variables {
    load = { prefill = null }
  }
  assert {
    condition     = output.prefill_minutes == 0 && output.settings.prefill.minutes == null && local.environment.PREFILL_SECONDS == "300" && !can(local.environment.PREFILL_REQUIRED)
    error_message = "It takes of the run's own time, at most half, and does not fail the task."
  }
}

run "no_prefill" {
  command = plan
  variables {
    load  = { read_from = "replicas", ratio = "0:1", prefill = { minutes = 0 } }
    cache = { endpoint = "cache.example.com", reader_endpoint = "cache-ro.example.com" }
  }
  assert {
    condition     = output.prefill_minutes == 0 && !can(local.environment.PREFILL_SECONDS) && !can(local.environment.PREFILL_SERVER)
    error_message = "No key is written before the load."
  }
}

run "reads_from_replicas" {
  command = plan
  variables {
    cache = { endpoint = "cache.example.com", reader_endpoint = "cache-ro.example.com" }
    load  = { read_from = "replicas", ratio = "0:1" }
  }
  assert {
    condition     = contains(local.command, "--server=cache-ro.example.com") && local.environment.PREFILL_SERVER == "cache.example.com"
    error_message = "The load reads from the replicas, the prefill writes to the primary."
  }
}

run "writes_to_replicas" {
  command = plan
  variables {
    cache = { endpoint = "cache.example.com", reader_endpoint = "cache-ro.example.com" }
    load  = { read_from = "replicas" }
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "reads_from_replicas_that_are_not_there" {
  command = plan
  variables {
    load = { read_from = "replicas", ratio = "0:1" }
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "reads_from_replicas_in_cluster_mode" {
  command = plan
  variables {
    cache = { endpoint = "cache.example.com", reader_endpoint = "cache-ro.example.com", cluster_mode = true }
    load  = { read_from = "replicas", ratio = "0:1" }
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "reads_from_nowhere" {
  command = plan
  variables {
    load = { read_from = "replica" }
  }
  expect_failures = [var.load]
}

run "no_such_workload" {
  command = plan
  variables {
    load = { workload = "cache_aside" }
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "prefill_of_no_whole_minute" {
  command = plan
  variables {
    load = { prefill = { minutes = 0.5 } }
  }
  expect_failures = [var.load]
}

run "prefill_too_long" {
  command = plan
  variables {
    load = { prefill = { minutes = 241 } }
  }
  expect_failures = [var.load]
}

run "no_pipeline" {
  command = plan
  variables {
    load = { pipeline = 0 }
  }
  expect_failures = [var.load]
}

run "half_a_key" {
  command = plan
  variables {
    load = { key_maximum = 1.5 }
  }
  expect_failures = [var.load]
}

run "no_data" {
  command = plan
  variables {
    load = { data_size = 0 }
  }
  expect_failures = [var.load]
}

run "bad_name" {
  command = plan
  variables {
    name = "sg-orders"
  }
  expect_failures = [var.name]
}

run "too_many_subnets" {
  command = plan
  variables {
    subnet_ids = [for i in range(17) : format("subnet-%08x", i)]
  }
  expect_failures = [var.subnet_ids]
}

run "too_long" {
  command = plan
  variables {
    minutes = 1441
  }
  expect_failures = [var.minutes]
}

run "no_tasks" {
  command = plan
  variables {
    load = { task_count = 0 }
  }
  expect_failures = [var.load]
}

run "fargate_has_no_such_cpu" {
  command = plan
  variables {
    load = { cpu = 300 }
  }
  expect_failures = [var.load]
}

run "fargate_has_no_such_pair" {
  command = plan
  variables {
    load = { cpu = 8192, memory = 17408 }
  }
  expect_failures = [var.load]
}

run "bad_architecture" {
  command = plan
  variables {
    load = { architecture = "arm64" }
  }
  expect_failures = [var.load]
}

run "image_not_pinned" {
  command = plan
  variables {
    load = { image = "registry.example.com:5000/memtier_benchmark" }
  }
  expect_failures = [var.load]
}

run "image_latest" {
  command = plan
  variables {
    load = { image = "redislabs/memtier_benchmark:latest" }
  }
  expect_failures = [var.load]
}

run "bad_credentials" {
  command = plan
  variables {
    load = { image_credentials_arn = "docker-hub" }
  }
  expect_failures = [var.load]
}

run "no_threads" {
  command = plan
  variables {
    load = { threads = 0 }
  }
  expect_failures = [var.load]
}

run "too_many_connections" {
  command = plan
  variables {
    load = { task_count = 66, threads = 10, clients = 100 }
  }
  expect_failures = [var.load]
}

run "value_too_large" {
  command = plan
  variables {
    load = { data_size = 536870913 }
  }
  expect_failures = [var.load]
}

run "ratio_without_colon" {
  command = plan
  variables {
    load = { ratio = "10" }
  }
  expect_failures = [var.load]
}

run "ratio_of_nothing" {
  command = plan
  variables {
    load = { ratio = "0:0" }
  }
  expect_failures = [var.load]
}

run "bad_key_pattern" {
  command = plan
  variables {
    load = { key_pattern = "R:X" }
  }
  expect_failures = [var.load]
}

run "bad_rate" {
  command = plan
  variables {
    load = { rate_limit = 0.5 }
  }
  expect_failures = [var.load]
}

run "tag_without_a_value" {
  command = plan
  variables {
    tags = { team = "" }
  }
  expect_failures = [var.tags]
}

run "too_many_certificates" {
  command = plan
  variables {
    load = { ca_pem = join("", [for i in range(1000) : "-----BEGIN CERTIFICATE-----\nMIIB ${i} 012345678901234567890123456789\n"]) }
  }
  expect_failures = [var.load]
}

run "sizes_of_a_range" {
  command = plan
  variables {
    load = { data_size_range = "100-301", extra_args = ["-R"] }
  }
  assert {
    condition     = !anytrue([for a in local.command : startswith(a, "--data-size=")]) && local.environment.PREFILL_BYTES == "20100000" && output.settings.data_size == 201
    error_message = "The load's own size steps back, and the settings have the mean."
  }
}

run "sizes_of_a_list" {
  command = plan
  variables {
    load = { data_size_list = "10:3,50:1", key_pattern = "R:R" }
  }
  assert {
    condition     = !anytrue([for a in local.command : startswith(a, "--data-size=")]) && output.settings.data_size == 20 && contains(local.command, "--data-size-list=10:3,50:1") && !anytrue([for a in local.command : can(regex("zipf", a))])
    error_message = "The workload's own sizes step back, and so does its skew with a pattern that has none."
  }
}

run "hashes" {
  command = plan
  variables {
    load = { workload = "hashes" }
  }
  assert {
    condition     = !anytrue([for a in local.command : can(regex("^--(ratio|key-pattern)=", a))]) && contains(local.command, "--command=HGET __key__ field") && contains(local.command, "--key-zipf-exp=1.14") && !can(local.environment.PREFILL_SECONDS)
    error_message = "Commands have their own ratio and key pattern, and no prefill of strings."
  }
  assert {
    condition     = output.settings.ratio == null && join(", ", output.settings.commands) == "HSET __key__ field __data__, HGET __key__ field"
    error_message = "The settings say the commands."
  }
}

run "sorted_sets" {
  command = plan
  variables {
    load = { workload = "sorted-sets" }
  }
  assert {
    condition     = contains(local.command, "--data-size-range=8-107") && output.settings.data_size == 58 && length(output.settings.commands) == 2
    error_message = "100 members, told apart by their length."
  }
}

run "rate_limit_in_cluster_mode" {
  command = plan
  variables {
    cache = { endpoint = "cache.example.com", cluster_mode = true, shards = 3 }
    load  = { rate_limit = 100, task_count = 2, threads = 1, clients = 5 }
  }
  assert {
    condition     = output.requests_per_second == 3000
    error_message = "Each client has a connection to each shard, and the limit is of each."
  }
}

run "hot_keys" {
  command = plan
  variables {
    load = { workload = "hot-keys", cpu = 4096, memory = 8192 }
  }
  assert {
    condition     = length(setsubtract(["--ratio=1:99", "--data-size=212", "--key-zipf-exp=2.11", "--threads=4"], local.command)) == 0
    error_message = "A few keys take nearly all requests; threads follow the vCPUs."
  }
}

run "own_flags_have_names" {
  command = plan
  variables {
    load = { extra_args = ["--expiry-range=1-2"] }
  }
  expect_failures = [var.load]
}

run "range_the_wrong_way" {
  command = plan
  variables {
    load = { data_size_range = "300-100" }
  }
  expect_failures = [var.load]
}

run "list_without_weights" {
  command = plan
  variables {
    load = { data_size_list = "100,200" }
  }
  expect_failures = [var.load]
}

run "expiry_of_one_number" {
  command = plan
  variables {
    load = { expiry_range = "900" }
  }
  expect_failures = [var.load]
}

run "flat_zipf" {
  command = plan
  variables {
    load = { key_zipf_exp = 0 }
  }
  expect_failures = [var.load]
}

run "memtier_too_old" {
  command = plan
  variables {
    load = { image = "redislabs/memtier_benchmark:2.2.2" }
  }
  expect_failures = [var.load]
}

run "memtier_with_regressions" {
  command = plan
  variables {
    load = { image = "redislabs/memtier_benchmark:2.4.1" }
  }
  expect_failures = [var.load]
}

run "memtier_newer" {
  command = plan
  variables {
    load = { image = "registry.example.com:5000/memtier_benchmark:2.30.0" }
  }
}

run "parallel_for_one" {
  command = plan
  variables {
    load = { key_pattern = "P:R" }
  }
  expect_failures = [var.load]
}

run "short_flag_with_its_value" {
  command = plan
  variables {
    load = { extra_args = ["-c50"] }
  }
  expect_failures = [var.load]
}

run "short_password" {
  command = plan
  variables {
    load = { extra_args = ["-asecret"] }
  }
  expect_failures = [var.load]
}

run "flag_cut_short" {
  command = plan
  variables {
    load = { extra_args = ["--data-size-p=S"] }
  }
  expect_failures = [var.load]
}

run "staircase" {
  command = plan
  variables {
    load = { extra_args = ["--clients-start=1"] }
  }
  expect_failures = [var.load]
}

run "value_of_no_flag" {
  command = plan
  variables {
    load = { extra_args = ["--random-data", "100"] }
  }
  expect_failures = [var.load]
}

run "flag_without_its_value" {
  command = plan
  variables {
    load = { extra_args = ["--key-prefix", "--random-data"] }
  }
  expect_failures = [var.load]
}

run "two_rules_for_sizes" {
  command = plan
  variables {
    load = { data_size = 10, data_size_range = "1-2" }
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "commands_with_a_ratio" {
  command = plan
  variables {
    load = { ratio = "1:1", extra_args = ["--command", "GET __key__"] }
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "commands_with_a_prefill" {
  command = plan
  variables {
    load = { prefill = { minutes = 1 }, extra_args = ["--command=GET __key__"] }
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "ratio_of_no_command" {
  command = plan
  variables {
    load = { extra_args = ["--command-ratio=1"] }
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "parallel_for_one_command" {
  command = plan
  variables {
    load = { extra_args = ["--command=GET __key__", "--command-key-pattern=P", "--command=INCR __key__"] }
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "deviation_of_no_gauss" {
  command = plan
  variables {
    load = { extra_args = ["--key-stddev=5"] }
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "reconnects_in_cluster_mode" {
  command = plan
  variables {
    cache = { endpoint = "cache.example.com", cluster_mode = true }
    load  = { extra_args = ["--reconnect-interval=10"] }
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "extra_args_that_are_ours" {
  command = plan
  variables {
    load = { extra_args = ["--test-time=5"] }
  }
  expect_failures = [var.load]
}

run "bad_certificates" {
  command = plan
  variables {
    load = { ca_pem = "ca.pem" }
  }
  expect_failures = [var.load]
}

run "bad_insights" {
  command = plan
  variables {
    load = { container_insights = "on" }
  }
  expect_failures = [var.load]
}

run "token_without_tls" {
  command = plan
  variables {
    auth_token = "correct-horse-battery-staple"
  }
  expect_failures = [aws_ecs_task_definition.this]
}

run "further_egress" {
  command = plan
  variables {
    egress = { proxy = { cidr_ipv4 = "10.20.0.0/16", port = 3128 } }
  }
  assert {
    condition = alltrue([
      aws_vpc_security_group_egress_rule.further["proxy"].cidr_ipv4 == "10.20.0.0/16",
      aws_vpc_security_group_egress_rule.further["proxy"].from_port == 3128,
      aws_vpc_security_group_egress_rule.further["proxy"].to_port == 3128,
      aws_vpc_security_group_egress_rule.further["proxy"].ip_protocol == "tcp",
    ])
    error_message = "The tasks may reach the proxy's port, and no other."
  }
}

run "egress_to_a_name" {
  command = plan
  variables {
    egress = { proxy = { cidr_ipv4 = "proxy.example.com", port = 3128 } }
  }
  expect_failures = [var.egress]
}

run "what_other_roots_get" {
  assert {
    condition     = output.roles == { execution = aws_iam_role.execution.arn, task = aws_iam_role.task.arn } && output.task_definition_arn == aws_ecs_task_definition.this.arn && output.cluster_arn == aws_ecs_cluster.this.arn
    error_message = "Another root gets the cluster, the task definition and the roles."
  }
}
