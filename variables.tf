variable "vpc_id" {
  description = "VPC for cache and load. Example: `vpc-0123456789abcdef0`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^vpc-[0-9a-f]{8,17}$", var.vpc_id))
    error_message = "The vpc_id must look like \"vpc-0123456789abcdef0\" (vpc- and 8 to 17 hexadecimal digits)."
  }
}

variable "subnet_ids" {
  description = "Subnets of that VPC for cache nodes and load tasks (`load_zones` says which); the tasks need access to the image and to CloudWatch Logs (NAT or endpoints). Example: `[\"subnet-0123456789abcdef0\", \"subnet-0123456789abcdef1\"]`."
  type        = list(string)
  nullable    = false

  # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AwsVpcConfiguration.html
  validation {
    condition     = length(var.subnet_ids) >= 1 && length(var.subnet_ids) <= 16 && length(distinct(var.subnet_ids)) == length(var.subnet_ids)
    error_message = "The subnet_ids must be 1 to 16 different subnets."
  }
  validation {
    condition     = alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    error_message = "Each of the subnet_ids must look like \"subnet-0123456789abcdef0\" (subnet- and 8 to 17 hexadecimal digits)."
  }
}

variable "metrics_export_s3_bucket" {
  description = "Bucket that receives metrics, logs and manifest, in the stack's Region; create one with `aws s3 mb s3://my-elasticache-perf-exports`. Example: `my-elasticache-perf-exports`."
  type        = string
  nullable    = false

  validation {
    condition     = var.metrics_export_s3_bucket != ""
    error_message = "The metrics_export_s3_bucket is empty. Create a bucket in the stack's Region and set its name:\n  aws s3 mb s3://my-elasticache-perf-exports"
  }
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
  validation {
    condition     = var.metrics_export_s3_bucket == "" || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.metrics_export_s3_bucket))
    error_message = "The metrics_export_s3_bucket must have 3 to 63 characters: lower-case letters, digits, dots and hyphens, first and last a letter or digit."
  }
}

variable "metrics_export_s3_prefix" {
  description = "Prefix of the exported objects' keys: PREFIX/metrics/RUN.csv, PREFIX/logs/RUN.txt, PREFIX/manifest/RUN.json. Example: `team/exports`."
  type        = string
  default     = "exports"
  nullable    = false

  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html (safe characters; folders named "." or ".." cause problems)
  validation {
    condition     = can(regex("^[0-9A-Za-z!_.'()-]+(/[0-9A-Za-z!_.'()-]+)*$", var.metrics_export_s3_prefix)) && length(var.metrics_export_s3_prefix) <= 512 && !anytrue([for part in split("/", var.metrics_export_s3_prefix) : contains([".", ".."], part)])
    error_message = "The metrics_export_s3_prefix must have 1 to 512 characters: letters, digits and ! - _ . ' ( ), with single slashes inside but not first or last, and no part that is \".\" or \"..\"."
  }
}

variable "metrics_export_kms_key_arn" {
  description = "KMS key that encrypts the exported objects (SSE-KMS). Null: S3's own keys (AES256), which every write requests, whatever the bucket's default is. Example: `arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab`."
  type        = string
  default     = null

  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/specifying-kms-encryption.html
  validation {
    condition     = var.metrics_export_kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{1,64}$", var.metrics_export_kms_key_arn))
    error_message = "The metrics_export_kms_key_arn must be the ARN of a KMS key (\"arn:aws:kms:REGION:ACCOUNT:key/ID\"), not an alias."
  }
}

variable "test_duration_minutes" {
  description = "Minutes from the moment the load runs to the stop. AWS bills partial node-hours as full hours (https://aws.amazon.com/elasticache/pricing/): creation and stop take some 15 minutes, so 45 fit one hour, and 60 are billed as two. A serverless cache is billed by data and requests. Example: `105`."
  type        = number
  default     = 45
  nullable    = false

  validation {
    condition     = var.test_duration_minutes >= 1 && var.test_duration_minutes <= 1440 && floor(var.test_duration_minutes) == var.test_duration_minutes
    error_message = "The test_duration_minutes must be a whole number from 1 to 1440 (24 hours)."
  }
}

variable "margin_minutes" {
  description = "Minutes that creating the cache and starting the load may take. The run ends in any case when the test's minutes and these have passed since the start of the apply. Example: `90`."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.margin_minutes >= 15 && var.margin_minutes <= 240 && floor(var.margin_minutes) == var.margin_minutes
    error_message = "The margin_minutes must be a whole number from 15 to 240."
  }
}

