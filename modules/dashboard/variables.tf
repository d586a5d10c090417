variable "name" {
  description = "Name of the dashboard. Example: `orders-cache`."
  type        = string
  nullable    = false

  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.name))
    error_message = "The name must have 1 to 255 characters: letters, digits, hyphens and underscores."
  }
}

variable "nodes" {
  description = "CacheClusterId of each cache node; the first 100 are shown. None: a serverless cache, or one of which only the load is known. Example: `[\"orders-cache-001\"]`."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "node_type" {
  description = "Node type, whose network baseline and burst become lines in the network graphs. Example: `cache.t4g.micro`."
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

variable "facts" {
  description = "What was run, for the header. Example: `{ cache = \"valkey 8.1 on cache.t4g.micro\" }`."
  type        = map(string)
  default     = {}
  nullable    = false
}
