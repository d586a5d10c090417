# A root that has nothing of this repository: modules of a release by its version, and the release's zip by its checksum. No Go is needed.

provider "aws" {
  default_tags {
    tags = { name = var.name, elasticache-perf = var.name } # elasticache-perf: the tag of all stacks, by which they are found
  }
}

module "cache" {
  source = "https://github.com/elasticache-perf/elasticache-perf/releases/download/v0.1.0/terraform.tar.gz//modules/cache"

  name       = var.name
  vpc_id     = var.vpc_id
  subnet_ids = var.subnet_ids
  clients    = { load = module.load.security_group_id }
  run        = { id = module.scheduler.run, stop_by = module.scheduler.stop_by }
}

module "load" {
  source = "https://github.com/elasticache-perf/elasticache-perf/releases/download/v0.1.0/terraform.tar.gz//modules/ecs-load"

  name       = var.name
  vpc_id     = var.vpc_id
  subnet_ids = var.subnet_ids
  run        = module.scheduler.run
  minutes    = var.minutes
  load       = var.load

  cache = {
    endpoint          = module.cache.endpoint
    port              = module.cache.port
    security_group_id = module.cache.security_group_id
  }
}

module "scheduler" {
  source = "https://github.com/elasticache-perf/elasticache-perf/releases/download/v0.1.0/terraform.tar.gz//modules/scheduler"

  name       = var.name
  minutes    = var.minutes
  service_id = module.load.service_id
  load_base  = module.load.base
  settings   = jsonencode({ cache = module.cache.settings, load = module.load.settings })

  load = {
    cluster   = module.load.cluster_name
    service   = module.load.service_name
    log_group = module.load.log_group
  }
  cache = {
    replication_group = var.name
    log_groups        = module.cache.log_groups
  }
  export = { bucket = var.bucket }
  lambda = var.lambda
}

output "run" {
  description = "Id of the run; the exports are named after it."
  value       = module.scheduler.run
}

output "stops_at" {
  description = "When the load stops, RFC 3339."
  value       = module.scheduler.stops_at
}
