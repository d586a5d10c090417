resource "aws_elasticache_serverless_cache" "this" {
  count = local.serverless ? 1 : 0

  name                 = var.name
  description          = coalesce(var.cache.description, "Performance run of ${var.name}")
  engine               = var.cache.engine
  major_engine_version = local.engine_version
  subnet_ids           = var.subnet_ids
  security_group_ids   = [aws_security_group.this.id]
  kms_key_id           = var.cache.kms_key_arn
  user_group_id        = one(var.cache.user_group_ids)

  snapshot_retention_limit = 0 # a snapshot during the run would distort it

  # Without a limit the block is omitted: AWS does not return it, and an empty block would be a permanent diff.
  dynamic "cache_usage_limits" {
    for_each = length(local.storage_gb) + length(local.ecpu_per_second) > 0 ? [1] : []

    content {
      dynamic "data_storage" {
        for_each = local.storage_gb

        content {
          minimum = data_storage.value.min_storage_gb
          maximum = data_storage.value.max_storage_gb
          unit    = "GB"
        }
      }

      dynamic "ecpu_per_second" {
        for_each = local.ecpu_per_second

        content {
          minimum = ecpu_per_second.value.min_ecpu_per_second
          maximum = ecpu_per_second.value.max_ecpu_per_second
        }
      }
    }
  }

  tags = local.tags

  lifecycle {
    # One subnet in each of two or three Availability Zones:
    # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/WhatIs.corecomponents.html
    precondition {
      condition     = length(var.subnet_ids) >= 2 && length(var.subnet_ids) <= 3
      error_message = "A serverless cache needs two or three subnets, each in an Availability Zone of its own: subnet_ids has ${length(var.subnet_ids)}."
    }
    precondition {
      condition     = !local.auth
      error_message = "A serverless cache takes no auth token: leave auth_token out."
    }
    # timestamp() is unknown at plan time, so this is checked during apply.
    precondition {
      condition     = var.run == null ? true : timecmp(timestamp(), var.run.stop_by) < 0
      error_message = local.late
    }
  }
}

locals {
  limits          = var.cache.serverless[*]
  storage_gb      = [for l in local.limits : l if l.min_storage_gb != null || l.max_storage_gb != null]
  ecpu_per_second = [for l in local.limits : l if l.min_ecpu_per_second != null || l.max_ecpu_per_second != null]
}
