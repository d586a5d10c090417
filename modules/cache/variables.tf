variable "name" {
  description = "Name of the replication group, its subnet group, parameter group and log groups. Example: `orders-cache`."
  type        = string
  nullable    = false

  # https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html (stored in lower case)
  # A security group's name, `NAME-cache`, must not begin with sg-.
  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 40 && !startswith(var.name, "sg-")
    error_message = "The name must have 1 to 40 characters: lower-case letters, digits and single hyphens, first a letter, last no hyphen, and not begin with \"sg-\"."
  }
}

variable "vpc_id" {
  description = "VPC of the cache. Example: `vpc-0123456789abcdef0`."
  type        = string
  nullable    = false
}

variable "subnet_ids" {
  description = "Subnets of the cache nodes; Multi-AZ needs two Availability Zones. Example: `[\"subnet-0123456789abcdef0\"]`."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.subnet_ids) >= 1 && length(var.subnet_ids) <= 20
    error_message = "A cache subnet group takes 1 to 20 subnets."
  }
}

variable "cache" {
  description = <<-EOT
    The cache. `shards = null` is cluster mode off, a number is cluster mode on; `replicas` counts per shard.
    Example: `{ engine = "redis", node_type = "cache.m7g.large", replicas = 1, multi_az = true, parameters = { maxmemory-policy = "allkeys-lru" } }`.
    `parameters` has `maxmemory-policy` allkeys-lru unless you set it, so that a load that outgrows the cache is measured with evictions and not with errors.
    `engine_version` defaults to 8.1 for Valkey and 7.1 for Redis OSS, and for a serverless cache to the major versions 8 and 7.
    `maintenance_window`, in UTC, is by default an hour three days after the start of `run`, so that it does not fall into the run; without a run AWS chooses.
    `zones` are those of the nodes, the primary's first, with cluster mode off. `user_group_ids` are for RBAC, instead of an auth_token; a load of modules/ecs-load
    logs in as one of their users with its `auth_token = "USER:PASSWORD"`. `apply_immediately = false` leaves changes for the maintenance window; a new engine or major version always replaces the cache.
    `serverless = {}` creates a serverless cache instead of nodes, with TLS; with it, only engine, engine_version, kms_key_arn, description and one of user_group_ids apply. Its limits are in GB and
    ECPU per second: `{ serverless = { max_storage_gb = 10, max_ecpu_per_second = 50000 } }`; a minimum is paid for whether it is used or not.
  EOT
  type = object({
    engine             = optional(string, "valkey")
    engine_version     = optional(string)
    node_type          = optional(string, "cache.t4g.micro")
    shards             = optional(number)
    replicas           = optional(number, 0)
    multi_az           = optional(bool, false)
    port               = optional(number, 6379)
    parameters         = optional(map(string), {})
    transit_encryption = optional(bool, false)
    at_rest_encryption = optional(bool, true)
    kms_key_arn        = optional(string)
    log_format         = optional(string, "text")
    maintenance_window = optional(string)
    description        = optional(string)
    apply_immediately  = optional(bool, true)
    user_group_ids     = optional(list(string), [])
    zones              = optional(list(string))
    serverless = optional(object({
      min_storage_gb      = optional(number)
      max_storage_gb      = optional(number)
      min_ecpu_per_second = optional(number)
      max_ecpu_per_second = optional(number)
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["redis", "valkey"], var.cache.engine)
    error_message = "The cache's engine must be \"redis\" or \"valkey\"."
  }
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/engine-versions.html
  validation {
    condition = var.cache.engine_version == null || var.cache.serverless != null ? true : (
      var.cache.engine == "redis" ? contains(["6.2", "7.0", "7.1"], var.cache.engine_version) : can(regex("^(7\\.2|[89]\\.[0-9])$", var.cache.engine_version))
    )
    error_message = "The engine_version must be 6.2, 7.0 or 7.1 for redis, and 7.2, 8.x or 9.x for valkey, as major.minor (\"8.1\", not \"8\" or \"8.1.0\")."
  }
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/VersionManagement.html#VersionManagement-serverless
  validation {
    condition = (var.cache.engine_version == null || var.cache.serverless == null ? true :
      contains(var.cache.engine == "redis" ? ["7"] : ["7", "8", "9"], var.cache.engine_version)
    )
    error_message = "The engine_version of a serverless cache is a major version: 7 for redis, and 7, 8 or 9 for valkey. AWS applies the minor versions itself."
  }
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html
  validation {
    condition     = can(regex("^cache\\.[a-z0-9]+\\.[a-z0-9]+$", var.cache.node_type)) && !can(regex("^cache\\.(t1|t2|m1|m2|m3|c1|r3)\\.", var.cache.node_type))
    error_message = "The node_type must look like \"cache.m7g.large\"; t2 and older families can no longer be created."
  }
  validation {
    condition     = var.cache.shards == null ? true : var.cache.shards >= 1 && var.cache.shards <= 500 && floor(var.cache.shards) == var.cache.shards
    error_message = "The number of shards must be a whole number from 1 to 500, or null for cluster mode off."
  }
  validation {
    condition     = var.cache.replicas >= 0 && var.cache.replicas <= 5 && floor(var.cache.replicas) == var.cache.replicas
    error_message = "The number of replicas must be a whole number from 0 to 5."
  }
  validation {
    condition     = coalesce(var.cache.shards, 1) * (1 + var.cache.replicas) <= 500
    error_message = "A cluster has at most 500 nodes, shards x (1 + replicas); above 90 it also needs a raised service quota."
  }
  validation {
    condition     = var.cache.multi_az ? var.cache.replicas >= 1 : true
    error_message = "With multi_az the number of replicas must be 1 to 5: there is nothing to fail over to without one."
  }
  validation {
    condition     = var.cache.port >= 1 && var.cache.port <= 65535 && floor(var.cache.port) == var.cache.port
    error_message = "The cache's port must be a whole number from 1 to 65535."
  }
  validation {
    condition     = !contains(keys(var.cache.parameters), "cluster-enabled")
    error_message = "The parameter cluster-enabled follows from shards: set shards to a number (on) or null (off)."
  }
  validation {
    condition     = var.cache.kms_key_arn == null ? true : var.cache.at_rest_encryption && can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,64}$", var.cache.kms_key_arn))
    error_message = "The kms_key_arn must be the ARN of a KMS key (\"arn:aws:kms:REGION:ACCOUNT:key/ID\"), not an alias, and needs at_rest_encryption = true."
  }
  validation {
    condition     = contains(["text", "json"], var.cache.log_format)
    error_message = "The log_format must be \"text\" or \"json\"."
  }
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html
  validation {
    condition     = var.cache.maintenance_window == null ? true : can(regex("^(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]$", var.cache.maintenance_window))
    error_message = "The maintenance_window must be at least an hour in UTC, in lower case, such as \"sun:05:00-sun:06:00\"."
  }
  validation {
    condition     = var.cache.zones == null ? true : var.cache.shards == null && length(var.cache.zones) == 1 + var.cache.replicas
    error_message = "Set one zone for each node, the primary's first, and only if shards is null: ElastiCache spreads the nodes of a cluster itself."
  }
  validation {
    condition     = length(var.cache.user_group_ids) <= 1
    error_message = "A cache takes one user group."
  }
  validation {
    condition = var.cache.serverless == null ? true : alltrue([
      var.cache.shards == null, var.cache.replicas == 0, !var.cache.multi_az, var.cache.node_type == "cache.t4g.micro", var.cache.port == 6379,
      length(var.cache.parameters) == 0, var.cache.at_rest_encryption, var.cache.log_format == "text", var.cache.maintenance_window == null, var.cache.zones == null,
    ])
    error_message = "A serverless cache has no nodes to describe: with serverless, leave out shards, replicas, multi_az, node_type, port, parameters, at_rest_encryption, log_format, maintenance_window and zones."
  }
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Scaling.html
  validation {
    condition = var.cache.serverless == null ? true : alltrue([
      for gb in [var.cache.serverless.min_storage_gb, var.cache.serverless.max_storage_gb] : gb == null ? true : gb >= 1 && gb <= 5000 && floor(gb) == gb
    ])
    error_message = "The limits min_storage_gb and max_storage_gb must be whole numbers from 1 to 5000 GB."
  }
  validation {
    condition = var.cache.serverless == null ? true : alltrue([
      for n in [var.cache.serverless.min_ecpu_per_second, var.cache.serverless.max_ecpu_per_second] :
      n == null ? true : n >= 1000 && n <= 15000000 && floor(n) == n
    ])
    error_message = "The limits min_ecpu_per_second and max_ecpu_per_second must be whole numbers from 1000 to 15000000."
  }
  validation {
    condition = var.cache.serverless == null ? true : alltrue([
      for pair in [
        [var.cache.serverless.min_storage_gb, var.cache.serverless.max_storage_gb],
        [var.cache.serverless.min_ecpu_per_second, var.cache.serverless.max_ecpu_per_second]
      ] : pair[0] == null || pair[1] == null ? true : pair[0] <= pair[1]
    ])
    error_message = "A minimum of serverless must not be above its maximum."
  }
}

variable "auth_token" {
  description = "Password of the cache; needs `cache.transit_encryption`. It is stored in the Terraform state in clear text: use an encrypted backend."
  type        = string
  default     = null
  sensitive   = true

  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html
  validation {
    condition     = var.auth_token == null ? true : can(regex("^[A-Za-z0-9!&#$^<>-]{16,128}$", var.auth_token))
    error_message = "The auth token must have 16 to 128 characters: letters, digits and ! & # $ ^ < > -."
  }
}

variable "clients" {
  description = "Security groups that may reach the cache, each under a name of your choice. Apart from `client_cidrs` and `client_prefix_lists`, nothing else may. Example: `{ load = \"sg-0123456789abcdef0\" }`."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "client_cidrs" {
  description = "Addresses that may reach the cache, IPv4 in CIDR notation, each under a name of your choice. Example: `{ office = \"10.20.0.0/16\" }`."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for c in values(var.client_cidrs) : can(cidrnetmask(c))])
    error_message = "Each of the client_cidrs must be IPv4 in CIDR notation, such as \"10.20.0.0/16\"."
  }
}

