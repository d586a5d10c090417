output "endpoint" {
  description = "Host that clients connect to: the configuration endpoint in cluster mode, else the primary's. Known once the cache is available and its clients may reach it."
  value = local.serverless ? one(aws_elasticache_serverless_cache.this[*].endpoint[0].address) : (
    local.cluster_mode ?
    one(aws_elasticache_replication_group.this[*].configuration_endpoint_address) :
    one(aws_elasticache_replication_group.this[*].primary_endpoint_address)
  )
  depends_on = [
    aws_vpc_security_group_ingress_rule.clients,
    aws_vpc_security_group_ingress_rule.client_cidrs,
    aws_vpc_security_group_ingress_rule.client_prefix_lists,
  ]
}

output "reader_endpoint" {
  description = "Host that spreads connections over the replicas; null without replicas and in cluster mode, which has no such host."
  value       = var.cache.replicas > 0 && !local.cluster_mode ? one(aws_elasticache_replication_group.this[*].reader_endpoint_address) : null
  depends_on = [
    aws_vpc_security_group_ingress_rule.clients,
    aws_vpc_security_group_ingress_rule.client_cidrs,
    aws_vpc_security_group_ingress_rule.client_prefix_lists,
  ]
}

output "replication_group_id" {
  description = "Id of the replication group; null for a serverless cache."
  value       = one(aws_elasticache_replication_group.this[*].id)
}

output "arn" {
  description = "ARN of the replication group or the serverless cache."
  value       = local.serverless ? one(aws_elasticache_serverless_cache.this[*].arn) : one(aws_elasticache_replication_group.this[*].arn)
}

output "engine_version_actual" {
  description = "Version that the cache reports, with its patch level."
  value = (local.serverless ?
    one(aws_elasticache_serverless_cache.this[*].full_engine_version) :
    one(aws_elasticache_replication_group.this[*].engine_version_actual)
  )
}

output "security_group_id" {
  description = "Security group of the nodes."
  value       = aws_security_group.this.id
}

# The outputs below depend on inputs only: they are known at plan time, and using them does not wait for the cache.

output "port" {
  description = "TCP port of every node."
  value       = var.cache.port
}

output "tls" {
  description = "Whether clients must speak TLS."
  value       = local.tls
}

output "cluster_mode" {
  description = "Whether clients must speak the cluster protocol."
  value       = local.cluster_mode
}

output "serverless_cache" {
  description = "Name of the serverless cache, as CloudWatch's dimension `clusterId` has it; null for nodes."
  value       = local.serverless ? var.name : null
}

output "nodes" {
  description = "CacheClusterId of each node, as CloudWatch names it; none for a serverless cache."
  value       = local.nodes
}

output "memory_bytes" {
  description = "Memory that the keys of all shards may take before the cache evicts; null for a serverless cache and for a node type that is not known."
  value       = local.memory_bytes
}

output "log_groups" {
  description = "Names of the log groups: `engine` and `slow`; none for a serverless cache."
  value       = local.log_groups
  depends_on  = [aws_cloudwatch_log_group.this] # the logs outlive everything that uses their names
}

output "parameter_group_name" {
  description = "Name of the parameter group; null for a serverless cache."
  value       = local.serverless ? null : var.name
}

output "subnet_group_name" {
  description = "Name of the subnet group; null for a serverless cache."
  value       = local.serverless ? null : var.name
}

output "settings" {
  description = "The settings, with every default filled in, without secrets and without what does not affect a measurement; what a serverless cache does not have is null."
  value = merge({ for k, v in var.cache : k => v if !contains(["description", "apply_immediately", "user_group_ids", "maintenance_window"], k) }, {
    engine_version     = local.engine_version
    transit_encryption = local.tls
    auth               = local.auth
    node_type          = local.serverless ? null : var.cache.node_type
    replicas           = local.serverless ? null : var.cache.replicas
    multi_az           = local.serverless ? null : var.cache.multi_az
    parameters         = local.serverless ? null : local.parameters
    log_format         = local.serverless ? null : var.cache.log_format
  })
}
