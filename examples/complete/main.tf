# All four modules with most of their options: a Valkey cluster of two shards with replicas, TLS and a password, loaded
# by three tasks at a fixed rate, in a root of its own. The repository's root is the same wiring with fewer words.

provider "aws" {
  default_tags {
    tags = { name = var.name, team = "search" }
  }
}

module "cache" {
  source = "../../modules/cache"

  name       = var.name
  vpc_id     = var.vpc_id
  subnet_ids = var.subnet_ids
  auth_token = var.auth_token
  clients    = { load = module.load.security_group_id }
  run        = { id = module.scheduler.run, stop_by = module.scheduler.stop_by }

  cache = {
    engine             = "valkey"
    engine_version     = "8.1"
    node_type          = "cache.m7g.large"
    shards             = 2
    replicas           = 1
    multi_az           = true
    transit_encryption = true
    parameters         = { maxmemory-policy = "allkeys-lru" }
    log_format         = "json"
  }
}

module "load" {
  source = "../../modules/ecs-load"

  name       = var.name
  vpc_id     = var.vpc_id
  subnet_ids = var.subnet_ids
  run        = module.scheduler.run
  minutes    = var.minutes
  auth_token = var.auth_token

  cache = {
    endpoint          = module.cache.endpoint
    port              = module.cache.port
    cluster_mode      = true
    tls               = true
    security_group_id = module.cache.security_group_id
  }

  load = {
    task_count         = 3
    cpu                = 2048
    memory             = 4096
    threads            = 2
    clients            = 25
    pipeline           = 4
    data_size          = 1024
    ratio              = "1:10"
    key_pattern        = "G:G"
    key_maximum        = 100000
    rate_limit         = 200
    ca_pem             = var.ca_pem
    container_insights = "enabled"
  }
}

module "scheduler" {
  source = "../../modules/scheduler"

  name          = var.name
  minutes       = var.minutes
  service_id    = module.load.service_id
  load_base     = module.load.base
  settings      = jsonencode({ cache = module.cache.settings, load = module.load.settings })
  notifications = var.email == null ? null : { email = var.email }

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
  lambda = {
    zip          = "${path.root}/../../build/lambda-${var.lambda_architecture}.zip"
    architecture = var.lambda_architecture
  }
}

module "dashboard" {
  source = "../../modules/dashboard"

  name      = var.name
  nodes     = module.cache.nodes
  node_type = module.cache.settings.node_type
  facts     = { run = module.scheduler.run, cache = "2 shards of Valkey 8.1 with a replica each" }

  load = {
    cluster   = module.load.cluster_name
    service   = module.load.service_name
    log_group = module.load.log_group
  }
}

output "dashboard" {
  description = "Address of the dashboard in the AWS console."
  value       = module.dashboard.url
}

output "run" {
  description = "Id of the run; the exports are named after it."
  value       = module.scheduler.run
}

output "stops_at" {
  description = "When the load stops, RFC 3339."
  value       = module.scheduler.stops_at
}
