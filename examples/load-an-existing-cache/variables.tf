variable "name" {
  description = "Name of the load's stack."
  type        = string
  default     = "existing"
}

variable "replication_group_id" {
  description = "Id of your replication group. Example: `orders`."
  type        = string
}

variable "security_group_id" {
  description = "Security group of its nodes, which lets the load in. Example: `sg-0123456789abcdef0`."
  type        = string
}

variable "tls" {
  description = "Whether it speaks TLS."
  type        = bool
  default     = false
}

variable "auth_token" {
  description = "Its password, if it has one: export TF_VAR_auth_token=..."
  type        = string
  default     = null
  sensitive   = true
}

variable "vpc_id" {
  description = "VPC of the cache, where the load goes. Example: `vpc-0123456789abcdef0`."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets for the load. Example: `[\"subnet-0123456789abcdef0\"]`."
  type        = list(string)
}

variable "bucket" {
  description = "Bucket for the exports. Example: `my-elasticache-perf-exports`."
  type        = string
}

variable "minutes" {
  description = "Minutes from the moment the load runs to the stop."
  type        = number
  default     = 15
}

variable "lambda_zip" {
  description = "The Lambda's zip, from the release whose modules main.tf names, or made by `go tool mage build` in a clone of it. Example: `lambda-arm64.zip`."
  type        = string
}

variable "lambda_architecture" {
  description = "Architecture of the Lambda and its zip: arm64 or x86_64."
  type        = string
  default     = "arm64"
}
