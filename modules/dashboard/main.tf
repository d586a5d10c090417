data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  region = lookup(data.aws_region.current, "region", data.aws_region.current.name) # provider 6 renamed it

  console = {
    aws        = "console.aws.amazon.com"
    aws-cn     = "console.amazonaws.cn"
    aws-us-gov = "console.amazonaws-us-gov.com"
  }

  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html; an unknown type has no lines
  network = [for n in csvdecode(file("${path.module}/node-network.csv")) : n if n.node_type == var.node_type]
  lines = flatten([for n in local.network : [
    for kind in ["baseline", "burst"] : {
      label = "${kind} ${n["${kind}_gbps"]} Gbps"
      value = tonumber(n["${kind}_gbps"]) * 1000000000 / 8 * 60 # bytes a minute, as the metric counts
    } if n["${kind}_gbps"] != ""
  ]])
}

locals {
  # A dashboard takes 2,500 metrics, and a node has 21 here:
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
  nodes = slice(var.nodes, 0, min(100, length(var.nodes)))
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode(jsondecode(templatefile("${path.module}/dashboard.json.tftpl", {
    name   = var.name
    region = local.region
    nodes  = local.nodes
    load   = var.load
    facts  = var.facts
    lines  = local.lines
  })))
}
