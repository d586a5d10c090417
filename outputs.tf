output "cloudwatch_dashboard_url" {
  description = "Address of the run's dashboard in the AWS console."
  value       = module.dashboard.url
}

output "run" {
  description = "Id of the run: {date} in the names of the exported objects."
  value       = module.scheduler.run
}

output "stops_at" {
  description = "When the load stops, RFC 3339."
  value       = module.scheduler.stops_at

  # Not a validation of the variable: before Terraform 1.9 that cannot refer to other variables.
  precondition {
    condition     = local.minutes <= 1440
    error_message = "A run has a maximum of 1440 minutes (24 hours): with ${module.load.prefill_minutes} of load.prefill.minutes, test_duration_minutes can be at most ${1440 - module.load.prefill_minutes}."
  }
}

output "stop_by" {
  description = "When the run ends in any case, RFC 3339."
  value       = module.scheduler.stop_by
}

output "metrics_export_location" {
  description = "Where the exported objects are: metrics/RUN.csv, logs/RUN.txt and manifest/RUN.json below it."
  value       = "s3://${var.metrics_export_s3_bucket}/${var.metrics_export_s3_prefix}/"
}

output "cache_endpoint" {
  description = "Host of the cache."
  value       = local.existing ? var.existing_cache.endpoint : module.cache[0].endpoint

  precondition {
    condition     = !local.existing || alltrue([for v in values(var.cache) : v == null])
    error_message = "The inputs cache and existing_cache exclude each other: leave cache out to load the existing one, or existing_cache to make a new one."
  }
}

output "cache_memory_bytes" {
  description = "Memory that the keys of a new cache may take before it evicts; null if it is not known."
  value       = one(module.cache[*].memory_bytes)

  # The minimum that the keys need: each takes some 120 bytes besides its value (docs/workloads.md).
  precondition {
    condition = anytrue([
      try(startswith(module.cache[0].settings.parameters["maxmemory-policy"], "allkeys-"), true), one(module.cache[*].memory_bytes) == null,
      module.load.settings.task_count * module.load.settings.key_maximum * (module.load.settings.data_size + 120) <= coalesce(one(module.cache[*].memory_bytes), 0),
    ])
    error_message = "The load's ${module.load.settings.task_count * module.load.settings.key_maximum} keys need at least ${ceil(module.load.settings.task_count * module.load.settings.key_maximum * (module.load.settings.data_size + 120) / 1000000)} MB, and the cache has ${floor(coalesce(one(module.cache[*].memory_bytes), 0) / 1000000)} MB for them. With maxmemory-policy ${try(module.cache[0].settings.parameters["maxmemory-policy"], "")} keys without an expiry are not evicted, and writes would be refused as out of memory: set load.key_maximum lower, take a larger cache, or leave cache.parameters.maxmemory-policy out, which is allkeys-lru."
  }
}

output "cache_port" {
  description = "TCP port of the cache."
  value       = local.existing ? var.existing_cache.port : module.cache[0].port
}

output "cache_engine_version" {
  description = "Version that the cache reports; null for an existing one."
  value       = one(module.cache[*].engine_version_actual)
}

output "replication_group_id" {
  description = "Id of the cache's replication group; null for a serverless cache and for one that is only an endpoint."
  value       = local.existing ? var.existing_cache.replication_group_id : module.cache[0].replication_group_id
}

output "load_zones" {
  description = "Availability Zones of the load's subnets."
  value       = sort(distinct([for id in local.load_subnets : data.aws_subnet.this[id].availability_zone]))

  precondition {
    condition     = var.load_zones != "cache" || local.one_node || length(local.cache_zones) > 0 && local.existing
    error_message = "With load_zones = \"cache\" the zones of the cache must be known before the load: a new cache of one node, or an existing_cache with replication_group_id. To keep a larger cache and its load in one zone, use subnet_ids in one zone."
  }
  precondition {
    condition     = local.load_zones != "cache" || length(local.near_cache) > 0
    error_message = "None of the subnet_ids is in a zone of the cache's nodes (${join(", ", local.cache_zones)}): add one, or set load_zones = \"all\"."
  }
}

output "ecs_cluster_name" {
  description = "ECS cluster of the load."
  value       = module.load.cluster_name
}

output "ecs_service_name" {
  description = "ECS service of the load."
  value       = module.load.service_name
}

output "log_groups" {
  description = "Log groups: `load` and `lambda`, and `engine` and `slow` for a cache with nodes that the stack created."
  value       = merge({ load = module.load.log_group, lambda = module.scheduler.log_group }, local.cache.log_groups)
}

output "lambda_function_name" {
  description = "Lambda that ends the run."
  value       = module.scheduler.function_name
}