variable "metrics_period_seconds" {
  description = "Period of the exported metrics. ElastiCache publishes every 60 seconds, so a shorter period helps only with metrics of your own. Example: `300`."
  type        = number
  default     = 60
  nullable    = false

  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html
  validation {
    condition     = contains([1, 5, 10, 30], var.metrics_period_seconds) || (var.metrics_period_seconds >= 60 && var.metrics_period_seconds % 60 == 0 && 86400 % var.metrics_period_seconds == 0)
    error_message = "The metrics_period_seconds must be 1, 5, 10, 30 or a multiple of 60 that divides a day, such as 60, 300 or 3600."
  }
}

variable "skip_final_export" {
  description = "Whether `terraform destroy` gives up what is not exported yet, instead of ending and exporting the run first. It has to be applied before the destroy. Example: `true`."
  type        = bool
  default     = false
  nullable    = false
}

variable "aws_region" {
  description = "Region of the stack. Null: the environment decides (AWS_REGION, profile). Example: `eu-central-1`."
  type        = string
  default     = null
}

variable "name" {
  description = "Name of the stack, from which every name in AWS is derived. Two stacks in one account need different names, also in different Regions, because names of IAM roles are unique in an account. Example: `orders-cache`."
  type        = string
  default     = "elasticache-perf"
  nullable    = false

  # https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html
  # A security group's name, `NAME-cache`, must not begin with sg-.
  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 40 && !startswith(var.name, "sg-")
    error_message = "The name must have 1 to 40 characters, as a replication group's id: lower-case letters, digits and single hyphens, first a letter, last no hyphen, and not begin with \"sg-\"."
  }
}

variable "tags" {
  description = "Tags of all resources, besides `name`, `run` and `elasticache-perf`, which the stack sets. Example: `{ team = \"search\", cost-center = \"42\" }`."
  type        = map(string)
  default     = {}
  nullable    = false

  # What all tagged services accept; IAM's keys ignore case. https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
  validation {
    condition = length(var.tags) <= 40 && length(distinct([for k in keys(var.tags) : lower(k)])) == length(var.tags) && alltrue([for k, v in var.tags :
      can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{1,128}$", k)) && can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{1,256}$", v)) && !startswith(lower(k), "aws:")
    ])
    error_message = "The tags must be at most 40, with keys of 1 to 128 and values of 1 to 256 characters (letters, digits, spaces and _ . : / = + - @); keys differ in more than upper and lower case and do not begin with \"aws:\"."
  }
  validation {
    condition     = !anytrue([for k in keys(var.tags) : contains(["name", "run", "elasticache-perf"], lower(k))])
    error_message = "The tags must not have the keys \"name\", \"run\" and \"elasticache-perf\", which the stack sets."
  }
}

variable "iam" {
  description = "For accounts that require them on every role. Example: `{ path = \"/perf/\", permissions_boundary = \"arn:aws:iam::123456789012:policy/boundary\" }`."
  type = object({
    path                 = optional(string, "/")
    permissions_boundary = optional(string)
  })
  default  = {}
  nullable = false

  # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
  validation {
    condition     = can(regex("^/([!-.0-~]+/)*$", var.iam.path)) && length(var.iam.path) <= 512
    error_message = "The iam's path must begin and end with a slash and have at most 512 characters, such as \"/perf/\"."
  }
  validation {
    condition     = var.iam.permissions_boundary == null ? true : can(regex("^arn:[^:]+:iam::([0-9]{12}|aws):policy/.", var.iam.permissions_boundary))
    error_message = "The iam's permissions_boundary must be the ARN of a policy, such as \"arn:aws:iam::123456789012:policy/boundary\"."
  }
}

# The two objects below have no defaults or limits: omitted attributes are null, and modules/cache and modules/ecs-load
# set and check them.

variable "cache" {
  description = <<-EOT
    The cache; modules/cache/README.md lists every default. `shards = null` is cluster mode off; `replicas` counts per shard; `serverless = {}` creates a serverless cache.
    Example: `{ engine = "redis", engine_version = "7.1", node_type = "cache.m7g.large", replicas = 1, parameters = { maxmemory-policy = "allkeys-lru" } }`.
  EOT
  type = object({
    engine             = optional(string)
    engine_version     = optional(string)
    node_type          = optional(string)
    shards             = optional(number)
    replicas           = optional(number)
    multi_az           = optional(bool)
    port               = optional(number)
    parameters         = optional(map(string))
    transit_encryption = optional(bool)
    at_rest_encryption = optional(bool)
    kms_key_arn        = optional(string)
    log_format         = optional(string)
    serverless = optional(object({
      min_storage_gb      = optional(number)
      max_storage_gb      = optional(number)
      min_ecpu_per_second = optional(number)
      max_ecpu_per_second = optional(number)
    }))
  })
  default  = {}
  nullable = false
}

