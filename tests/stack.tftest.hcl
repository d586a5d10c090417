# The modules have tests of their own; these hold what the root adds: wiring, its own bounds, messages that users meet.

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
  mock_data "aws_subnet" {
    defaults = { vpc_id = "vpc-0123456789abcdef0" }
  }
}

override_data {
  target = data.aws_subnet.this["subnet-0123456789abcdef0"]
  values = { id = "subnet-0123456789abcdef0", vpc_id = "vpc-0123456789abcdef0", availability_zone = "eu-central-1b" }
}

override_data {
  target = data.aws_subnet.this["subnet-0123456789abcdef1"]
  values = { id = "subnet-0123456789abcdef1", vpc_id = "vpc-0123456789abcdef0", availability_zone = "eu-central-1a" }
}

variables {
  vpc_id                   = "vpc-0123456789abcdef0"
  subnet_ids               = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  metrics_export_s3_bucket = "my-exports"
}

run "keys_that_do_not_fit_and_are_not_evicted" {
  command = plan
  variables {
    cache = { parameters = { maxmemory-policy = "volatile-lru" } }
    load  = { key_maximum = 2000000 }
  }
  expect_failures = [output.cache_memory_bytes]
}

run "keys_that_do_not_fit_and_are_evicted" {
  command = plan
  variables {
    load = { key_maximum = 2000000 }
  }
  assert {
    condition     = output.cache_memory_bytes == 402653184
    error_message = "A load that is evicted is one to measure."
  }
}

run "defaults" {
  command = plan

  assert {
    condition     = output.metrics_export_location == "s3://my-exports/exports/" && output.ecs_cluster_name == "elasticache-perf" && output.ecs_service_name == "elasticache-perf-load" && output.cache_port == 6379
    error_message = "The stack is named elasticache-perf and exports below exports/."
  }
  assert {
    condition = output.log_groups == {
      load   = "/elasticache-perf/elasticache-perf/load"
      lambda = "/aws/lambda/elasticache-perf-stop"
      engine = "/aws/vendedlogs/elasticache/elasticache-perf/engine-log"
      slow   = "/aws/vendedlogs/elasticache/elasticache-perf/slow-log"
    }
    error_message = "All log groups are known in the plan."
  }
  assert {
    condition     = module.cache[0].settings.node_type == "cache.t4g.micro" && module.load.settings.image == "redislabs/memtier_benchmark:2.5.1"
    error_message = "What the root leaves out, the modules fill in."
  }
}

run "everything" {
  command = plan
  variables {
    name                       = "orders"
    aws_region                 = "eu-central-1"
    test_duration_minutes      = 1440
    metrics_period_seconds     = 5
    metrics_export_s3_prefix   = "team/exports"
    metrics_export_kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    tags                       = { team = "search" }
    iam                        = { path = "/perf/" }
    cache                      = { engine = "redis", shards = 2, replicas = 1, multi_az = true, transit_encryption = true, parameters = { maxmemory-policy = "allkeys-lru" } }
    load                       = { task_count = 3, cpu = 2048, memory = 4096, rate_limit = 100, extra_args = ["--random-data"] }
    auth_token                 = "correct-horse-battery-staple"
    lambda_architecture        = "x86_64"
    notifications              = { email = "team@example.com" }
  }
  assert {
    condition     = module.cache[0].settings.engine_version == "7.1" && module.cache[0].settings.auth && length(module.cache[0].nodes) == 4 && module.load.settings.task_count == 3
    error_message = "The objects reach their modules."
  }
  assert {
    condition     = local.tags == { team = "search", name = "orders", elasticache-perf = "orders" }
    error_message = "The provider tags everything with the stack's name, also under the key that is common to all stacks."
  }
}

run "one_node_and_its_load_share_a_zone" {
  command = plan
  assert {
    condition     = join(",", output.load_zones) == "eu-central-1b" && join(",", local.cache_subnets) == "subnet-0123456789abcdef0" && join(",", local.load_subnets) == "subnet-0123456789abcdef0"
    error_message = "Node and tasks are in the zone of the first subnet, which is known in the plan."
  }
}

