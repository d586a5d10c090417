locals {
  # What a metric is drawn as: itself, or by a factor behind its expression. ID is the metric whose period counts.
  per_second  = "/PERIOD(ID)"
  per_minute  = "*60/PERIOD(ID)"
  gbits       = "*8/1000000000/PERIOD(ID)" # a second, of bytes
  gbits_peak  = "*8/1000000000"            # of bytes in the fullest second
  gigabytes   = "/1000000000"
  millisecond = "/1000"

  # Colours by meaning, on all graphs. https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
  blue   = "#1f77b4" # reads, out, what is usual
  orange = "#ff7f0e" # writes, in
  green  = "#2ca02c" # all of it
  red    = "#d62728" # what should not be there
  purple = "#9467bd" # the worst of reads
  brown  = "#8c564b" # the worst of writes

  # A metric is [name, statistic, label, factor, how, colour]. How: "node" draws each node (with many nodes the highest and the mean), "sum" all nodes
  # together, "primaries" those that are the primary of their shard at the time (replicas repeat its writes and keys), "max" and "min" the node with most or
  # least, "hidden" only what `more` calculates of it: A is the sum of the graph's first metric, B of its second.
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html and CacheMetrics.HostLevel.html
  graphs_of_network = [
    { title = "Network out, of the baseline", axis = "%", top = null, lines = [{ label = "baseline, above it burst", value = 100 }], more = [], metrics = [["NetworkBaselineUsageOutPercentage", "Average", "out", "", "node", local.blue]] },
    { title = "Network in, of the baseline", axis = "%", top = null, lines = [{ label = "baseline, above it burst", value = 100 }], more = [], metrics = [["NetworkBaselineUsageInPercentage", "Average", "in", "", "node", local.orange]] },
    { title = "Busiest node${local.network_is}", axis = "Gbit/s", top = null, lines = [], more = [], metrics = [
      ["NetworkBytesOut", "Sum", "out", local.gbits, "max", local.blue], ["NetworkBytesIn", "Sum", "in", local.gbits, "max", local.orange],
      ["NetworkMaxBytesOut", "Maximum", "out, fullest second", local.gbits_peak, "max", local.purple], ["NetworkMaxBytesIn", "Maximum", "in, fullest second", local.gbits_peak, "max", local.brown],
    ] },
    { title = "Packets over network allowances", axis = "packets a minute", top = null, lines = [], more = [], metrics = [
      ["NetworkBandwidthOutAllowanceExceeded", "Sum", "bandwidth out", local.per_minute, "sum", local.blue], ["NetworkBandwidthInAllowanceExceeded", "Sum", "bandwidth in", local.per_minute, "sum", local.orange],
      ["NetworkPacketsPerSecondAllowanceExceeded", "Sum", "packets a second", local.per_minute, "sum", local.red], ["NetworkConntrackAllowanceExceeded", "Sum", "connections tracked", local.per_minute, "sum", local.purple],
    ] },
  ]

  graphs_of_engine = [
    { title = "CPU of the engine's thread", axis = "%", top = 100, lines = [], more = [], metrics = [["EngineCPUUtilization", "Maximum", "engine", "", "node", local.blue]] },
    { title = "CPU of the host, all cores", axis = "%", top = 100, lines = [], more = [], metrics = [["CPUUtilization", "Average", "host", "", "node", local.orange]] },
    { title = "Commands, each counted once", axis = "commands/s", top = null, lines = [], more = [], metrics = [
      ["GetTypeCmds", "Sum", "reads", local.per_second, "sum", local.blue], ["SetTypeCmds", "Sum", "writes", local.per_second, "primaries", local.orange],
    ] },
    { title = "Latency inside the cache, slowest node", axis = "ms", top = null, lines = [], more = [], metrics = concat(
      [["GetTypeCmdsLatency", "Average", "reads, mean", local.millisecond, "max", local.blue], ["SetTypeCmdsLatency", "Average", "writes, mean", local.millisecond, "max", local.orange]],
      [for m in local.percentiles : m if var.engine == "valkey"],
    ) },
    { title = "Reads that hit", axis = "%", top = 100, lines = [], more = [{ of = "100*A/(A+B)", label = "hits", color = local.blue }], metrics = [["CacheHits", "Sum", "hits", "", "hidden", ""], ["CacheMisses", "Sum", "misses", "", "hidden", ""]] },
    { title = "Traffic management", axis = "1: active", top = 1, lines = [], more = [], metrics = [["TrafficManagementActive", "Maximum", "any node", "", "max", local.red]] },
  ]

  # ElastiCache has these for Valkey 7.2 and newer alone. https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html
  percentiles = [
    ["SuccessfulReadRequestLatency", "p99", "reads, p99", local.millisecond, "max", local.purple], ["SuccessfulWriteRequestLatency", "p99", "writes, p99", local.millisecond, "max", local.brown],
  ]

  graphs_of_memory = [
    { title = "Memory used", axis = "%", top = 100, lines = [], more = [], metrics = [["DatabaseMemoryUsagePercentage", "Maximum", "used", "", "node", local.blue]] },
    { title = "Keys, each counted once", axis = "keys", top = null, lines = [], more = [], metrics = [["CurrItems", "Maximum", "keys", "", "primaries", local.green]] },
    { title = "Keys evicted and expired", axis = "keys/s", top = null, lines = [], more = [], metrics = [["Evictions", "Sum", "evicted", local.per_second, "primaries", local.red], ["Reclaimed", "Sum", "expired", local.per_second, "primaries", local.blue]] },
    { title = "Connections open", axis = "connections", top = null, lines = [for n in [var.lines.connections] : { label = "of the load", value = n } if n != null], more = [], metrics = [["CurrConnections", "Maximum", "open", "", "node", local.blue]] },
    { title = "Connections opened, rejected", axis = "a minute", top = null, lines = [], more = [], metrics = [["NewConnections", "Sum", "opened", local.per_minute, "sum", local.blue], ["RejectedConnections", "Sum", "rejected", local.per_minute, "sum", local.red]] },
  ]

  # Only t types have credits, and CloudWatch a value every 5 minutes.
  graphs_of_credits = [
    { title = "CPU credits", axis = "credits", top = null, lines = [], more = [], metrics = [["CPUCreditBalance", "Average", "balance", "", "node", local.blue]] },
  ]

  # A primary has no lag and no link of its own.
  graphs_of_replicas = [
    { title = "Replication lag, worst replica", axis = "s", top = null, lines = [], more = [], metrics = [["ReplicationLag", "Maximum", "lag", "", "max", local.red]] },
    { title = "Replication link, worst replica", axis = "0: down", top = 1, lines = [], more = [], metrics = [["MasterLinkHealthStatus", "Minimum", "link", "", "min", local.green]] },
  ]

  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/serverless-metrics-events-redis.html
  graphs_of_serverless = [
    { title = "ElastiCache processing units", axis = "ECPU/s", top = null, lines = [for n in [var.lines.ecpus_per_second] : { label = "maximum", value = n } if n != null], more = [], metrics = [["ElastiCacheProcessingUnits", "Sum", "ECPU", local.per_second, "sum", local.blue]] },
    { title = "Commands throttled", axis = "a minute", top = null, lines = [], more = [], metrics = [["ThrottledCmds", "Sum", "throttled", local.per_minute, "sum", local.red]] },
    { title = "Network", axis = "Gbit/s", top = null, lines = [], more = [], metrics = [["NetworkBytesOut", "Sum", "out", local.gbits, "sum", local.blue], ["NetworkBytesIn", "Sum", "in", local.gbits, "sum", local.orange]] },
    { title = "Commands", axis = "commands/s", top = null, lines = [], more = [], metrics = [["GetTypeCmds", "Sum", "reads", local.per_second, "sum", local.blue], ["SetTypeCmds", "Sum", "writes", local.per_second, "sum", local.orange], ["TotalCmdsCount", "Sum", "all", local.per_second, "sum", local.green]] },
    { title = "Latency inside the cache", axis = "ms", top = null, lines = [], more = [], metrics = concat(
      [["SuccessfulReadRequestLatency", "p50", "reads, p50", local.millisecond, "max", local.blue], ["SuccessfulWriteRequestLatency", "p50", "writes, p50", local.millisecond, "max", local.orange]], local.percentiles,
    ) },
    { title = "Reads that hit", axis = "%", top = 100, lines = [], more = [{ of = "100*A/(A+B)", label = "hits", color = local.blue }], metrics = [["CacheHits", "Sum", "hits", "", "hidden", ""], ["CacheMisses", "Sum", "misses", "", "hidden", ""]] },
    { title = "Data stored", axis = "GB", top = null, lines = [for n in [var.lines.stored_gb] : { label = "maximum", value = n } if n != null], more = [], metrics = [["BytesUsedForCache", "Maximum", "stored", local.gigabytes, "max", local.blue]] },
    { title = "Keys", axis = "keys", top = null, lines = [], more = [], metrics = [["CurrItems", "Maximum", "keys", "", "max", local.green]] },
    { title = "Keys evicted", axis = "keys/s", top = null, lines = [], more = [], metrics = [["Evictions", "Sum", "evicted", local.per_second, "sum", local.red]] },
    { title = "Connections open", axis = "connections", top = null, lines = [for n in [var.lines.connections] : { label = "of the load", value = n } if n != null], more = [], metrics = [["CurrConnections", "Maximum", "open", "", "max", local.blue]] },
    { title = "Connections opened", axis = "a minute", top = null, lines = [], more = [], metrics = [["NewConnections", "Sum", "opened", local.per_minute, "sum", local.blue]] },
  ]
}
