# One tag is common to all stacks of the project, by which each of them is found, whoever forgot it.
locals {
  tags = merge(var.tags, { name = var.name, elasticache-perf = var.name })
}

provider "aws" {
  region = var.aws_region

  default_tags {
    tags = local.tags
  }
}
