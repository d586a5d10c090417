locals {
  serverless = var.cache.serverless != null
  engine_version = coalesce(
    var.cache.engine_version,
    local.serverless ? (var.cache.engine == "redis" ? "7" : "8") : (var.cache.engine == "redis" ? "7.1" : "8.1"),
  )
  major = split(".", local.engine_version)[0]
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html
  family = "${var.cache.engine}${local.engine_version == "6.2" ? "6.x" : local.major}"

  # The engines' default, volatile-lru, only evicts keys with an expiry. A load of other keys that outgrows the node would get out-of-memory errors, and
  # the run would measure these. https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html
  parameters = merge({ maxmemory-policy = "allkeys-lru" }, var.cache.parameters)

  # The memory for keys of all shards. ElastiCache reserves a quarter by default. For a node type that is not in the table the memory is not known.
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/redis-memory-management.html
  memory_gib = { for row in csvdecode(file("${path.module}/node-memory.csv")) : row.node_type => tonumber(row.memory_gib) }
  memory_bytes = local.serverless ? null : try(floor(
    local.memory_gib[var.cache.node_type] * 1073741824 * coalesce(var.cache.shards, 1) *
    (100 - tonumber(lookup(local.parameters, "reserved-memory-percent", "25"))) / 100
  ), null)

  # A serverless cache requires TLS and runs in cluster mode:
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/WhatIs.corecomponents.html
  cluster_mode = local.serverless || var.cache.shards != null
  tls          = local.serverless || var.cache.transit_encryption
  auth         = nonsensitive(var.auth_token != null)

  # Member ids are derived from the name, so a dashboard or a policy need not wait for the nodes.
  replica_ids = local.serverless ? [] : range(1, 2 + var.cache.replicas)
  nodes = var.cache.shards != null ? flatten([
    for shard in range(1, 1 + var.cache.shards) : [for i in local.replica_ids : format("%s-%04d-%03d", var.name, shard, i)]
  ]) : [for i in local.replica_ids : format("%s-%03d", var.name, i)]

  # AWS delivers only the logs of nodes. AWS's resource policy for vended logs covers this prefix; another name would use up space in the account's
  # policies, which are limited: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
  log_groups = { for kind in ["engine", "slow"] : kind => "/aws/vendedlogs/elasticache/${var.name}/${kind}-log" if !local.serverless }

  # An hour, three days after the run's start, so that no node is replaced or patched during a run. Without a run AWS chooses.
  started = try(replace(var.run.id, "/T([0-9]+)-([0-9]+)-/", "T$1:$2:"), null)
  maintenance_window = var.cache.maintenance_window != null || var.run == null ? var.cache.maintenance_window : join("-", [
    for hours in ["72h", "73h"] : lower(formatdate("EEE:hh:mm", timeadd(local.started, hours)))
  ])
  # Without snapshots, ElastiCache still has a window for them, refuses one that overlaps with the maintenance window, and chooses one that can:
  # https://github.com/ministryofjustice/cloud-platform-environments/pull/5252
  snapshot_window = local.maintenance_window == null ? null : join("-", [
    for hours in ["1h", "2h"] : formatdate("hh:mm", timeadd("2000-01-01T${substr(local.maintenance_window, 14, 5)}:00Z", hours)) # after its end
  ])

  tags = merge(var.tags, var.run == null ? {} : { run = var.run.id })
  late = "The run ${try(var.run.id, "")} had to end by ${try(var.run.stop_by, "")}, so no new cache is created for it. Start a new run:\n  go tool mage deploy\nor terraform apply with -replace of the scheduler's aws_scheduler_schedule.watch."
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = local.log_groups

  name              = each.value
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_elasticache_subnet_group" "this" {
  count = local.serverless ? 0 : 1

  name        = var.name
  description = "Nodes of ${var.name}"
  subnet_ids  = var.subnet_ids
  tags        = var.tags
}

resource "aws_elasticache_parameter_group" "this" {
  count = local.serverless ? 0 : 1

  name        = var.name
  description = "Parameters of ${var.name}"
  family      = local.family
  tags        = var.tags

  dynamic "parameter" {
    for_each = merge(local.parameters, local.cluster_mode ? { cluster-enabled = "yes" } : {})

    content {
      name  = parameter.key
      value = parameter.value
    }
  }
}

