mock_provider "aws" {
  mock_resource "aws_security_group" {
    defaults = { id = "sg-0123456789abcdef0" }
  }
}

variables {
  name       = "orders"
  vpc_id     = "vpc-0123456789abcdef0"
  subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
}

run "defaults" {
  command = plan

  assert {
    condition = alltrue([
      aws_elasticache_replication_group.this[0].engine == "valkey",
      aws_elasticache_replication_group.this[0].engine_version == "8.1",
      aws_elasticache_replication_group.this[0].node_type == "cache.t4g.micro",
      aws_elasticache_replication_group.this[0].num_cache_clusters == 1,
      aws_elasticache_replication_group.this[0].automatic_failover_enabled == false,
      aws_elasticache_parameter_group.this[0].family == "valkey8",
    ])
    error_message = "The default is one node of Valkey 8.1 on cache.t4g.micro, cluster mode off."
  }
  assert {
    condition = alltrue([
      tobool(aws_elasticache_replication_group.this[0].at_rest_encryption_enabled),
      aws_elasticache_replication_group.this[0].apply_immediately,
      aws_elasticache_replication_group.this[0].snapshot_retention_limit == 0,
      !tobool(aws_elasticache_replication_group.this[0].auto_minor_version_upgrade),
      !aws_elasticache_replication_group.this[0].data_tiering_enabled,
    ])
    error_message = "What differs between versions of API and provider is written."
  }
  assert {
    condition     = { for l in aws_elasticache_replication_group.this[0].log_delivery_configuration : l.log_type => l.destination } == { engine-log = "/aws/vendedlogs/elasticache/orders/engine-log", slow-log = "/aws/vendedlogs/elasticache/orders/slow-log" }
    error_message = "Engine log and slow log go to groups under /aws/vendedlogs/."
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.clients) == 0
    error_message = "Without clients nothing may reach the cache."
  }
  assert {
    condition     = aws_elasticache_replication_group.this[0].tags == null || length(aws_elasticache_replication_group.this[0].tags) == 0
    error_message = "A cache without a run has no tag run."
  }
  assert {
    condition     = join(" ", output.nodes) == "orders-001" && !output.settings.auth && output.settings.engine_version == "8.1" && !output.tls && !output.cluster_mode && output.serverless_cache == null
    error_message = "Nodes, settings and what clients have to speak are known in the plan."
  }
  assert {
    condition     = one(aws_elasticache_parameter_group.this[0].parameter).value == "allkeys-lru" && output.settings.parameters["maxmemory-policy"] == "allkeys-lru"
    error_message = "A load that outgrows the cache is evicted, and not refused."
  }
  assert {
    condition     = output.memory_bytes == 402653184
    error_message = "A cache.t4g.micro has 0.5 GiB, of which a quarter is kept."
  }
  assert {
    condition     = output.reader_endpoint == null && length(aws_elasticache_serverless_cache.this) == 0
    error_message = "One node has no replicas to read from, and is not serverless."
  }
}

run "redis_with_a_replica" {
  command = plan
  variables {
    cache      = { engine = "redis", replicas = 1, multi_az = true, port = 6380, parameters = { maxmemory-policy = "allkeys-lru" }, log_format = "json" }
    auth_token = null
    clients    = { load = "sg-0123456789abcdef1" }
    tags       = { team = "search" }
    run        = { id = "2026-11-23T03-08-09Z", stop_by = "2026-11-23T05:08:09Z" }
  }

  assert {
    condition = alltrue([
      aws_elasticache_replication_group.this[0].engine_version == "7.1",
      aws_elasticache_parameter_group.this[0].family == "redis7",
      aws_elasticache_replication_group.this[0].num_cache_clusters == 2,
      aws_elasticache_replication_group.this[0].automatic_failover_enabled,
      aws_elasticache_replication_group.this[0].multi_az_enabled,
    ])
    error_message = "A replica brings failover, redis defaults to 7.1."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients["load"].from_port == 6380 && aws_vpc_security_group_ingress_rule.clients["load"].referenced_security_group_id == "sg-0123456789abcdef1"
    error_message = "The client's group is let in on the cache's port."
  }
  assert {
    condition     = aws_elasticache_replication_group.this[0].tags == tomap({ team = "search", run = "2026-11-23T03-08-09Z" })
    error_message = "The cache carries the tags and its run."
  }
  assert {
    condition     = join(" ", output.nodes) == "orders-001 orders-002"
    error_message = "Cluster mode off: NAME-001, NAME-002."
  }
}

