variable "name" {
  description = "Name of the run's stack: the Lambda is NAME-stop, the schedule group NAME. Example: `orders-cache`."
  type        = string
  nullable    = false

  # The longest derived names, NAME-scheduler and NAME-watch, fit the 64 characters of IAM, Lambda and Scheduler.
  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9-]{0,47}$", var.name))
    error_message = "The name must have 1 to 48 characters: letters, digits and hyphens, first a letter."
  }
}

variable "minutes" {
  description = "Minutes from a steady load to its stop. AWS bills partial node-hours as full hours, and creation and stop take some 15 minutes: 45 fit one hour. Example: `45`."
  type        = number
  nullable    = false

  validation {
    condition     = var.minutes >= 1 && var.minutes <= 1440 && floor(var.minutes) == var.minutes
    error_message = "The run's minutes must be a whole number from 1 to 1440."
  }
}

variable "margin_minutes" {
  description = "Minutes that creating the cache and starting the load may take. `watch` ends the run in any case `minutes` + `margin_minutes` after the start of the apply. Example: `30`."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.margin_minutes >= 15 && var.margin_minutes <= 240 && floor(var.margin_minutes) == var.margin_minutes
    error_message = "The margin_minutes must be a whole number from 15 to 240."
  }
}

variable "load" {
  description = "ECS names of the load to stop, and its log group. They need not exist yet. Example: `{ cluster = \"perf\", service = \"perf-load\", log_group = \"/elasticache-perf/perf/load\" }`."
  type = object({
    cluster   = string
    service   = string
    log_group = string
  })
  nullable = false
}

variable "service_id" {
  description = "ARN of the ECS service, known once its tasks run: the stop is scheduled then, and again for another service. Example: `module.load.service_id`."
  type        = string
  nullable    = false
}

variable "load_base" {
  description = "Any value that is known once everything exists that the load's tasks need to write logs: a destroy then exports their logs to the end, even if an apply left the load half created. Example: `module.load.base`."
  type        = string
  default     = null
}

variable "cache" {
  description = <<-EOT
    The cache to export and, with `delete`, to delete at the end: a `replication_group` or a `serverless` cache, by name. Without either, only the load is
    exported. Log groups by `engine` and `slow`. It need not exist yet.
    Example: `{ replication_group = "perf", log_groups = { slow = "/aws/vendedlogs/elasticache/perf/slow-log" } }`.
  EOT
  type = object({
    replication_group = optional(string)
    serverless        = optional(string)
    delete            = optional(bool, true)
    log_groups        = optional(map(string), {})
  })
  nullable = false

  validation {
    condition     = var.cache.replication_group == null || var.cache.serverless == null
    error_message = "The cache is a replication_group or a serverless cache, not both."
  }
  validation {
    condition     = length(setsubtract(keys(var.cache.log_groups), ["engine", "slow"])) == 0
    error_message = "The cache's log_groups are named \"engine\" and \"slow\"."
  }
}

variable "export" {
  description = "Where metrics and logs go, and the period of the metrics in seconds; `kms_key_arn` when the bucket encrypts with a key of yours. Example: `{ bucket = \"my-exports\", prefix = \"exports\", period_seconds = 60 }`."
  type = object({
    bucket         = string
    prefix         = optional(string, "exports")
    period_seconds = optional(number, 60)
    kms_key_arn    = optional(string)
  })
  nullable = false

  validation {
    condition     = var.export.bucket != ""
    error_message = "The bucket for exports is empty. Create one in the stack's Region and set its name:\n  aws s3 mb s3://my-elasticache-perf-exports"
  }
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
  validation {
    condition     = var.export.bucket == "" || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.export.bucket))
    error_message = "The bucket's name must have 3 to 63 characters: lower-case letters, digits, dots and hyphens, first and last a letter or digit."
  }
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html (safe characters; folders named "." or ".." cause problems)
  validation {
    condition     = can(regex("^[0-9A-Za-z!_.'()-]+(/[0-9A-Za-z!_.'()-]+)*$", var.export.prefix)) && length(var.export.prefix) <= 512 && !anytrue([for part in split("/", var.export.prefix) : contains([".", ".."], part)])
    error_message = "The prefix must have 1 to 512 characters: letters, digits and ! - _ . ' ( ), with single slashes inside but not first or last, and no part that is \".\" or \"..\"."
  }
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html
  validation {
    condition     = contains([1, 5, 10, 30], var.export.period_seconds) || (var.export.period_seconds >= 60 && var.export.period_seconds % 60 == 0 && 86400 % var.export.period_seconds == 0)
    error_message = "The period must be 1, 5, 10, 30 or a multiple of 60 seconds that divides a day, such as 60, 300 or 3600."
  }
}

variable "skip_final_export" {
  description = "Whether a destroy gives up what is not exported yet, instead of ending and exporting the run first. As with `skip_final_snapshot` of a database, it has to be applied before the destroy. Example: `true`."
  type        = bool
  default     = false
  nullable    = false
}

variable "lambda" {
  description = <<-EOT
    The Lambda's code, its architecture (arm64 or x86_64) and memory in MB. The code is a file, `zip`, or an object in a bucket of the Region that whoever applies may read:
    `s3_bucket` and `s3_key`, and in a bucket with versioning `s3_object_version`. `sha256` is the zip's, as the release's SHA256SUMS has it: another zip fails the apply. An object needs it:
    it shows when there is new code. `go tool mage build` builds the zip; a release has it, too.
    Example: `{ zip = "lambda-arm64.zip", sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }`.
  EOT
  type = object({
    zip               = optional(string)
    s3_bucket         = optional(string)
    s3_key            = optional(string)
    s3_object_version = optional(string)
    sha256            = optional(string)
    architecture      = optional(string, "arm64")
    memory            = optional(number, 512)
  })
  nullable = false

  validation {
    condition     = (var.lambda.zip == null) != (var.lambda.s3_bucket == null && var.lambda.s3_key == null && var.lambda.s3_object_version == null)
    error_message = "The Lambda's code is either zip, a file, or s3_bucket and s3_key (and optionally s3_object_version), an object."
  }
  validation {
    condition     = var.lambda.zip != null || alltrue([for v in [var.lambda.s3_bucket, var.lambda.s3_key, var.lambda.sha256] : v != null])
    error_message = "The Lambda's code in a bucket needs s3_bucket, s3_key and sha256: without the sum, new code under the same key would never be noticed."
  }
  validation {
    condition     = var.lambda.sha256 == null ? true : can(regex("^[0-9a-f]{64}$", var.lambda.sha256))
    error_message = "The Lambda's sha256 must be 64 hexadecimal digits in lower case, as sha256sum prints them."
  }
  validation {
    condition     = contains(["arm64", "x86_64"], var.lambda.architecture)
    error_message = "The Lambda's architecture must be \"arm64\" or \"x86_64\"."
  }
  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html; below 256 MB pages of logs do not fit.
  validation {
    condition     = var.lambda.memory >= 256 && var.lambda.memory <= 10240 && floor(var.lambda.memory) == var.lambda.memory
    error_message = "The Lambda's memory must be a whole number from 256 to 10240 MB."
  }
}

variable "settings" {
  description = "JSON object that is copied into the manifest: what was run. No secrets. Example: `jsonencode({ cache = module.cache.settings })`."
  type        = string
  default     = "{}"
  nullable    = false

  validation {
    condition     = can(keys(jsondecode(var.settings)))
    error_message = "The settings must be a JSON object, for instance jsonencode({ cache = ... })."
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

variable "log_retention_days" {
  description = "Days that CloudWatch Logs keeps what the Lambda prints. Example: `7`."
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
