# All stacks of the project have this tag, so that forgotten ones can be found.
locals {
  tags = merge(var.tags, { name = var.name, elasticache-perf = var.name })
}

provider "aws" {
  region = var.aws_region

  default_tags {
    tags = local.tags
  }
}
