output "run" {
  description = "Id of the run, `YYYY-MM-DDThh-mm-ssZ`, from the preflight's answer: what needs it is not created before the preflight has passed."
  value       = jsondecode(aws_lambda_invocation.preflight.result).run
  depends_on  = [aws_lambda_invocation.destroyed]
}

output "stop_by" {
  description = "RFC 3339 time by which `watch` ends the run in any case."
  value       = local.clock.stop_by
}

output "stops_at" {
  description = "RFC 3339 time of the run's stop, known once the load is steady."
  value       = "${trimsuffix(trimprefix(aws_scheduler_schedule.stop.schedule_expression, "at("), ")")}Z"
}

output "function_name" {
  description = "Name of the Lambda."
  value       = aws_lambda_function.this.function_name
}

output "log_group" {
  description = "Name of the Lambda's log group."
  value       = local.log_group
}
