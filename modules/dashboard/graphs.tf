locals {
  # How a metric is scaled: a factor appended to its expression, or none. ID is the metric with the period.
  per_second  = "/PERIOD(ID)"
  per_minute  = "*60/PERIOD(ID)"
  gbits       = "*8/1000000000/PERIOD(ID)" # per second, from bytes
  gbits_peak  = "*8/1000000000"            # from bytes in the busiest second
  gigabytes   = "/1000000000"
  millisecond = "/1000"

  # Colours by meaning, on all graphs. https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
  blue   = "#1f77b4" # reads, outbound, normal values
  orange = "#ff7f0e" # writes, inbound
  green  = "#2ca02c" # totals
  red    = "#d62728" # errors and other unwanted values
  purple = "#9467bd" # slowest reads
  brown  = "#8c564b" # slowest writes

  # A graph has a title, an axis label and metrics. Optional, with their defaults: `top`, the axis's maximum; `lines`, horizontal lines; `more`, an expression
  # over all nodes, where A is the sum of the first metric and B of the second; `worst`, drawn beside the mean if there are many nodes.
  a_graph = {
    top    = null
    period = 60
    lines  = []
    more   = []
    worst  = { of = "MAX", label = "highest", color = local.orange }
  }
  # A metric has a name, a statistic, a label and a drawing mode: "node" draws each node (the worst and the mean if there are many), "sum" the sum of all,
  # "primaries" the sum of the current primaries (replicas repeat their writes and keys), "max" and "min" the highest or lowest node, "hidden" only the
  # expression in `more`. https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html and CacheMetrics.HostLevel.html
  a_metric = { factor = "", color = "" }

  # Each running task publishes one sample a minute: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html
  graphs_of_load = [
    {
      title = "Load tasks: CPU and memory"
      axis  = "%"
      top   = 100
      metrics = [
        { name = "CPUUtilization", stat = "Maximum", label = "CPU, busiest task", color = local.brown },
        { name = "CPUUtilization", stat = "Average", label = "CPU, mean", color = local.blue },
        { name = "MemoryUtilization", stat = "Maximum", label = "memory, highest", color = local.orange },
      ]
    },
    {
      title = "Load tasks running"
      axis  = "tasks"
      top   = null
      metrics = [
        { name = "CPUUtilization", stat = "SampleCount", label = "tasks", color = local.blue },
      ]
    },
  ]

  graphs_of_network = [
    {
      title = "Network out, of the baseline"
      axis  = "%"
      lines = [{ label = "baseline, above it burst", value = 100 }]
      metrics = [
        { name = "NetworkBaselineUsageOutPercentage", stat = "Average", label = "out", draw = "node", color = local.blue },
      ]
    },
    {
      title = "Network in, of the baseline"
      axis  = "%"
      lines = [{ label = "baseline, above it burst", value = 100 }]
      metrics = [
        { name = "NetworkBaselineUsageInPercentage", stat = "Average", label = "in", draw = "node", color = local.orange },
      ]
    },
    {
      title = "Busiest node${local.network_is}"
      axis  = "Gbit/s"
      metrics = [
        { name = "NetworkBytesOut", stat = "Sum", label = "out", factor = local.gbits, draw = "max", color = local.blue },
        { name = "NetworkBytesIn", stat = "Sum", label = "in", factor = local.gbits, draw = "max", color = local.orange },
        { name = "NetworkMaxBytesOut", stat = "Maximum", label = "out, fullest second", factor = local.gbits_peak, draw = "max", color = local.purple },
        { name = "NetworkMaxBytesIn", stat = "Maximum", label = "in, fullest second", factor = local.gbits_peak, draw = "max", color = local.brown },
      ]
    },
    {
      title = "Packets over network allowances"
      axis  = "packets a minute"
      metrics = [
        { name = "NetworkBandwidthOutAllowanceExceeded", stat = "Sum", label = "bandwidth out", factor = local.per_minute, draw = "sum", color = local.blue },
        { name = "NetworkBandwidthInAllowanceExceeded", stat = "Sum", label = "bandwidth in", factor = local.per_minute, draw = "sum", color = local.orange },
        {
          name   = "NetworkPacketsPerSecondAllowanceExceeded"
          stat   = "Sum"
          label  = "packets a second"
          factor = local.per_minute
          draw   = "sum"
          color  = local.red
        },
        {
          name   = "NetworkConntrackAllowanceExceeded"
          stat   = "Sum"
          label  = "connections tracked"
          factor = local.per_minute
          draw   = "sum"
          color  = local.purple
        },
      ]
    },
  ]

  graphs_of_engine = [
    {
      title = "CPU of the engine's thread"
      axis  = "%"
      top   = 100
      metrics = [
        { name = "EngineCPUUtilization", stat = "Maximum", label = "engine", draw = "node", color = local.blue },
      ]
    },
    {
      title = "CPU of the host, all cores"
      axis  = "%"
      top   = 100
      metrics = [
        { name = "CPUUtilization", stat = "Average", label = "host", draw = "node", color = local.orange },
      ]
    },
    {
      title = "Commands, each counted once"
      axis  = "commands/s"
      metrics = [
        { name = "GetTypeCmds", stat = "Sum", label = "reads", factor = local.per_second, draw = "sum", color = local.blue },
        { name = "SetTypeCmds", stat = "Sum", label = "writes", factor = local.per_second, draw = "primaries", color = local.orange },
      ]
    },
    {
      title = "Latency inside the cache, slowest node"
      axis  = "ms"
      metrics = concat(
        [
          { name = "GetTypeCmdsLatency", stat = "Average", label = "reads, mean", factor = local.millisecond, draw = "max", color = local.blue },
          { name = "SetTypeCmdsLatency", stat = "Average", label = "writes, mean", factor = local.millisecond, draw = "max", color = local.orange },
        ],
        [for m in local.percentiles : m if var.engine == "valkey"],
      )
    },
    local.graph_of_hits,
    {
      title = "Traffic management"
      axis  = "1: active"
      top   = 1
      metrics = [
        { name = "TrafficManagementActive", stat = "Maximum", label = "any node", draw = "max", color = local.red },
      ]
    },
  ]

  graph_of_hits = {
    title = "Reads that hit"
    axis  = "%"
    top   = 100
    more  = [{ of = "100*A/(A+B)", label = "hits", color = local.blue }]
    metrics = [
      { name = "CacheHits", stat = "Sum", label = "hits", draw = "hidden" },
      { name = "CacheMisses", stat = "Sum", label = "misses", draw = "hidden" },
    ]
  }

  # ElastiCache has these for Valkey 7.2 and later only. https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html
  percentiles = [
    { name = "SuccessfulReadRequestLatency", stat = "p99", label = "reads, p99", factor = local.millisecond, draw = "max", color = local.purple },
    { name = "SuccessfulWriteRequestLatency", stat = "p99", label = "writes, p99", factor = local.millisecond, draw = "max", color = local.brown },
  ]

  graphs_of_memory = [
    {
      title = "Memory used"
      axis  = "%"
      top   = 100
      metrics = [
        { name = "DatabaseMemoryUsagePercentage", stat = "Maximum", label = "used", draw = "node", color = local.blue },
      ]
    },
    {
      title = "Keys, each counted once"
      axis  = "keys"
      metrics = [
        { name = "CurrItems", stat = "Maximum", label = "keys", draw = "primaries", color = local.green },
      ]
    },
    {
      title = "Keys evicted and expired"
      axis  = "keys/s"
      metrics = [
        { name = "Evictions", stat = "Sum", label = "evicted", factor = local.per_second, draw = "primaries", color = local.red },
        { name = "Reclaimed", stat = "Sum", label = "expired", factor = local.per_second, draw = "primaries", color = local.blue },
      ]
    },
    {
      title = "Connections open"
      axis  = "connections"
      lines = [for n in [var.lines.connections] : { label = "of the load", value = n } if n != null]
      metrics = [
        { name = "CurrConnections", stat = "Maximum", label = "open", draw = "node", color = local.blue },
      ]
    },
    {
      title = "Connections opened, rejected"
      axis  = "a minute"
      metrics = [
        { name = "NewConnections", stat = "Sum", label = "opened", factor = local.per_minute, draw = "sum", color = local.blue },
        { name = "RejectedConnections", stat = "Sum", label = "rejected", factor = local.per_minute, draw = "sum", color = local.red },
      ]
    },
  ]

  # Only t types have credits, with one value every 5 minutes.
  graphs_of_credits = [
    {
      title  = "CPU credits"
      axis   = "credits"
      period = 300
      worst  = { of = "MIN", label = "lowest", color = local.orange }
      metrics = [
        { name = "CPUCreditBalance", stat = "Average", label = "balance", draw = "node", color = local.blue },
      ]
    },
  ]

  # A primary has no replication lag or link.
  graphs_of_replicas = [
    {
      title = "Replication lag, worst replica"
      axis  = "s"
      metrics = [
        { name = "ReplicationLag", stat = "Maximum", label = "lag", draw = "max", color = local.red },
      ]
    },
    {
      title = "Replication link, worst replica"
      axis  = "0: down"
      top   = 1
      metrics = [
        { name = "MasterLinkHealthStatus", stat = "Minimum", label = "link", draw = "min", color = local.green },
      ]
    },
  ]

  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/serverless-metrics-events-redis.html
  graphs_of_serverless = [
    {
      title = "ElastiCache processing units"
      axis  = "ECPU/s"
      lines = [for n in [var.lines.ecpus_per_second] : { label = "maximum", value = n } if n != null]
      metrics = [
        { name = "ElastiCacheProcessingUnits", stat = "Sum", label = "ECPU", factor = local.per_second, draw = "sum", color = local.blue },
      ]
    },
    {
      title = "Commands throttled"
      axis  = "a minute"
      metrics = [
        { name = "ThrottledCmds", stat = "Sum", label = "throttled", factor = local.per_minute, draw = "sum", color = local.red },
      ]
    },
    {
      title = "Network"
      axis  = "Gbit/s"
      metrics = [
        { name = "NetworkBytesOut", stat = "Sum", label = "out", factor = local.gbits, draw = "sum", color = local.blue },
        { name = "NetworkBytesIn", stat = "Sum", label = "in", factor = local.gbits, draw = "sum", color = local.orange },
      ]
    },
    {
      title = "Commands"
      axis  = "commands/s"
      metrics = [
        { name = "GetTypeCmds", stat = "Sum", label = "reads", factor = local.per_second, draw = "sum", color = local.blue },
        { name = "SetTypeCmds", stat = "Sum", label = "writes", factor = local.per_second, draw = "sum", color = local.orange },
        { name = "TotalCmdsCount", stat = "Sum", label = "all", factor = local.per_second, draw = "sum", color = local.green },
      ]
    },
    {
      title = "Latency inside the cache"
      axis  = "ms"
      metrics = concat(
        [
          { name = "SuccessfulReadRequestLatency", stat = "p50", label = "reads, p50", factor = local.millisecond, draw = "max", color = local.blue },
          { name = "SuccessfulWriteRequestLatency", stat = "p50", label = "writes, p50", factor = local.millisecond, draw = "max", color = local.orange },
        ],
        local.percentiles,
      )
    },
    local.graph_of_hits,
    {
      title = "Data stored"
      axis  = "GB"
      lines = [for n in [var.lines.stored_gb] : { label = "maximum", value = n } if n != null]
      metrics = [
        { name = "BytesUsedForCache", stat = "Maximum", label = "stored", factor = local.gigabytes, draw = "max", color = local.blue },
      ]
    },
    {
      title = "Keys"
      axis  = "keys"
      metrics = [
        { name = "CurrItems", stat = "Maximum", label = "keys", draw = "max", color = local.green },
      ]
    },
    {
      title = "Keys evicted"
      axis  = "keys/s"
      metrics = [
        { name = "Evictions", stat = "Sum", label = "evicted", factor = local.per_second, draw = "sum", color = local.red },
      ]
    },
    {
      title = "Connections open"
      axis  = "connections"
      lines = [for n in [var.lines.connections] : { label = "of the load", value = n } if n != null]
      metrics = [
        { name = "CurrConnections", stat = "Maximum", label = "open", draw = "max", color = local.blue },
      ]
    },
    {
      title = "Connections opened"
      axis  = "a minute"
      metrics = [
        { name = "NewConnections", stat = "Sum", label = "opened", factor = local.per_minute, draw = "sum", color = local.blue },
      ]
    },
  ]
}