variable "client_prefix_lists" {
  description = "Prefix lists whose addresses may reach the cache, each under a name of your choice. Example: `{ vpn = \"pl-0123456789abcdef0\" }`."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "run" {
  description = "The run that this cache belongs to: its id becomes the tag `run`, and after `stop_by` (RFC 3339) no cache is created. Null: a cache without a run. Example: `{ id = module.scheduler.run, stop_by = module.scheduler.stop_by }`."
  type = object({
    id      = string
    stop_by = string
  })
  default = null
}

variable "log_retention_days" {
  description = "Days that CloudWatch Logs keeps the engine and slow logs. Example: `7`."
  type        = number
  default     = 30
  nullable    = false
}

variable "tags" {
  description = "Tags of everything that this module creates. Example: `{ team = \"search\" }`."
  type        = map(string)
  default     = {}
  nullable    = false

  # What all tagged services accept; IAM's keys ignore case. https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
  validation {
    condition = length(var.tags) <= 45 && length(distinct([for k in keys(var.tags) : lower(k)])) == length(var.tags) && alltrue([for k, v in var.tags :
      can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{1,128}$", k)) && can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{1,256}$", v)) && !startswith(lower(k), "aws:")
    ])
    error_message = "The tags must be at most 45, with keys of 1 to 128 and values of 1 to 256 characters (letters, digits, spaces and _ . : / = + - @); keys differ in more than upper and lower case and do not begin with \"aws:\"."
  }
}
