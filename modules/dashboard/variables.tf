variable "name" {
  description = "What the dashboard shows; its name is NAME-REGION. Example: `orders-cache`."
  type        = string
  nullable    = false

  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,220}$", var.name))
    error_message = "The name must have 1 to 220 characters: letters, digits, hyphens and underscores."
  }
}

variable "nodes" {
  description = "CacheClusterId of each cache node; the first 60 are shown. None: a serverless cache, or one of which only the load is known. Example: `[\"orders-cache-001\"]`."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "node_type" {
  description = "Node type, whose network baseline and burst the network graph names. Example: `cache.t4g.micro`."
  type        = string
  default     = null
}

variable "engine" {
  description = "Engine of the nodes. ElastiCache has percentiles of the latency for `valkey` alone; null and `redis` show the means that both have. Example: `valkey`."
  type        = string
  default     = null
}

variable "serverless_cache" {
  description = "Name of a serverless cache, which has metrics of its own and no nodes. Example: `orders-cache`."
  type        = string
  default     = null
}

variable "load" {
  description = "ECS names of the load, and its log group. They need not exist yet. Example: `{ cluster = \"perf\", service = \"perf-load\", log_group = \"/elasticache-perf/perf/load\" }`."
  type = object({
    cluster   = string
    service   = string
    log_group = string
  })
  nullable = false
}

variable "log_groups" {
  description = "Names of the cache's log groups, by what is in them: `engine`, `slow`. Example: `{ slow = \"/aws/vendedlogs/elasticache/orders-cache/slow\" }`."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "window" {
  description = "What the dashboard covers when it is opened, in UTC, with a vertical line at both ends. Null: the last three hours. Example: `{ start = \"2026-11-23T03:08:09Z\", end = \"2026-11-23T04:53:09Z\" }`."
  type = object({
    start = string
    end   = string
  })
  default = null

  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
  validation {
    condition     = var.window == null ? true : alltrue([for t in [var.window.start, var.window.end] : can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", t))])
    error_message = "The window's start and end must be times in UTC, such as \"2026-11-23T03:08:09Z\"."
  }
}

variable "lines" {
  description = "Horizontal lines: the connections that the load should have on a node, and the maxima of a serverless cache. Example: `{ connections = 100 }`."
  type = object({
    connections      = optional(number)
    ecpus_per_second = optional(number)
    stored_gb        = optional(number)
  })
  default  = {}
  nullable = false
}

variable "facts" {
  description = "What was run, for the header. Example: `{ cache = \"valkey 8.1 on cache.t4g.micro\" }`."
  type        = map(string)
  default     = {}
  nullable    = false
}
