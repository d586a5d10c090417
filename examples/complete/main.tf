# All four modules with most of their options: a Valkey cluster of two shards with replicas, TLS and a password, loaded
# by three tasks at 30,000 requests a second, in a root of its own. The repository's root is the same wiring with fewer words.

provider "aws" {
  default_tags {
    tags = { name = var.name, elasticache-perf = var.name, team = "search" } # elasticache-perf: the tag of all stacks, by which they are found
  }
}

module "cache" {
  source = "github.com/elasticache-perf/elasticache-perf//modules/cache?ref=v0.1.0"

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
  source = "github.com/elasticache-perf/elasticache-perf//modules/ecs-load?ref=v0.1.0"

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
    shards            = module.cache.settings.shards
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
    rate_limit         = 100 # of each connection, of which a client has one to each shard: 30,000 requests a second in all, as the output says
    ca_pem             = var.ca_pem
    container_insights = "enabled"
  }
}

module "scheduler" {
  source = "github.com/elasticache-perf/elasticache-perf//modules/scheduler?ref=v0.1.0"

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
    zip          = var.lambda_zip
    architecture = var.lambda_architecture
  }
}

module "dashboard" {
  source = "github.com/elasticache-perf/elasticache-perf//modules/dashboard?ref=v0.1.0"

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

output "requests_per_second" {
  description = "The most that the load's rate limit lets through."
  value       = module.load.requests_per_second
}

output "run" {
  description = "Id of the run; the exports are named after it."
  value       = module.scheduler.run
}

output "stops_at" {
  description = "When the load stops, RFC 3339."
  value       = module.scheduler.stops_at
}