run "cluster_mode" {
  command = plan
  variables {
    cache = { shards = 2, replicas = 1, engine_version = "9.0", node_type = "cache.r8g.large" }
  }

  assert {
    condition = alltrue([
      aws_elasticache_replication_group.this[0].num_node_groups == 2,
      aws_elasticache_replication_group.this[0].replicas_per_node_group == 1,
      aws_elasticache_replication_group.this[0].automatic_failover_enabled,
      aws_elasticache_parameter_group.this[0].family == "valkey9",
      contains([for p in aws_elasticache_parameter_group.this[0].parameter : "${p.name}=${p.value}"], "cluster-enabled=yes"),
    ])
    error_message = "Shards turn cluster mode on, with failover and the parameter cluster-enabled."
  }
  assert {
    condition     = join(" ", output.nodes) == "orders-0001-001 orders-0001-002 orders-0002-001 orders-0002-002"
    error_message = "Cluster mode on: NAME-SHARD-NODE."
  }
}

run "tls_and_login" {
  command = plan
  variables {
    cache      = { engine = "redis", engine_version = "6.2", transit_encryption = true }
    auth_token = "correct-horse-battery-staple"
  }

  assert {
    condition     = aws_elasticache_replication_group.this[0].transit_encryption_enabled && aws_elasticache_replication_group.this[0].auth_token_update_strategy == "SET" && aws_elasticache_parameter_group.this[0].family == "redis6.x"
    error_message = "TLS is on and the token replaces its predecessor."
  }
  assert {
    condition     = output.settings.auth && !can(regex("battery", jsonencode(output.settings)))
    error_message = "The settings say that there is a token, and not which."
  }
}

run "data_tiering" {
  command = plan
  variables {
    cache = { node_type = "cache.r6gd.xlarge" }
  }
  assert {
    condition     = aws_elasticache_replication_group.this[0].data_tiering_enabled
    error_message = "r6gd comes with data tiering."
  }
}

run "in_time" {
  variables {
    run = { id = "2026-11-23T03-08-09Z", stop_by = "2999-01-01T00:00:00Z" }
  }
  assert {
    condition     = output.endpoint == aws_elasticache_replication_group.this[0].primary_endpoint_address
    error_message = "Without cluster mode clients use the primary's endpoint."
  }
}

run "too_late" {
  variables {
    run = { id = "2026-11-23T03-08-09Z", stop_by = "2026-11-23T05:08:09Z" }
  }
  expect_failures = [aws_elasticache_replication_group.this]
}

run "name_too_long" {
  command = plan
  variables {
    name = "a12345678901234567890123456789012345678901"
  }
  expect_failures = [var.name]
}

run "name_with_double_hyphen" {
  command = plan
  variables {
    name = "orders--cache"
  }
  expect_failures = [var.name]
}

run "no_subnets" {
  command = plan
  variables {
    subnet_ids = []
  }
  expect_failures = [var.subnet_ids]
}

run "unknown_engine" {
  command = plan
  variables {
    cache = { engine = "memcached" }
  }
  expect_failures = [var.cache]
}

run "version_of_the_other_engine" {
  command = plan
  variables {
    cache = { engine = "redis", engine_version = "8.1" }
  }
  expect_failures = [var.cache]
}

run "version_with_patch" {
  command = plan
  variables {
    cache = { engine_version = "8.1.0" }
  }
  expect_failures = [var.cache]
}

run "old_node_type" {
  command = plan
  variables {
    cache = { node_type = "cache.t2.micro" }
  }
  expect_failures = [var.cache]
}

run "node_type_not_for_redis" {
  command = plan
  variables {
    cache = { engine = "redis", node_type = "cache.m8g.large" }
  }
  expect_failures = [aws_elasticache_replication_group.this]
}

run "no_shards" {
  command = plan
  variables {
    cache = { shards = 0 }
  }
  expect_failures = [var.cache]
}

run "too_many_replicas" {
  command = plan
  variables {
    cache = { replicas = 6 }
  }
  expect_failures = [var.cache]
}

run "too_many_nodes" {
  command = plan
  variables {
    cache = { shards = 251, replicas = 1 }
  }
  expect_failures = [var.cache]
}

run "multi_az_without_replica" {
  command = plan
  variables {
    cache = { multi_az = true }
  }
  expect_failures = [var.cache]
}

