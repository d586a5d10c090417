output "url" {
  description = "Address of the dashboard in the AWS console."
  value       = "https://${local.region}.${lookup(local.console, data.aws_partition.current.partition, "console.aws.amazon.com")}/cloudwatch/home?region=${local.region}#dashboards/dashboard/${aws_cloudwatch_dashboard.this.dashboard_name}"
}
