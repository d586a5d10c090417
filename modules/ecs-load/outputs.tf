output "service_id" {
  description = "ARN of the service, known once its tasks run; a replaced service has a new one in the plan."
  value       = aws_ecs_service.this.id
}

output "security_group_id" {
  description = "Security group of the tasks, for the cache to let in."
  value       = aws_security_group.this.id
}

output "cluster_arn" {
  description = "ARN of the ECS cluster."
  value       = aws_ecs_cluster.this.arn
}

output "task_definition_arn" {
  description = "ARN of the task definition, with its revision."
  value       = aws_ecs_task_definition.this.arn
}

output "roles" {
  description = "ARNs of the roles by what they are for: `execution` starts the tasks, `task` is what they run as."
  value       = { execution = aws_iam_role.execution.arn, task = aws_iam_role.task.arn }
}

output "base" {
  description = "Name of the ECS cluster, known once everything exists that the tasks need to write logs: what uses this output is destroyed before that."
  value       = aws_ecs_cluster.this.name
  depends_on = [
    aws_cloudwatch_log_group.load,
    aws_iam_role_policy.execution,
    aws_vpc_security_group_egress_rule.dns,
    aws_vpc_security_group_egress_rule.further,
    aws_vpc_security_group_egress_rule.https,
  ]
}

# The outputs below depend on inputs only: they are known at plan time, and using them does not wait for the service.

output "cluster_name" {
  description = "Name of the ECS cluster."
  value       = var.name
}

output "service_name" {
  description = "Name of the ECS service."
  value       = local.service
}

output "log_group" {
  description = "Name of the tasks' log group."
  value       = local.log_group
  depends_on  = [aws_cloudwatch_log_group.load] # the log outlives everything that uses its name
}

output "settings" {
  description = "The settings, with every default and the workload filled in and without certificates; `working_set_bytes` is task_count x key_maximum x data_size. With commands of its own the load has neither ratio nor key pattern; with several sizes, `data_size` is the mean."
  value = merge({ for k, v in var.load : k => v if k != "ca_pem" }, local.workload, {
    commands          = local.commands
    working_set_bytes = var.load.task_count * local.workload.key_maximum * local.workload.data_size
  })
}

# Not part of the settings: it depends on the cache, and the cache waits for the resources that use the settings.
output "requests_per_second" {
  description = "Requests per second of all tasks that `rate_limit` allows at most; null without it."
  # In cluster mode a client has a connection to each shard, and the limit applies to each.
  value = (var.load.rate_limit == null || var.cache.cluster_mode && var.cache.shards == null ? null :
    var.load.rate_limit * var.load.task_count * local.workload.threads * var.load.clients * (var.cache.cluster_mode ? var.cache.shards : 1)
  )
}

output "prefill_minutes" {
  description = "Minutes that the prefill gets before the measured load, 0 if it gets none: whatever stops the load has to add them."
  value       = local.prefill_minutes
}
