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
}

output "stop_by" {
  description = "When the run is ended in any case, RFC 3339."
  value       = module.scheduler.stop_by
}

output "metrics_export_location" {
  description = "Where the exported objects are: metrics/RUN.csv, logs/RUN.txt and manifest/RUN.json below it."
  value       = "s3://${var.metrics_export_s3_bucket}/${var.metrics_export_s3_prefix}/"
}

output "cache_endpoint" {
  description = "Host of the cache."
  value       = module.cache.endpoint
}

output "cache_port" {
  description = "TCP port of the cache."
  value       = module.cache.port
}

output "cache_engine_version" {
  description = "Version that the cache's nodes report."
  value       = module.cache.engine_version_actual
}

output "replication_group_id" {
  description = "Id of the cache's replication group."
  value       = module.cache.replication_group_id
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
  description = "Log groups: `load`, `engine`, `slow` and `lambda`."
  value       = merge({ load = module.load.log_group, lambda = module.scheduler.log_group }, module.cache.log_groups)
}

output "lambda_function_name" {
  description = "Lambda that ends the run."
  value       = module.scheduler.function_name
}