variable "existing_cache" {
  description = <<-EOT
    A cache that already exists, instead of `cache`: it is loaded and exported, and never changed or deleted. But the load writes into it, and evicts what is in it
    when memory is short: use one that nobody depends on. Its security group `security_group_id` lets the load in as long as the stack exists; without it, the cache must be
    open to the load already. `replication_group_id` or `serverless_cache` names it in CloudWatch: without either, the export has no metrics of the cache. Its password, or `USER:PASSWORD` of one of its RBAC users, is `auth_token`.
    Example: `{ endpoint = "master.orders.abc123.use1.cache.amazonaws.com", tls = true, security_group_id = "sg-0123456789abcdef0", replication_group_id = "orders" }`.
  EOT
  type = object({
    endpoint             = string
    port                 = optional(number, 6379)
    tls                  = optional(bool, false)
    cluster_mode         = optional(bool, false)
    reader_endpoint      = optional(string)
    security_group_id    = optional(string)
    replication_group_id = optional(string)
    serverless_cache     = optional(string)
  })
  default = null

  validation {
    condition     = var.existing_cache == null ? true : alltrue([for host in [var.existing_cache.endpoint, var.existing_cache.reader_endpoint] : host == null ? true : can(regex("^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$", host))])
    error_message = "The existing_cache's endpoint and reader_endpoint are host names or addresses, without scheme or port, such as \"master.orders.abc123.use1.cache.amazonaws.com\"."
  }
  validation {
    condition     = var.existing_cache == null ? true : var.existing_cache.port >= 1 && var.existing_cache.port <= 65535 && floor(var.existing_cache.port) == var.existing_cache.port
    error_message = "The existing_cache's port must be a whole number from 1 to 65535."
  }
  validation {
    condition     = var.existing_cache == null ? true : can(regex("^(sg-[0-9a-f]{8,17})?$", join("", var.existing_cache.security_group_id[*])))
    error_message = "The existing_cache's security_group_id must look like \"sg-0123456789abcdef0\" (sg- and 8 to 17 hexadecimal digits)."
  }
  validation {
    condition     = var.existing_cache == null ? true : alltrue([for id in compact([var.existing_cache.replication_group_id, var.existing_cache.serverless_cache]) : can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", id)) && length(id) <= 40])
    error_message = "The existing_cache's replication_group_id and serverless_cache are ids of 1 to 40 lower-case letters, digits and single hyphens, such as \"orders\"."
  }
  validation {
    condition     = var.existing_cache == null ? true : var.existing_cache.replication_group_id == null || var.existing_cache.serverless_cache == null
    error_message = "The existing_cache is a replication_group_id or a serverless_cache, not both."
  }
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/WhatIs.corecomponents.html
  validation {
    condition     = var.existing_cache == null ? true : var.existing_cache.serverless_cache == null || (var.existing_cache.tls && var.existing_cache.cluster_mode)
    error_message = "A serverless_cache speaks TLS in cluster mode: set tls = true and cluster_mode = true."
  }
}

variable "load" {
  description = <<-EOT
    The load; modules/ecs-load/README.md lists every default. `task_count` tasks with `threads` x `clients` connections each; `workload` fills in
    the rest by name; keys are written before the measured load, in time of their own if `prefill.minutes` is set.
    Example: `{ task_count = 4, cpu = 2048, memory = 4096, clients = 50, workload = "session-store", prefill = { minutes = 5 }, pipeline = 8 }`.
  EOT
  type = object({
    task_count            = optional(number)
    cpu                   = optional(number)
    memory                = optional(number)
    architecture          = optional(string)
    image                 = optional(string)
    image_credentials_arn = optional(string)
    assign_public_ip      = optional(bool)
    workload              = optional(string)
    prefill               = optional(object({ minutes = optional(number) }))
    read_from             = optional(string)
    threads               = optional(number)
    clients               = optional(number)
    pipeline              = optional(number)
    data_size             = optional(number)
    data_size_range       = optional(string)
    data_size_list        = optional(string)
    expiry_range          = optional(string)
    ratio                 = optional(string)
    key_pattern           = optional(string)
    key_zipf_exp          = optional(number)
    key_maximum           = optional(number)
    rate_limit            = optional(number)
    extra_args            = optional(list(string))
    ca_pem                = optional(string)
    container_insights    = optional(string)
  })
  default  = {}
  nullable = false
}

variable "load_zones" {
  description = <<-EOT
    Availability Zones of the load's tasks: `cache`, those of the cache's nodes, or `all`, those of the subnet_ids. Traffic between zones is slower and billed.
    Null: `cache` for a new cache of one node, which is then created in the zone of the first of the subnet_ids, else `all`: ElastiCache spreads the nodes of a
    larger cache over the zones, so that part of the load crosses zones wherever it runs; to keep all of it in one, use subnet_ids in one zone. An existing
    cache's nodes are looked up with `cache`. Example: `all`.
  EOT
  type        = string
  default     = null

  validation {
    condition     = var.load_zones == null ? true : contains(["cache", "all"], var.load_zones)
    error_message = "The load_zones must be \"cache\" or \"all\"."
  }
}

variable "auth_token" {
  description = "Password of the cache, 16 to 128 characters; needs `cache.transit_encryption`. Set it with TF_VAR_auth_token, and keep the state in an encrypted backend, because the state has it in clear text."
  type        = string
  default     = null
  sensitive   = true

  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth.html
  validation {
    condition     = var.auth_token == null ? true : can(regex("^[!-~]{16,128}$", var.auth_token))
    error_message = "The auth_token must have 16 to 128 printable characters without spaces; modules/cache says which of them a new cache allows."
  }
}

variable "lambda_architecture" {
  description = "Architecture of the Lambda and its zip: arm64 or x86_64. Example: `x86_64`."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.lambda_architecture)
    error_message = "The lambda_architecture must be \"arm64\" or \"x86_64\"."
  }
}

