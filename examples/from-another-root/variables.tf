variable "application" {
  description = "Name of the application; everything is named after it. Example: `orders`."
  type        = string
  default     = "orders"
}

variable "vpc" {
  description = "Name tag of the application's VPC. Example: `production`."
  type        = string
}

variable "subnets" {
  description = "Name tag of its private subnets; `*` stands for anything. Example: `production-private-*`."
  type        = string
}

variable "trial" {
  description = "Name of the load's run, which its log lines carry. Another one replaces the tasks. Example: `before-the-change`."
  type        = string
  default     = "first"
}
