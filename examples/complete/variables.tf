variable "name" {
  description = "Name of the stack."
  type        = string
  default     = "complete"
}

variable "vpc_id" {
  description = "VPC for cache and load. Example: `vpc-0123456789abcdef0`."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets in at least two Availability Zones. Example: `[\"subnet-0123456789abcdef0\", \"subnet-0123456789abcdef1\"]`."
  type        = list(string)
}

variable "bucket" {
  description = "Bucket for the exports. Example: `my-elasticache-perf-exports`."
  type        = string
}

variable "auth_token" {
  description = "Password of the cache, 16 to 128 characters: export TF_VAR_auth_token=..."
  type        = string
  sensitive   = true
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
  description = "arm64 or x86_64, the machine's own on an embedded AWS. Example: `x86_64`."
  type        = string
  default     = "arm64"
}

variable "email" {
  description = "Email address notified when the run ends."
  type        = string
  default     = null
}

variable "ca_pem" {
  description = "Certificates to trust instead of Amazon's roots: for an embedded AWS, whose CA is its own."
  type        = string
  default     = null
}
