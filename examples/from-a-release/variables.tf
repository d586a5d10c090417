variable "name" {
  description = "Name of everything that is made. Example: `orders-perf`."
  type        = string
  default     = "from-a-release"
}

variable "vpc_id" {
  description = "VPC for cache and load. Example: `vpc-0123456789abcdef0`."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets of that VPC. Example: `[\"subnet-0123456789abcdef0\"]`."
  type        = list(string)
}

variable "bucket" {
  description = "Bucket for the exports, in the same Region. Example: `my-elasticache-perf-exports`."
  type        = string
}

variable "minutes" {
  description = "How long the load runs. Example: `45`."
  type        = number
  default     = 45
}

variable "lambda" {
  description = "The release's zip as a file, and its sum as SHA256SUMS has it. Example: `{ zip = \"lambda-arm64.zip\", sha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\" }`."
  type = object({
    zip          = string
    sha256       = string
    architecture = optional(string, "arm64")
  })
}

variable "load" {
  description = "The load: its workload by name, and how much of it. Example: `{ workload = \"session-store\", clients = 50 }`."
  type = object({
    workload   = optional(string)
    task_count = optional(number)
    clients    = optional(number)
    rate_limit = optional(number)
  })
  default = {}
}
