# Two of the modules in a root that knows nothing of the rest: an application's own, with its own way to name, tag and find
# things: a cache that is thrown away after the trial, and a load on it. There is no scheduler here, so nothing stops load or
# cache: they run, and cost, until terraform destroy.

provider "aws" {
  default_tags {
    tags = { application = var.application, team = "orders", component = "none" }
  }
}

locals {
  tags = { team = "orders", cost-center = "4711" } # team again: the same tag from both sides is no difference
}

data "aws_vpc" "this" {
  tags = { Name = var.vpc }
}

data "aws_subnets" "private" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.this.id]
  }
  tags = { Name = var.subnets }
}

module "cache" {
  source = "github.com/elasticache-perf/elasticache-perf//modules/cache?ref=v0.1.0"

  name       = "${var.application}-trial"
  vpc_id     = data.aws_vpc.this.id
  subnet_ids = data.aws_subnets.private.ids
  clients    = { trial = module.load.security_group_id }
  tags       = merge(local.tags, { component = "cache" }) # and what is said here counts more

  cache = { engine = "valkey", replicas = 1 }
}

module "load" {
  source = "github.com/elasticache-perf/elasticache-perf//modules/ecs-load?ref=v0.1.0"

  name       = "${var.application}-trial"
  vpc_id     = data.aws_vpc.this.id
  subnet_ids = data.aws_subnets.private.ids
  run        = var.trial
  minutes    = 60
  tags       = merge(local.tags, { component = "load" })

  cache = {
    endpoint          = module.cache.endpoint
    port              = module.cache.port
    security_group_id = module.cache.security_group_id
  }
  load = { threads = 1, clients = 8, data_size = 512, ratio = "1:4", rate_limit = 100 }
}

output "address" {
  description = "Where the load connects, and whatever else is tried on the cache."
  value       = "${module.cache.endpoint}:${module.cache.port}"
}

output "log_group" {
  description = "The log group of what the load prints."
  value       = module.load.log_group
}
