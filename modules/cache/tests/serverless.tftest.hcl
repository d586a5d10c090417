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
  variables {
    cache   = { serverless = {}, kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }
    clients = { load = "sg-0123456789abcdef1" }
    tags    = { team = "search" }
    run     = { id = "2026-11-23T03-08-09Z", stop_by = "2026-11-23T05:08:09Z" }
  }

  assert {
    condition = alltrue([
      aws_elasticache_serverless_cache.this[0].name == "orders",
      aws_elasticache_serverless_cache.this[0].engine == "valkey",
      aws_elasticache_serverless_cache.this[0].major_engine_version == "8",
      aws_elasticache_serverless_cache.this[0].snapshot_retention_limit == 0,
      aws_elasticache_serverless_cache.this[0].kms_key_id == var.cache.kms_key_arn,
      aws_elasticache_serverless_cache.this[0].tags == tomap({ team = "search", run = "2026-11-23T03-08-09Z" }),
      length(aws_elasticache_serverless_cache.this[0].cache_usage_limits) == 0,
    ])
    error_message = "The default is Valkey 8 without limits or snapshots, with the tags and its run."
  }
  assert {
    condition     = length(aws_elasticache_replication_group.this) + length(aws_elasticache_parameter_group.this) + length(aws_elasticache_subnet_group.this) + length(aws_cloudwatch_log_group.this) == 0
    error_message = "A serverless cache has no nodes, and nothing of theirs."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients["load"].from_port == 6379 && aws_vpc_security_group_ingress_rule.clients["load"].to_port == 6380
    error_message = "Reads have a port of their own."
  }
  assert {
    condition     = output.tls && output.cluster_mode && output.port == 6379 && output.serverless_cache == "orders" && output.replication_group_id == null && output.reader_endpoint == null && length(output.nodes) + length(output.log_groups) == 0
    error_message = "What clients have to speak is known in the plan."
  }
  assert {
    condition     = output.settings.serverless != null && output.settings.transit_encryption && output.settings.node_type == null && output.settings.replicas == null
    error_message = "The settings say that it is serverless, and no node type."
  }
}

run "with_limits" {
  command = plan
  variables {
    cache = { engine = "redis", engine_version = "7", serverless = { max_storage_gb = 10, min_ecpu_per_second = 1000, max_ecpu_per_second = 50000 } }
  }

  assert {
    condition     = aws_elasticache_serverless_cache.this[0].major_engine_version == "7" && output.settings.engine_version == "7"
    error_message = "Redis OSS is version 7."
  }
  assert {
    condition = alltrue([
      aws_elasticache_serverless_cache.this[0].cache_usage_limits[0].data_storage[0].maximum == 10,
      aws_elasticache_serverless_cache.this[0].cache_usage_limits[0].data_storage[0].minimum == null,
      aws_elasticache_serverless_cache.this[0].cache_usage_limits[0].data_storage[0].unit == "GB",
      aws_elasticache_serverless_cache.this[0].cache_usage_limits[0].ecpu_per_second[0].minimum == 1000,
      aws_elasticache_serverless_cache.this[0].cache_usage_limits[0].ecpu_per_second[0].maximum == 50000,
    ])
    error_message = "The limits that are set, and no others."
  }
}

run "in_time" {
  variables {
    cache = { serverless = { max_ecpu_per_second = 1000 } }
    run   = { id = "2026-11-23T03-08-09Z", stop_by = "2999-01-01T00:00:00Z" }
  }
  override_resource {
    target = aws_elasticache_serverless_cache.this
    values = { endpoint = [{ address = "orders.serverless.example", port = 6379 }] }
  }
  assert {
    condition     = output.endpoint == "orders.serverless.example" && length(aws_elasticache_serverless_cache.this[0].cache_usage_limits[0].data_storage) == 0
    error_message = "Clients use the cache's one endpoint; a limit that is not set is left out."
  }
}

run "too_late" {
  variables {
    cache = { serverless = {} }
    run   = { id = "2026-11-23T03-08-09Z", stop_by = "2026-11-23T05:08:09Z" }
  }
  override_resource {
    target = aws_elasticache_serverless_cache.this
    values = { endpoint = [{ address = "orders.serverless.example", port = 6379 }] }
  }
  expect_failures = [aws_elasticache_serverless_cache.this]
}

run "with_a_token" {
  command = plan
  variables {
    cache      = { serverless = {} }
    auth_token = "correct-horse-battery-staple"
  }
  expect_failures = [aws_elasticache_serverless_cache.this]
}

run "in_one_subnet" {
  command = plan
  variables {
    cache      = { serverless = {} }
    subnet_ids = ["subnet-0123456789abcdef0"]
  }
  expect_failures = [aws_elasticache_serverless_cache.this]
}

run "of_a_minor_version" {
  command = plan
  variables {
    cache = { engine_version = "8.1", serverless = {} }
  }
  expect_failures = [var.cache]
}

run "redis_8" {
  command = plan
  variables {
    cache = { engine = "redis", engine_version = "8", serverless = {} }
  }
  expect_failures = [var.cache]
}

run "with_shards" {
  command = plan
  variables {
    cache = { shards = 2, serverless = {} }
  }
  expect_failures = [var.cache]
}

run "with_replicas" {
  command = plan
  variables {
    cache = { replicas = 1, serverless = {} }
  }
  expect_failures = [var.cache]
}

run "with_a_node_type" {
  command = plan
  variables {
    cache = { node_type = "cache.m7g.large", serverless = {} }
  }
  expect_failures = [var.cache]
}

run "with_parameters" {
  command = plan
  variables {
    cache = { parameters = { maxmemory-policy = "allkeys-lru" }, serverless = {} }
  }
  expect_failures = [var.cache]
}

run "on_another_port" {
  command = plan
  variables {
    cache = { port = 7000, serverless = {} }
  }
  expect_failures = [var.cache]
}

run "without_encryption" {
  command = plan
  variables {
    cache = { at_rest_encryption = false, serverless = {} }
  }
  expect_failures = [var.cache]
}

run "with_json_logs" {
  command = plan
  variables {
    cache = { log_format = "json", serverless = {} }
  }
  expect_failures = [var.cache]
}

run "of_too_much" {
  command = plan
  variables {
    cache = { serverless = { max_storage_gb = 5001 } }
  }
  expect_failures = [var.cache]
}

run "of_too_little" {
  command = plan
  variables {
    cache = { serverless = { max_ecpu_per_second = 999 } }
  }
  expect_failures = [var.cache]
}

run "upside_down" {
  command = plan
  variables {
    cache = { serverless = { min_storage_gb = 20, max_storage_gb = 10 } }
  }
  expect_failures = [var.cache]
}
