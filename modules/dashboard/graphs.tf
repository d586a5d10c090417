locals {
  # What a metric is drawn as: itself, or by a factor behind its expression. ID is the metric whose period counts.
  per_second = "/PERIOD(ID)"
  gbits      = "*8/1000000000/PERIOD(ID)" # a second, of bytes
  gigabytes  = "/1000000000"

  # A graph's metrics are [name, statistic, label, factor]. total sums the nodes up; else each node has its line, or with many nodes the highest (or
  # lowest) one and the mean have, and busiest is a further line. https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html
  graphs_of_nodes = [
    { title = "Throughput, all nodes", axis = "commands/s", total = true, busiest = "commands, busiest node", worst = "MAX", lines = [], metrics = [["ProcessedCommands", "Sum", "commands", local.per_second], ["GetTypeCmds", "Sum", "reads", local.per_second], ["SetTypeCmds", "Sum", "writes", local.per_second]] },
    { title = "Hit rate", axis = "%", total = false, busiest = "", worst = "MIN", lines = [], metrics = [["CacheHitRate", "Average", "hits", ""]] },
    { title = "Latency of successful reads, inside the cache", axis = "µs", total = false, busiest = "", worst = "MAX", lines = [], metrics = [["SuccessfulReadRequestLatency", "p50", "p50", ""], ["SuccessfulReadRequestLatency", "p99", "p99", ""]] },
    { title = "Latency of successful writes, inside the cache", axis = "µs", total = false, busiest = "", worst = "MAX", lines = [], metrics = [["SuccessfulWriteRequestLatency", "p50", "p50", ""], ["SuccessfulWriteRequestLatency", "p99", "p99", ""]] },
    { title = "Network in, and what a node has", axis = "Gbit/s", total = false, busiest = "", worst = "MAX", lines = local.lines, metrics = [["NetworkBytesIn", "Sum", "in", local.gbits]] },
    { title = "Network out, and what a node has", axis = "Gbit/s", total = false, busiest = "", worst = "MAX", lines = local.lines, metrics = [["NetworkBytesOut", "Sum", "out", local.gbits]] },
    { title = "Packets over the network allowances, all nodes", axis = "packets/s", total = true, busiest = "", worst = "MAX", lines = [], metrics = [["NetworkBandwidthInAllowanceExceeded", "Sum", "bandwidth in", local.per_second], ["NetworkBandwidthOutAllowanceExceeded", "Sum", "bandwidth out", local.per_second], ["NetworkPacketsPerSecondAllowanceExceeded", "Sum", "packets a second", local.per_second], ["NetworkConntrackAllowanceExceeded", "Sum", "connections tracked", local.per_second]] },
    { title = "CPU: engine thread and host", axis = "%", total = false, busiest = "", worst = "MAX", lines = [], metrics = [["EngineCPUUtilization", "Maximum", "engine", ""], ["CPUUtilization", "Average", "host", ""]] },
    { title = "Memory", axis = "%", total = false, busiest = "", worst = "MAX", lines = [], metrics = [["DatabaseMemoryUsagePercentage", "Maximum", "used", ""]] },
    { title = "Evictions and expired keys, all nodes", axis = "keys/s", total = true, busiest = "", worst = "MAX", lines = [], metrics = [["Evictions", "Sum", "evicted", local.per_second], ["Reclaimed", "Sum", "expired", local.per_second]] },
    { title = "Keys, all nodes", axis = "keys", total = true, busiest = "", worst = "MAX", lines = [], metrics = [["CurrItems", "Maximum", "keys", ""]] },
    { title = "Connections", axis = "connections", total = false, busiest = "", worst = "MAX", lines = [], metrics = [["CurrConnections", "Maximum", "open", ""], ["NewConnections", "Sum", "new a second", local.per_second]] },
  ]

  # Only t types have credits, and CloudWatch a value every 5 minutes.
  graphs_of_credits = [
    { title = "CPU credits", axis = "credits", total = false, busiest = "", worst = "MIN", lines = [], metrics = [["CPUCreditBalance", "Average", "balance", ""]] },
  ]

  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/serverless-metrics-events-redis.html
  graphs_of_serverless = [
    { title = "Throughput", axis = "commands/s", total = true, busiest = "", worst = "MAX", lines = [], metrics = [["TotalCmdsCount", "Sum", "commands", local.per_second], ["GetTypeCmds", "Sum", "reads", local.per_second], ["SetTypeCmds", "Sum", "writes", local.per_second]] },
    { title = "Hit rate", axis = "%", total = false, busiest = "", worst = "MIN", lines = [], metrics = [["CacheHitRate", "Average", "hits", ""]] },
    { title = "Latency of successful reads, inside the cache", axis = "µs", total = false, busiest = "", worst = "MAX", lines = [], metrics = [["SuccessfulReadRequestLatency", "p50", "p50", ""], ["SuccessfulReadRequestLatency", "p99", "p99", ""]] },
    { title = "Latency of successful writes, inside the cache", axis = "µs", total = false, busiest = "", worst = "MAX", lines = [], metrics = [["SuccessfulWriteRequestLatency", "p50", "p50", ""], ["SuccessfulWriteRequestLatency", "p99", "p99", ""]] },
    { title = "ElastiCache processing units", axis = "ECPU/s", total = true, busiest = "", worst = "MAX", lines = [], metrics = [["ElastiCacheProcessingUnits", "Sum", "ECPU", local.per_second]] },
    { title = "Throttled commands", axis = "commands/s", total = true, busiest = "", worst = "MAX", lines = [], metrics = [["ThrottledCmds", "Sum", "throttled", local.per_second]] },
    { title = "Network", axis = "Gbit/s", total = true, busiest = "", worst = "MAX", lines = [], metrics = [["NetworkBytesIn", "Sum", "in", local.gbits], ["NetworkBytesOut", "Sum", "out", local.gbits]] },
    { title = "Data stored", axis = "GB", total = true, busiest = "", worst = "MAX", lines = [], metrics = [["BytesUsedForCache", "Maximum", "stored", local.gigabytes]] },
    { title = "Evictions", axis = "keys/s", total = true, busiest = "", worst = "MAX", lines = [], metrics = [["Evictions", "Sum", "evicted", local.per_second]] },
    { title = "Keys", axis = "keys", total = false, busiest = "", worst = "MAX", lines = [], metrics = [["CurrItems", "Maximum", "keys", ""]] },
    { title = "Connections", axis = "connections", total = false, busiest = "", worst = "MAX", lines = [], metrics = [["CurrConnections", "Maximum", "open", ""], ["NewConnections", "Sum", "new a second", local.per_second]] },
  ]
}
