# The content of the dashboard, built from names only: nothing here needs the provider.

locals {
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html; empty for an unknown type
  network = [for n in csvdecode(file("${path.module}/node-network.csv")) : n if n.node_type == var.node_type]
  network_is = join("", [
    for n in local.network : " (${join(", ", [for kind in ["baseline", "burst"] : "${kind} ${n["${kind}_gbps"]}" if n["${kind}_gbps"] != ""])})"
  ])

  serverless = var.serverless_cache != null
  nodes      = local.serverless ? [] : slice(var.nodes, 0, min(local.limit, length(var.nodes)))
  # orders-cache-0001-002 is shortened to "0001-002" if that is unique.
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Shards.html
  short = [for n in local.nodes : try(regex("(?:[0-9]{4}-)?[0-9]{3}$", n), n)]
  names = length(local.nodes) == 1 ? [""] : length(distinct(local.short)) == length(local.nodes) ? local.short : local.nodes
  many  = length(local.nodes) > 6 # too many lines to tell apart in a graph
  # A node's name ends in its number within the shard: a shard with several nodes has replicas.
  replicas = length(distinct([for n in local.nodes : replace(n, "/-?[0-9]{3}$/", "")])) < length(local.nodes)

  # At most 60 nodes are shown, fewer if their graphs exceed CloudWatch's limits: 500 metrics in a graph and 2,500 in a dashboard. Expressions count too;
  # there are at most two per metric, whatever the number of nodes.
  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
  of_nodes       = concat(local.graphs_of_network, local.graphs_of_engine, local.graphs_of_credits, local.graphs_of_memory, local.graphs_of_replicas)
  a_node_fetches = [for g in local.of_nodes : length(g.metrics) + (contains(g.metrics[*].draw, "primaries") ? 1 : 0)]
  expressions    = [for g in local.of_nodes : 2 * length(g.metrics) + length(try(g.more, []))]
  of_the_load    = [for g in local.graphs_of_load : length(g.metrics)]
  limit = min(
    60,
    floor((2500 - sum(local.expressions) - sum(local.of_the_load)) / sum(local.a_node_fetches)),
    floor((500 - max(local.expressions...)) / max(local.a_node_fetches...)),
  )

  # The dimension that differs between sources is last.
  sources = concat(
    [for i, n in local.nodes : { name = local.names[i], dimensions = ["CacheNodeId", "0001", "CacheClusterId", n] }],
    [for s in [var.serverless_cache] : { name = "", dimensions = ["clusterId", s] } if local.serverless],
  )
  graphs = [for g in concat(
    [for g in concat(local.graphs_of_network, local.graphs_of_engine) : g if length(local.nodes) > 0],
    [for g in local.graphs_of_credits : g if length(local.nodes) > 0 && can(regex("^cache\\.t", var.node_type))],
    [for g in local.graphs_of_memory : g if length(local.nodes) > 0],
    [for g in local.graphs_of_replicas : g if local.replicas],
    [for g in local.graphs_of_serverless : g if local.serverless],
    ) : merge(local.a_graph, g, {
      metrics = [for i, m in g.metrics : merge(local.a_metric, m, { letter = local.letters[i], all = "METRICS(\"${local.letters[i]}\")" })]
  })]
  letters = ["a", "b", "c", "d", "e", "f"]
  notes = concat(
    ["**limited by** ${local.limits}"],
    [
      for n in [length(var.nodes)] :
      "**nodes** ${n}: graphs show the highest and the mean of ${n > length(local.nodes) ? "the first ${length(local.nodes)}" : "them"}" if local.many
    ],
  )
  # What to look for, in the order of the graphs.
  limits = join("; ", concat(
    ["the load, if its CPU is near 100 %"],
    local.serverless ? ["the cache's maximum, if ECPU/s reach it or commands are throttled"] : [],
    length(local.nodes) == 0 ? [] : [
      "the network, if out or in stays at its baseline or packets are over an allowance",
      "a shard, if the CPU of its engine's thread is near 100 %",
      "memory, if keys are evicted",
    ],
  ))
  # Start and end of the dashboard's window, as vertical lines. The load's own start and stop are only known once the service is steady, and the dashboard
  # is created before that: README.md says why.
  moments = flatten([for w in [var.window] : [{ label = "run starts", value = w.start }, { label = "stop at the latest", value = w.end }] if w != null])

  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html; a record is memtier's progress line, one per second and task. Each task
  # prints equally many, so the mean of the lines times the number of tasks is the total.
  records = join(" | ", [
    "SOURCE '${var.load.log_group}'",
    "filter @message like /^\\[RUN #1 +\\d+%/",
    "parse @message /(?<ops>\\d+) \\(avg: +\\d+\\) ops\\/sec.* (?<ms>[\\d.]+|-nan) \\(avg: +[^)]+\\) msec/",
  ])
  client = [
    {
      title = "Operations a second, as the load measures them"
      query = "${local.records} | stats avg(ops)*count_distinct(@logStream) as operations by bin(1m)"
    },
    {
      title = "Latency in milliseconds, as the load measures it"
      query = "${local.records} | stats sum(ops*ms)/sum(ops) as mean, max(ms) as slowest_second by bin(1m)"
    },
  ]
  said = concat(
    [{
      title = "What the load says"
      group = var.load.log_group
      of    = "filter @message like /^(load:|Totals)|(?i)(error|dropped|failed|timed out)/ | filter @message not like /^(load: hdr|\\[RUN #1 +\\d+%)/"
    }],
    [for kind, group in var.log_groups : {
      title = kind == "slow" ? "Slow commands" : "What the ${kind} says"
      group = group
      of    = "filter @message like /./"
    }],
  )

  body = jsonencode(merge(
    {
      # Graphs keep their period, or a wide time range would count a task once for each of its minutes.
      periodOverride = "inherit"
      widgets        = local.widgets
    },
    { for w in [var.window] : "start" => w.start if w != null },
    { for w in [var.window] : "end" => w.end if w != null },
  ))
  fetched = [for w in jsondecode(local.body).widgets : length(try(w.properties.metrics, []))]
}
