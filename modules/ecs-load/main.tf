data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

locals {
  region    = lookup(data.aws_region.current, "region", data.aws_region.current.name) # provider 6 renamed it
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  service   = "${var.name}-load"
  log_group = "/elasticache-perf/${var.name}/load"
  parameter = "/elasticache-perf/${var.name}/auth-token"
  auth      = nonsensitive(var.auth_token != null)
}

resource "aws_cloudwatch_log_group" "load" {
  name              = local.log_group
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

# Otherwise Container Insights creates this group itself, without a retention, and leaves it behind. It writes for some minutes after the last task. The
# scheduler's `destroyed` waits for that, and mage removes a group that AWS recreates anyway.
resource "aws_cloudwatch_log_group" "insights" {
  count = var.load.container_insights == "disabled" ? 0 : 1

  name              = "/aws/ecs/containerinsights/${var.name}/performance"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_ecs_cluster" "this" {
  name = var.name
  tags = var.tags

  setting {
    name  = "containerInsights"
    value = var.load.container_insights
  }

  depends_on = [aws_cloudwatch_log_group.insights]
}

resource "aws_ecs_service" "this" {
  name             = local.service
  cluster          = aws_ecs_cluster.this.id
  task_definition  = aws_ecs_task_definition.this.arn
  launch_type      = "FARGATE" # not Fargate Spot: README.md says why
  platform_version = "LATEST"
  desired_count    = var.load.task_count
  propagate_tags   = "SERVICE"
  tags             = var.tags

  availability_zone_rebalancing      = "DISABLED" # it would stop tasks in the middle of a run
  deployment_minimum_healthy_percent = 0          # a changed load replaces the old one; they never run together
  deployment_maximum_percent         = 100
  enable_ecs_managed_tags            = true
  wait_for_steady_state              = true # dependents wait until the load runs

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = var.load.assign_public_ip
  }

  # Stops retrying tasks that fail to start. The provider does not notice the failure and waits, hence the timeout.
  deployment_circuit_breaker {
    enable   = true
    rollback = false
  }

  timeouts {
    create = "10m"
    update = "10m"
    delete = "10m"
  }

  lifecycle {
    ignore_changes       = [desired_count] # the stop sets it to 0
    replace_triggered_by = [aws_ecs_task_definition.this.arn]
  }

  depends_on = [
    aws_iam_role_policy.execution,
    aws_vpc_security_group_egress_rule.cache,
    aws_vpc_security_group_egress_rule.dns,
    aws_vpc_security_group_egress_rule.further,
    aws_vpc_security_group_egress_rule.https,
  ]
}
