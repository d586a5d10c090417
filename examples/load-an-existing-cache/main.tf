# Load and exports for a cache that is yours already, in a root of your own: modules ecs-load, scheduler and dashboard, and one
# rule in the cache's security group. Nothing here may change or delete the cache.

provider "aws" {
  default_tags {
    tags = { name = var.name, elasticache-perf = var.name } # elasticache-perf: the tag of all stacks, by which they are found
  }
}

data "aws_elasticache_replication_group" "this" {
  replication_group_id = var.replication_group_id
}

# Lets the load in as long as this root is applied.
resource "aws_vpc_security_group_ingress_rule" "load" {
  security_group_id            = var.security_group_id
  referenced_security_group_id = module.load.security_group_id
  description                  = "From the load of ${var.name}"
  ip_protocol                  = "tcp"
  from_port                    = data.aws_elasticache_replication_group.this.port
  to_port                      = data.aws_elasticache_replication_group.this.port
}

module "load" {
  source = "github.com/elasticache-perf/elasticache-perf//modules/ecs-load?ref=v0.1.0"

  name       = var.name
  vpc_id     = var.vpc_id
  subnet_ids = var.subnet_ids
  run        = module.scheduler.run
  minutes    = var.minutes
  auth_token = var.auth_token

  cache = {
    endpoint = coalesce(
      data.aws_elasticache_replication_group.this.configuration_endpoint_address,
      data.aws_elasticache_replication_group.this.primary_endpoint_address,
    )
    port              = data.aws_elasticache_replication_group.this.port
    cluster_mode      = try(length(data.aws_elasticache_replication_group.this.configuration_endpoint_address) > 0, false)
    tls               = var.tls
    security_group_id = aws_vpc_security_group_ingress_rule.load.security_group_id # of the rule, so that it is there before the load
  }

  load = { task_count = 1, threads = 2, clients = 10, data_size = 512, ratio = "1:10" }
}

module "scheduler" {
  source = "github.com/elasticache-perf/elasticache-perf//modules/scheduler?ref=v0.1.0"

  name       = var.name
  minutes    = var.minutes
  service_id = module.load.service_id
  load_base  = module.load.base
  settings   = jsonencode({ cache = { existing = true, node_type = data.aws_elasticache_replication_group.this.node_type }, load = module.load.settings })

  load = {
    cluster   = module.load.cluster_name
    service   = module.load.service_name
    log_group = module.load.log_group
  }
  cache  = { replication_group = var.replication_group_id, delete = false } # nor is the Lambda permitted to delete it
  export = { bucket = var.bucket }
  lambda = { zip = var.lambda_zip, architecture = var.lambda_architecture }
}

module "dashboard" {
  source = "github.com/elasticache-perf/elasticache-perf//modules/dashboard?ref=v0.1.0"

  name      = var.name
  nodes     = sort(data.aws_elasticache_replication_group.this.member_clusters)
  node_type = data.aws_elasticache_replication_group.this.node_type
  facts     = { run = module.scheduler.run, cache = "${var.replication_group_id}, which is not of this stack" }

  load = {
    cluster   = module.load.cluster_name
    service   = module.load.service_name
    log_group = module.load.log_group
  }
}

output "run" {
  description = "Id of the run: {date} in the names of the exported objects."
  value       = module.scheduler.run
}

output "dashboard" {
  description = "Address of the dashboard in the AWS console."
  value       = module.dashboard.url
}

output "stops_at" {
  description = "When the load stops, RFC 3339."
  value       = module.scheduler.stops_at
}
