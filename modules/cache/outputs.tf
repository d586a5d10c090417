output "endpoint" {
  description = "Host that clients connect to: the configuration endpoint in cluster mode, else the primary's. Known once the cache is available and its clients may reach it."
  value       = local.cluster_mode ? aws_elasticache_replication_group.this.configuration_endpoint_address : aws_elasticache_replication_group.this.primary_endpoint_address
  depends_on  = [aws_vpc_security_group_ingress_rule.clients]
}

output "port" {
  description = "TCP port of every node."
  value       = var.cache.port
}

output "replication_group_id" {
  description = "Id of the replication group."
  value       = aws_elasticache_replication_group.this.id
}

output "engine_version_actual" {
  description = "Version that the nodes report, with its patch level."
  value       = aws_elasticache_replication_group.this.engine_version_actual
}

output "security_group_id" {
  description = "Security group of the nodes."
  value       = aws_security_group.this.id
}

# The outputs below are functions of the inputs: known in the plan, and nobody who reads them waits for the cache.

output "nodes" {
  description = "CacheClusterId of each node, as CloudWatch names it."
  value       = local.nodes
}

output "log_groups" {
  description = "Names of the log groups: `engine` and `slow`."
  value       = local.log_groups
}

output "settings" {
  description = "What was asked for, with every default filled in and without secrets."
  value       = merge(var.cache, { engine_version = local.engine_version, auth = local.auth })
}