resource "aws_security_group" "this" {
  name        = "${var.name}-cache"
  description = "Nodes of ${var.name}: reached by its clients only"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

locals {
  port = { # a serverless cache has a separate port for reads from replicas
    from = var.cache.port
    to   = local.serverless ? 6380 : var.cache.port
  }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = var.clients

  security_group_id            = aws_security_group.this.id
  referenced_security_group_id = each.value
  description                  = "From ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = local.port.from
  to_port                      = local.port.to
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "client_cidrs" {
  for_each = var.client_cidrs

  security_group_id = aws_security_group.this.id
  cidr_ipv4         = each.value
  description       = "From ${each.key}"
  ip_protocol       = "tcp"
  from_port         = local.port.from
  to_port           = local.port.to
  tags              = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "client_prefix_lists" {
  for_each = var.client_prefix_lists

  security_group_id = aws_security_group.this.id
  prefix_list_id    = each.value
  description       = "From ${each.key}"
  ip_protocol       = "tcp"
  from_port         = local.port.from
  to_port           = local.port.to
  tags              = var.tags
}

resource "aws_elasticache_replication_group" "this" {
  count = local.serverless ? 0 : 1

  replication_group_id = var.name
  description          = coalesce(var.cache.description, "Performance run of ${var.name}")
  engine               = var.cache.engine
  engine_version       = local.engine_version
  node_type            = var.cache.node_type
  port                 = var.cache.port
  parameter_group_name = aws_elasticache_parameter_group.this[0].name
  subnet_group_name    = aws_elasticache_subnet_group.this[0].name
  security_group_ids   = [aws_security_group.this.id]

  num_cache_clusters          = local.cluster_mode ? null : 1 + var.cache.replicas
  num_node_groups             = var.cache.shards
  replicas_per_node_group     = local.cluster_mode ? var.cache.replicas : null
  automatic_failover_enabled  = local.cluster_mode || var.cache.replicas > 0 # cluster mode requires it
  multi_az_enabled            = var.cache.multi_az
  preferred_cache_cluster_azs = var.cache.zones
  data_tiering_enabled        = startswith(var.cache.node_type, "cache.r6gd.") # r6gd requires it

  at_rest_encryption_enabled = var.cache.at_rest_encryption
  kms_key_id                 = var.cache.kms_key_arn
  transit_encryption_enabled = var.cache.transit_encryption
  auth_token                 = var.auth_token
  user_group_ids             = length(var.cache.user_group_ids) > 0 ? var.cache.user_group_ids : null
  auth_token_update_strategy = local.auth ? "SET" : null # provider 6 has no default; provider 5's is ROTATE, which keeps the old token valid

  # Set because the API, provider 5 and provider 6 have different defaults.
  apply_immediately          = var.cache.apply_immediately
  maintenance_window         = local.maintenance_window
  snapshot_window            = local.snapshot_window
  auto_minor_version_upgrade = false # measure the requested version
  snapshot_retention_limit   = 0     # a snapshot during the run would distort it

  dynamic "log_delivery_configuration" {
    for_each = aws_cloudwatch_log_group.this

    content {
      destination      = log_delivery_configuration.value.name
      destination_type = "cloudwatch-logs"
      log_format       = var.cache.log_format
      log_type         = "${log_delivery_configuration.key}-log"
    }
  }

  tags = local.tags

  lifecycle {
    # A parameter group has a fixed family, and cannot be replaced while a cache uses it.
    replace_triggered_by = [aws_elasticache_parameter_group.this[0].family]

    precondition {
      condition     = local.auth ? var.cache.transit_encryption : true
      error_message = "An auth token needs TLS: set cache.transit_encryption = true, or leave auth_token out."
    }
    # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
    precondition {
      condition     = length(var.cache.user_group_ids) > 0 ? var.cache.transit_encryption && !local.auth : true
      error_message = "RBAC needs TLS and takes no auth token: set cache.transit_encryption = true and leave auth_token out, or leave out cache.user_group_ids."
    }
    # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html
    precondition {
      condition     = !(var.cache.engine == "redis" && can(regex("^cache\\.(c8gn|m8g|r8g)\\.", var.cache.node_type)))
      error_message = "ElastiCache for Redis OSS has no ${var.cache.node_type}: c8gn, m8g and r8g are for Valkey. Set cache.engine = \"valkey\", or use a 7th generation node type."
    }
    # timestamp() is unknown at plan time, so this is checked during apply.
    precondition {
      condition     = var.run == null ? true : timecmp(timestamp(), var.run.stop_by) < 0
      error_message = local.late
    }
  }
}
