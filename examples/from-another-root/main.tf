# Two of the modules in a root that knows nothing of the rest: an application's own, with its own way to name, tag and find
# things. There is no scheduler here, so nothing stops load or cache: they run, and cost, until terraform destroy.

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

module "sessions" {
  source = "../../modules/cache" # elsewhere: "github.com/elasticache-perf/elasticache-perf//modules/cache?ref=..."

  name       = "${var.application}-sessions"
  vpc_id     = data.aws_vpc.this.id
  subnet_ids = data.aws_subnets.private.ids
  clients    = { trial = module.trial.security_group_id }
  tags       = merge(local.tags, { component = "sessions" }) # and what is said here counts more

  cache = { engine = "valkey", replicas = 1 }
}

module "trial" {
  source = "../../modules/ecs-load"

  name       = "${var.application}-trial"
  vpc_id     = data.aws_vpc.this.id
  subnet_ids = data.aws_subnets.private.ids
  run        = var.trial
  minutes    = 60
  tags       = merge(local.tags, { component = "trial" })

  cache = {
    endpoint          = module.sessions.endpoint
    port              = module.sessions.port
    security_group_id = module.sessions.security_group_id
  }
  load = { threads = 1, clients = 8, data_size = 512, ratio = "1:4", rate_limit = 100 }
}

# The application finds the cache by this parameter.
resource "aws_ssm_parameter" "sessions" {
  name  = "/${var.application}/sessions/address"
  type  = "String"
  value = "${module.sessions.endpoint}:${module.sessions.port}"
  tags  = local.tags
}

output "address" {
  description = "Where the application connects."
  value       = "${module.sessions.endpoint}:${module.sessions.port}"
}

output "log_group" {
  description = "The log group of what the load prints."
  value       = module.trial.log_group
}