run "one_node_in_cluster_mode" {
  command = plan
  variables {
    subnet_ids = ["subnet-0123456789abcdef1", "subnet-0123456789abcdef0"]
    cache      = { shards = 1 }
  }
  assert {
    condition     = join(",", output.load_zones) == "eu-central-1a" && join(",", local.cache_subnets) == "subnet-0123456789abcdef1"
    error_message = "A shard without replicas is one node, too."
  }
}

run "all_zones_when_asked" {
  command = plan
  variables {
    load_zones = "all"
  }
  assert {
    condition     = length(local.load_subnets) == 2 && length(local.cache_subnets) == 2
    error_message = "ElastiCache chooses the zone, and the load runs in all."
  }
}

run "many_nodes_in_all_zones" {
  command = plan
  variables {
    cache = { replicas = 1 }
  }
  assert {
    condition     = join(",", output.load_zones) == "eu-central-1a,eu-central-1b" && length(local.cache_subnets) == 2
    error_message = "Several nodes are spread over the zones, and so is the load."
  }
}

run "the_zone_of_many_nodes" {
  command = plan
  variables {
    cache      = { replicas = 1 }
    load_zones = "cache"
  }
  expect_failures = [output.load_zones]
}

run "unknown_zones" {
  command = plan
  variables {
    load_zones = "eu-central-1a"
  }
  expect_failures = [var.load_zones]
}

run "the_zone_of_an_existing_cache" {
  command = plan
  variables {
    existing_cache = { endpoint = "master.orders.example", replication_group_id = "orders" }
    load_zones     = "cache"
  }
  override_data {
    target = data.aws_elasticache_replication_group.this
    values = { member_clusters = ["orders-001"], node_type = "cache.m7g.large" }
  }
  override_data {
    target = data.aws_elasticache_cluster.this
    values = { availability_zone = "eu-central-1a" }
  }
  assert {
    condition     = join(",", local.load_subnets) == "subnet-0123456789abcdef1"
    error_message = "The load runs in the zone of the existing cache's node."
  }
}

run "a_day_with_a_prefill" {
  command = plan
  variables {
    test_duration_minutes = 1435
    load                  = { prefill = { minutes = 5 } }
  }
}

run "more_than_a_day_with_a_prefill" {
  command = plan
  variables {
    test_duration_minutes = 1436
    load                  = { prefill = { minutes = 5 } }
  }
  expect_failures = [output.stops_at]
}

run "serverless" {
  command = plan
  variables {
    cache = { serverless = { max_ecpu_per_second = 50000 } }
  }
  assert {
    condition     = module.cache[0].serverless_cache == "elasticache-perf" && output.replication_group_id == null && output.log_groups == { load = "/elasticache-perf/elasticache-perf/load", lambda = "/aws/lambda/elasticache-perf-stop" }
    error_message = "A serverless cache has no replication group and no logs of nodes."
  }
}

run "existing_cache" {
  command = plan
  variables {
    existing_cache = { endpoint = "master.orders.example", port = 6390, tls = true, security_group_id = "sg-0123456789abcdef0", replication_group_id = "orders" }
    auth_token     = "correct-horse-battery-staple"
  }
  override_data {
    target = data.aws_elasticache_replication_group.this
    values = { member_clusters = ["orders-002", "orders-001"], node_type = "cache.m7g.large" }
  }
  assert {
    condition     = length(module.cache) == 0 && output.cache_endpoint == "master.orders.example" && output.cache_port == 6390 && output.replication_group_id == "orders" && output.cache_engine_version == null
    error_message = "No cache is made: the load gets the existing one."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.this[0].security_group_id == "sg-0123456789abcdef0" && aws_vpc_security_group_ingress_rule.this[0].from_port == 6390 && aws_vpc_security_group_ingress_rule.this[0].to_port == 6390
    error_message = "The cache's group lets the load in on the cache's port."
  }
  assert {
    condition     = join(" ", local.cache.nodes) == "orders-001 orders-002" && local.cache.node_type == "cache.m7g.large"
    error_message = "The dashboard knows the nodes."
  }
  assert {
    condition     = jsondecode(local.cache.settings).existing && jsondecode(local.cache.settings).transit_encryption && jsondecode(local.cache.settings).auth && !strcontains(local.cache.settings, "battery")
    error_message = "The manifest says that it was an existing cache with a token, and not which."
  }
}

