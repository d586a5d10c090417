variable "name" {
  description = "Name of the cache."
  type        = string
  default     = "cache-only"
}

variable "vpc_id" {
  description = "VPC of the cache. Example: `vpc-0123456789abcdef0`."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the cache nodes. Example: `[\"subnet-0123456789abcdef0\"]`."
  type        = list(string)
}

variable "clients" {
  description = "Security groups that may reach the cache. Example: `{ app = \"sg-0123456789abcdef0\" }`."
  type        = map(string)
  default     = {}
}
