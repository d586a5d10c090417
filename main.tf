# The order follows from values, not depends_on: the cache and the tasks use `run` from the scheduler, so the Lambda, the
# watch schedule and the preflight exist before anything is billed; the stop schedule uses the id of the steady service. The
# load takes the id of an existing cache's security group from the rule that admits it.

data "aws_subnet" "this" {
  for_each = toset(var.subnet_ids)

  id = each.value

  lifecycle {
    postcondition {
      condition     = self.vpc_id == var.vpc_id
      error_message = "The subnet ${self.id} is in ${self.vpc_id}, not in ${var.vpc_id}: use subnets of that VPC."
    }
  }
}

# The members of an existing cache, known at plan time, for the dashboard.
data "aws_elasticache_replication_group" "this" {
  count = try(var.existing_cache.replication_group_id, null) == null ? 0 : 1

  replication_group_id = var.existing_cache.replication_group_id
}

# The zones of an existing cache's nodes, if the load should run there.
data "aws_elasticache_cluster" "this" {
  for_each = toset(var.load_zones == "cache" ? flatten(data.aws_elasticache_replication_group.this[*].member_clusters[*]) : [])

  cluster_id = each.value
}

locals {
  subnet_ids = [for s in data.aws_subnet.this : s.id] # from the data source, so that they are checked first
  existing   = var.existing_cache != null
  minutes    = var.test_duration_minutes + module.load.prefill_minutes

  # The cache for the dashboard and the Lambda: only values that are known without waiting for it.
  cache = local.existing ? {
    replication_group = var.existing_cache.replication_group_id
    serverless        = var.existing_cache.serverless_cache
    nodes             = flatten([for g in data.aws_elasticache_replication_group.this : sort(g.member_clusters)])
    node_type         = one(data.aws_elasticache_replication_group.this[*].node_type)
    engine            = null
    log_groups        = {}
    settings = jsonencode(merge(var.existing_cache, {
      existing = true, transit_encryption = var.existing_cache.tls, auth = nonsensitive(var.auth_token != null)
    }))
    is = "${var.existing_cache.endpoint}, which is not of this stack"
    } : {
    replication_group = module.cache[0].serverless_cache == null ? var.name : null
    serverless        = module.cache[0].serverless_cache
    nodes             = module.cache[0].nodes
    node_type         = module.cache[0].settings.node_type
    engine            = module.cache[0].settings.engine
    log_groups        = module.cache[0].log_groups
    settings          = jsonencode(module.cache[0].settings)
    is = join(", ", [
      "${module.cache[0].settings.engine} ${module.cache[0].settings.engine_version}",
      module.cache[0].serverless_cache == null ? "${length(module.cache[0].nodes)} x ${module.cache[0].settings.node_type}" : "serverless",
    ])
  }
}

# If a new cache has one node, its subnet group has only the first subnet's zone (unless load_zones is "all"). So the node's zone is known at plan
# time, also in cluster mode, and the load can run there.
locals {
  one_node   = local.existing ? false : length(module.cache[0].nodes) == 1
  load_zones = coalesce(var.load_zones, local.one_node ? "cache" : "all")
  cache_zones = (local.existing ?
    distinct([for n in data.aws_elasticache_cluster.this : n.availability_zone]) :
    [data.aws_subnet.this[var.subnet_ids[0]].availability_zone]
  )
  near_cache    = [for s in data.aws_subnet.this : s.id if contains(local.cache_zones, s.availability_zone)]
  load_subnets  = local.load_zones == "cache" && length(local.near_cache) > 0 ? local.near_cache : local.subnet_ids
  cache_subnets = local.one_node ? local.load_subnets : local.subnet_ids
}

# An existing cache's security group admits the load while the stack exists.
resource "aws_vpc_security_group_ingress_rule" "this" {
  count = try(var.existing_cache.security_group_id, null) == null ? 0 : 1

  security_group_id            = var.existing_cache.security_group_id
  referenced_security_group_id = module.load.security_group_id
  description                  = "From the load of ${var.name}"
  ip_protocol                  = "tcp"
  from_port                    = var.existing_cache.port
  to_port                      = var.existing_cache.port
}

# For state from before existing caches were supported: without this the next apply would replace the cache.
moved {
  from = module.cache
  to   = module.cache[0]
}

module "cache" {
  source = "./modules/cache"
  count  = local.existing ? 0 : 1