run "port_too_high" {
  command = plan
  variables {
    cache = { port = 65536 }
  }
  expect_failures = [var.cache]
}

run "cluster_enabled_by_hand" {
  command = plan
  variables {
    cache = { parameters = { cluster-enabled = "yes" } }
  }
  expect_failures = [var.cache]
}

run "key_without_encryption" {
  command = plan
  variables {
    cache = { at_rest_encryption = false, kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
  }
  expect_failures = [var.cache]
}

run "unknown_log_format" {
  command = plan
  variables {
    cache = { log_format = "xml" }
  }
  expect_failures = [var.cache]
}

run "short_token" {
  command = plan
  variables {
    cache      = { transit_encryption = true }
    auth_token = "short"
  }
  expect_failures = [var.auth_token]
}

run "token_without_tls" {
  command = plan
  variables {
    auth_token = "correct-horse-battery-staple"
  }
  expect_failures = [aws_elasticache_replication_group.this]
}

# The run starts on Monday, 23 November 2026.
run "maintenance_is_outside_of_the_run" {
  command = plan
  variables {
    run = { id = "2026-11-23T23-30-09Z", stop_by = "2999-01-01T00:00:00Z" }
  }
  assert {
    condition     = aws_elasticache_replication_group.this[0].maintenance_window == "thu:23:30-fri:00:30"
    error_message = "Maintenance is due three days after the run's start, for an hour."
  }
  assert {
    condition     = aws_elasticache_replication_group.this[0].snapshot_window == "01:30-02:30"
    error_message = "The window for snapshots is after maintenance, also over midnight: ElastiCache's own choice can overlap, and then it refuses the cache."
  }
}

run "aws_chooses_both_windows" {
  command = plan
  variables {
    run = null
  }
  assert {
    condition     = local.maintenance_window == null && local.snapshot_window == null
    error_message = "Without a run there is nothing to keep them out of."
  }
}

run "what_other_roots_set" {
  command = plan
  variables {
    cache = {
      replicas           = 1
      transit_encryption = true
      user_group_ids     = ["orders"]
      zones              = ["us-east-1b", "us-east-1a"]
      maintenance_window = "sun:05:00-sun:06:00"
      description        = "A trial"
      apply_immediately  = false
    }
    client_cidrs        = { office = "10.20.0.0/16" }
    client_prefix_lists = { vpn = "pl-0123456789abcdef0" }
  }
  assert {
    condition = (aws_elasticache_replication_group.this[0].maintenance_window == "sun:05:00-sun:06:00" && aws_elasticache_replication_group.this[0].description == "A trial" &&
      !aws_elasticache_replication_group.this[0].apply_immediately && aws_elasticache_replication_group.this[0].preferred_cache_cluster_azs == tolist(["us-east-1b", "us-east-1a"]) &&
    aws_elasticache_replication_group.this[0].user_group_ids == toset(["orders"]))
    error_message = "A root has its own way."
  }
  assert {
    condition     = aws_elasticache_replication_group.this[0].snapshot_window == "07:00-08:00"
    error_message = "The window for snapshots keeps clear of a root's own maintenance window."
  }
  assert {
    condition = (aws_vpc_security_group_ingress_rule.client_cidrs["office"].cidr_ipv4 == "10.20.0.0/16" && aws_vpc_security_group_ingress_rule.client_cidrs["office"].to_port == 6379 &&
    aws_vpc_security_group_ingress_rule.client_prefix_lists["vpn"].prefix_list_id == "pl-0123456789abcdef0")
    error_message = "Clients by address and by prefix list reach the port of the cache."
  }
}

run "rbac_without_tls" {
  command = plan
  variables {
    cache = { user_group_ids = ["orders"] }
  }
  expect_failures = [aws_elasticache_replication_group.this]
}

run "not_an_address" {
  command = plan
  variables {
    client_cidrs = { office = "office" }
  }
  expect_failures = [var.client_cidrs]
}

run "zones_of_a_cluster" {
  command = plan
  variables {
    cache = { shards = 1, zones = ["us-east-1a"] }
  }
  expect_failures = [var.cache]
}

run "no_hour_of_the_day" {
  command = plan
  variables {
    cache = { maintenance_window = "sun:23:00-sun:24:00" }
  }
  expect_failures = [var.cache]
}

run "no_maintenance_window" {
  command = plan
  variables {
    cache = { maintenance_window = "Sunday" }
  }
  expect_failures = [var.cache]
}
