# What is shown, from names alone: nothing here needs the provider.

locals {
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html; an unknown type has no lines
  network = [for n in csvdecode(file("${path.module}/node-network.csv")) : n if n.node_type == var.node_type]
  lines = flatten([for n in local.network : [
    for kind in ["baseline", "burst"] : { label = "${kind} ${n["${kind}_gbps"]} Gbit/s", value = tonumber(n["${kind}_gbps"]) } if n["${kind}_gbps"] != ""
  ]])

  serverless = var.serverless_cache != null
  # A node has up to 24 metrics here: 100 nodes are what a dashboard of 2,500 metrics holds.
  nodes = local.serverless ? [] : slice(var.nodes, 0, min(100, length(var.nodes)))
  # orders-cache-0001-002 is "0001-002" here, if that tells the nodes apart.
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Shards.html
  short = [for n in local.nodes : try(regex("(?:[0-9]{4}-)?[0-9]{3}$", n), n)]
  names = length(local.nodes) == 1 ? [""] : length(distinct(local.short)) == length(local.nodes) ? local.short : local.nodes
  many  = length(local.nodes) > 6 # nobody tells the lines of a graph apart any more

  # The dimension in which they differ comes last.
  sources = concat(
    [for i, n in local.nodes : { name = local.names[i], dimensions = ["CacheNodeId", "0001", "CacheClusterId", n] }],
    [for s in [var.serverless_cache] : { name = "", dimensions = ["clusterId", s] } if local.serverless],
  )
  graphs = concat(
    [for g in local.graphs_of_nodes : g if length(local.nodes) > 0],
    [for g in local.graphs_of_credits : g if length(local.nodes) > 0 && can(regex("^cache\\.t", var.node_type))],
    [for g in local.graphs_of_serverless : g if local.serverless],
  )
  notes = concat(
    [for n in [length(var.nodes)] : "**nodes** ${n}: graphs show the highest and the mean of ${n > length(local.nodes) ? "the first ${length(local.nodes)}" : "them"}" if local.many],
  )

  body = jsonencode(jsondecode(templatefile("${path.module}/dashboard.json.tftpl", {
    name    = var.name
    region  = local.region
    load    = var.load
    facts   = var.facts
    notes   = local.notes
    top     = 3 + length(local.notes)
    many    = local.many
    sources = local.sources
    graphs  = local.graphs
    letters = ["a", "b", "c", "d"]
    words   = { MAX = "highest", MIN = "lowest" }
  })))
  fetched = [for w in jsondecode(local.body).widgets : length(try(w.properties.metrics, []))]
}