  name       = var.name
  vpc_id     = var.vpc_id
  subnet_ids = local.cache_subnets
  cache      = var.cache
  auth_token = var.auth_token
  clients    = { load = module.load.security_group_id }
  run        = { id = module.scheduler.run, stop_by = module.scheduler.stop_by }
}

module "load" {
  source = "./modules/ecs-load"

  name       = var.name
  vpc_id     = var.vpc_id
  subnet_ids = local.load_subnets
  run        = module.scheduler.run
  minutes    = var.test_duration_minutes
  load       = var.load
  auth_token = var.auth_token
  iam        = var.iam

  cache = {
    endpoint          = local.existing ? var.existing_cache.endpoint : module.cache[0].endpoint
    port              = local.existing ? var.existing_cache.port : module.cache[0].port
    cluster_mode      = local.existing ? var.existing_cache.cluster_mode : module.cache[0].cluster_mode
    tls               = local.existing ? var.existing_cache.tls : module.cache[0].tls
    security_group_id = local.existing ? one(aws_vpc_security_group_ingress_rule.this[*].security_group_id) : module.cache[0].security_group_id
    reader_endpoint   = local.existing ? var.existing_cache.reader_endpoint : module.cache[0].reader_endpoint
    shards            = local.existing ? null : module.cache[0].settings.shards
  }
}

module "scheduler" {
  source = "./modules/scheduler"

  name           = var.name
  minutes        = min(local.minutes, 1440) # a precondition in outputs.tf refuses more
  margin_minutes = var.margin_minutes
  service_id     = module.load.service_id
  load_base      = module.load.base
  settings = jsonencode(merge(
    { cache = jsondecode(local.cache.settings), load = module.load.settings },
    [for c in var.campaign[*] : { campaign = c }]...
  ))
  notifications = var.notifications
  iam           = var.iam

  skip_final_export = var.skip_final_export

  load = {
    cluster   = module.load.cluster_name
    service   = module.load.service_name
    log_group = module.load.log_group
  }
  cache = {
    replication_group = local.cache.replication_group
    serverless        = local.cache.serverless
    delete            = !local.existing
    log_groups        = local.cache.log_groups
  }
  export = {
    bucket         = var.metrics_export_s3_bucket
    prefix         = var.metrics_export_s3_prefix
    period_seconds = var.metrics_period_seconds
    kms_key_arn    = var.metrics_export_kms_key_arn
  }
  lambda = {
    zip = try(coalesce(
      var.lambda.zip,
      var.lambda.s3_bucket == null && var.lambda.s3_key == null ? "${path.root}/build/lambda-${var.lambda_architecture}.zip" : null,
    ), null)
    s3_bucket         = var.lambda.s3_bucket
    s3_key            = var.lambda.s3_key
    s3_object_version = var.lambda.s3_object_version
    sha256            = var.lambda.sha256
    architecture      = var.lambda_architecture
  }
}

module "dashboard" {
  source = "./modules/dashboard"

  name             = var.name
  nodes            = local.cache.nodes
  node_type        = local.cache.node_type
  engine           = local.cache.engine
  serverless_cache = local.cache.serverless
  log_groups       = local.cache.log_groups

  window = {
    start = replace(module.scheduler.run, "/T([0-9]+)-([0-9]+)-/", "T$1:$2:")
    end   = module.scheduler.stop_by
  }
  lines = {
    connections      = module.load.settings.task_count * module.load.settings.threads * module.load.settings.clients
    ecpus_per_second = try(module.cache[0].settings.serverless.max_ecpu_per_second, null)
    stored_gb        = try(module.cache[0].settings.serverless.max_storage_gb, null)
  }
  load = {
    cluster   = module.load.cluster_name
    service   = module.load.service_name
    log_group = module.load.log_group
  }
  facts = {
    run   = module.scheduler.run
    cache = local.cache.is
    load = join(", ", [
      join(" x ", [
        "${module.load.settings.task_count} ${module.load.settings.task_count == 1 ? "task" : "tasks"}",
        "${module.load.settings.threads} threads",
        "${module.load.settings.clients} clients",
      ]),
      "pipeline ${module.load.settings.pipeline}", "${module.load.settings.data_size} bytes",
      module.load.settings.ratio == null ? join("; ", module.load.settings.commands) : "SET:GET ${module.load.settings.ratio}",
    ])
    ends = "${local.minutes} ${local.minutes == 1 ? "minute" : "minutes"} after the load is steady, at the latest ${module.scheduler.stop_by}"
  }
}