variable "lambda" {
  description = <<-EOT
    Where the Lambda's code is if `go tool mage build` does not build it: a release's zip, as a file (`zip`) or in a bucket of the stack's Region that whoever applies may read
    (`s3_bucket`, `s3_key`, `s3_object_version`), and its `sha256`. It must be the zip of the `lambda_architecture`. `{}`: build/lambda-ARCHITECTURE.zip.
    Example: `{ zip = "lambda-arm64.zip", sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }`.
  EOT
  type = object({
    zip               = optional(string)
    s3_bucket         = optional(string)
    s3_key            = optional(string)
    s3_object_version = optional(string)
    sha256            = optional(string)
  })
  default  = {}
  nullable = false

  # modules/scheduler has the other rules.
  validation {
    condition     = var.lambda.zip == null || var.lambda.s3_bucket == null && var.lambda.s3_key == null && var.lambda.s3_object_version == null
    error_message = "The lambda needs either zip, a file, or s3_bucket and s3_key (and optionally s3_object_version), an object."
  }
  validation {
    condition     = alltrue([for v in [var.lambda.s3_bucket, var.lambda.s3_key, var.lambda.s3_object_version] : v == null]) || alltrue([for v in [var.lambda.s3_bucket, var.lambda.s3_key, var.lambda.sha256] : v != null])
    error_message = "The lambda's code in a bucket needs s3_bucket, s3_key and sha256: without the sum, new code under the same key would never be noticed."
  }
  validation {
    condition     = var.lambda.sha256 == null ? true : can(regex("^[0-9a-f]{64}$", var.lambda.sha256))
    error_message = "The lambda's sha256 must be 64 hexadecimal digits in lower case, as sha256sum prints them."
  }
}

variable "notifications" {
  description = "Email address notified when a run starts, when its load runs, when it is exported, when nothing is billed any more, and after each failure; confirm the subscription that AWS mails first, or nothing arrives. Null: nobody. Example: `{ email = \"team@example.com\" }`."
  type = object({
    email = string
  })
  default = null

  validation {
    condition     = var.notifications == null ? true : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", var.notifications.email))
    error_message = "The notifications' email must be an email address, such as \"team@example.com\"."
  }
}

variable "campaign" {
  description = "What a campaign sets for each of its runs, for the manifest: the campaign's name, the variant, the round, the seed of the order and a checksum of the variant's inputs. Null: the run belongs to no campaign. Example: `{ name = \"nodes\", variant = \"r7g\", round = 1, seed = 7 }`."
  type = object({
    name    = string
    variant = string
    round   = number
    seed    = number
    inputs  = optional(string)
  })
  default = null
}
