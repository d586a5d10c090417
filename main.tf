# What waits for what follows from values: the cache and the tasks take `run` from the scheduler, so the Lambda, the
# watch schedule and the preflight are there before anything is billed; the stop takes the id of the steady service.

data "aws_subnet" "this" {
  for_each = toset(var.subnet_ids)

  id = each.value

  lifecycle {
    postcondition {
      condition     = self.vpc_id == var.vpc_id
      error_message = "The subnet ${self.id} is in ${self.vpc_id}, not in ${var.vpc_id}: take subnets of the vpc_id."
    }
  }
}

locals {
  subnet_ids = [for s in data.aws_subnet.this : s.id] # through the data source, so that they are checked first
}

module "cache" {
  source = "./modules/cache"

  name       = var.name
  vpc_id     = var.vpc_id
  subnet_ids = local.subnet_ids
  cache      = var.cache
  auth_token = var.auth_token
  clients    = { load = module.load.security_group_id }
  run        = { id = module.scheduler.run, stop_by = module.scheduler.stop_by }
}

module "load" {
  source = "./modules/ecs-load"

  name       = var.name
  vpc_id     = var.vpc_id
  subnet_ids = local.subnet_ids
  run        = module.scheduler.run
  minutes    = var.test_duration_minutes
  load       = var.load
  auth_token = var.auth_token
  iam        = var.iam

  cache = {
    endpoint          = module.cache.endpoint
    port              = module.cache.port
    cluster_mode      = module.cache.settings.shards != null
    tls               = module.cache.settings.transit_encryption
    security_group_id = module.cache.security_group_id
  }
}

module "scheduler" {
  source = "./modules/scheduler"

  name          = var.name
  minutes       = var.test_duration_minutes
  service_id    = module.load.service_id
  settings      = jsonencode({ cache = module.cache.settings, load = module.load.settings })
  notifications = var.notifications
  iam           = var.iam

  load = {
    cluster   = module.load.cluster_name
    service   = module.load.service_name
    log_group = module.load.log_group
  }
  cache = {
    replication_group = var.name
    log_groups        = module.cache.log_groups
  }
  export = {
    bucket         = var.metrics_export_s3_bucket
    prefix         = var.metrics_export_s3_prefix
    period_seconds = var.metrics_period_seconds
    kms_key_arn    = var.metrics_export_kms_key_arn
  }
  lambda = {
    zip          = "${path.root}/build/lambda-${var.lambda_architecture}.zip"
    architecture = var.lambda_architecture
  }
}

module "dashboard" {
  source = "./modules/dashboard"

  name      = var.name
  nodes     = module.cache.nodes
  node_type = module.cache.settings.node_type

  load = {
    cluster   = module.load.cluster_name
    service   = module.load.service_name
    log_group = module.load.log_group
  }
  facts = {
    run   = module.scheduler.run
    cache = "${module.cache.settings.engine} ${module.cache.settings.engine_version}, ${length(module.cache.nodes)} x ${module.cache.settings.node_type}"
    load  = "${module.load.settings.task_count} tasks x ${module.load.settings.threads} threads x ${module.load.settings.clients} clients, pipeline ${module.load.settings.pipeline}, ${module.load.settings.data_size} bytes, SET:GET ${module.load.settings.ratio}"
    ends  = "${var.test_duration_minutes} minutes after the load is steady, at the latest ${module.scheduler.stop_by}"
  }
}