run "existing_serverless_cache" {
  command = plan
  variables {
    existing_cache = { endpoint = "orders.serverless.example", tls = true, cluster_mode = true, serverless_cache = "orders" }
  }
  assert {
    condition     = local.cache.serverless == "orders" && length(local.cache.nodes) == 0 && local.cache.node_type == null && length(aws_vpc_security_group_ingress_rule.this) == 0
    error_message = "Without a group's id no group is changed."
  }
}

run "existing_endpoint" {
  command = plan
  variables {
    existing_cache = { endpoint = "10.0.0.7" }
  }
  assert {
    condition     = output.replication_group_id == null && local.cache.serverless == null && length(local.cache.nodes) == 0
    error_message = "An endpoint alone will do."
  }
}

run "existing_and_new_cache" {
  command = plan
  variables {
    existing_cache = { endpoint = "10.0.0.7" }
    cache          = { replicas = 1 }
  }
  expect_failures = [output.cache_endpoint]
}

run "existing_cache_with_a_port_in_the_endpoint" {
  command = plan
  variables {
    existing_cache = { endpoint = "master.orders.example:6379" }
  }
  expect_failures = [var.existing_cache]
}

run "existing_cache_on_port_0" {
  command = plan
  variables {
    existing_cache = { endpoint = "10.0.0.7", port = 0 }
  }
  expect_failures = [var.existing_cache]
}

run "existing_cache_with_a_group_by_name" {
  command = plan
  variables {
    existing_cache = { endpoint = "10.0.0.7", security_group_id = "orders-cache" }
  }
  expect_failures = [var.existing_cache]
}

run "existing_cache_with_an_arn" {
  command = plan
  variables {
    existing_cache = { endpoint = "10.0.0.7", replication_group_id = "arn:aws:elasticache:us-east-1:123456789012:replicationgroup:orders" }
  }
  expect_failures = [var.existing_cache]
}

run "existing_cache_of_both_kinds" {
  command = plan
  variables {
    existing_cache = { endpoint = "10.0.0.7", tls = true, cluster_mode = true, replication_group_id = "orders", serverless_cache = "orders" }
  }
  expect_failures = [var.existing_cache]
}

run "existing_serverless_cache_without_tls" {
  command = plan
  variables {
    existing_cache = { endpoint = "orders.serverless.example", serverless_cache = "orders" }
  }
  expect_failures = [var.existing_cache]
}

run "prefill_and_replicas" {
  command = plan
  variables {
    test_duration_minutes = 20
    cache                 = { replicas = 1 }
    load                  = { workload = "session-store", ratio = "0:1", read_from = "replicas", prefill = { minutes = 5 } }
  }
  assert {
    condition     = module.load.prefill_minutes == 5 && module.load.settings.data_size == 1844 && module.load.settings.ratio == "0:1"
    error_message = "Workload, what is set beside it, and prefill reach the load, whose reader endpoint is not known yet."
  }
}

run "no_bucket" {
  command = plan
  variables {
    metrics_export_s3_bucket = ""
  }
  expect_failures = [var.metrics_export_s3_bucket]
}

run "subnet_of_another_vpc" {
  command = plan
  override_data {
    target = data.aws_subnet.this["subnet-0123456789abcdef0"]
    values = { vpc_id = "vpc-0fedcba9876543210" }
  }
  expect_failures = [data.aws_subnet.this]
}

