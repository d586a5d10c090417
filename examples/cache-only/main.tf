# A cache without load, scheduler or dashboard: modules/cache in a root of its own. It lives, and costs, until it is
# destroyed: nothing ends it.

provider "aws" {
  default_tags {
    tags = { name = var.name }
  }
}

module "cache" {
  source = "github.com/elasticache-perf/elasticache-perf//modules/cache?ref=v0.1.0"

  name       = var.name
  vpc_id     = var.vpc_id
  subnet_ids = var.subnet_ids
  clients    = var.clients

  cache = {
    engine     = "valkey"
    node_type  = "cache.t4g.micro"
    replicas   = 1
    parameters = { maxmemory-policy = "allkeys-lru" }
  }
}

output "address" {
  description = "Where clients connect."
  value       = "${module.cache.endpoint}:${module.cache.port}"
}

output "security_group_id" {
  description = "Security group of the nodes, which lets the clients in."
  value       = module.cache.security_group_id
}