run "not_a_vpc" {
  command = plan
  variables {
    vpc_id = "default"
  }
  expect_failures = [var.vpc_id]
}

run "one_subnet_twice" {
  command = plan
  variables {
    subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef0"]
  }
  expect_failures = [var.subnet_ids]
}

run "not_a_subnet" {
  command = plan
  variables {
    subnet_ids = ["10.0.0.0/24"]
  }
  expect_failures = [var.subnet_ids]
}

run "longer_than_a_day" {
  command = plan
  variables {
    test_duration_minutes = 1441
  }
  expect_failures = [var.test_duration_minutes]
}

run "part_of_a_minute" {
  command = plan
  variables {
    test_duration_minutes = 0.5
  }
  expect_failures = [var.test_duration_minutes]
}

run "period_that_does_not_divide_a_day" {
  command = plan
  variables {
    metrics_period_seconds = 420
  }
  expect_failures = [var.metrics_period_seconds]
}

run "odd_period" {
  command = plan
  variables {
    metrics_period_seconds = 45
  }
  expect_failures = [var.metrics_period_seconds]
}

run "name_too_long_for_a_replication_group" {
  command = plan
  variables {
    name = "a12345678901234567890123456789012345678901"
  }
  expect_failures = [var.name]
}

run "prefix_with_a_slash_first" {
  command = plan
  variables {
    metrics_export_s3_prefix = "/lead"
  }
  expect_failures = [var.metrics_export_s3_prefix]
}

run "prefix_that_leads_up" {
  command = plan
  variables {
    metrics_export_s3_prefix = ".."
  }
  expect_failures = [var.metrics_export_s3_prefix]
}

run "prefix_with_a_part_that_leads_up" {
  command = plan
  variables {
    metrics_export_s3_prefix = "a/../b"
  }
  expect_failures = [var.metrics_export_s3_prefix]
}

run "prefix_with_a_slash_last" {
  command = plan
  variables {
    metrics_export_s3_prefix = "exports/"
  }
  expect_failures = [var.metrics_export_s3_prefix]
}

run "bucket_in_upper_case" {
  command = plan
  variables {
    metrics_export_s3_bucket = "My_Bucket"
  }
  expect_failures = [var.metrics_export_s3_bucket]
}

run "key_by_alias" {
  command = plan
  variables {
    metrics_export_kms_key_arn = "alias/exports"
  }
  expect_failures = [var.metrics_export_kms_key_arn]
}

run "nobody_as_an_address" {
  command = plan
  variables {
    notifications = { email = "nobody" }
  }
  expect_failures = [var.notifications]
}

run "path_without_slashes" {
  command = plan
  variables {
    iam = { path = "perf" }
  }
  expect_failures = [var.iam]
}

run "boundary_by_name" {
  command = plan
  variables {
    iam = { permissions_boundary = "boundary" }
  }
  expect_failures = [var.iam]
}

run "tag_without_a_value" {
  command = plan
  variables {
    tags = { team = "" }
  }
  expect_failures = [var.tags]
}

run "tags_that_differ_in_case" {
  command = plan
  variables {
    tags = { team = "a", Team = "b" }
  }
  expect_failures = [var.tags]
}

run "tag_of_other_characters" {
  command = plan
  variables {
    tags = { team = "a|b" }
  }
  expect_failures = [var.tags]
}

run "tag_that_the_stack_sets" {
  command = plan
  variables {
    tags = { Name = "orders" }
  }
  expect_failures = [var.tags]
}

run "tag_of_all_stacks" {
  command = plan
  variables {
    tags = { elasticache-perf = "orders" }
  }
  expect_failures = [var.tags]
}

run "unknown_architecture" {
  command = plan
  variables {
    lambda_architecture = "amd64"
  }
  expect_failures = [var.lambda_architecture]
}
