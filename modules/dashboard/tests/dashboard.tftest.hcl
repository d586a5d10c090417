mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "eu-central-1" }
  }
}

variables {
  name      = "orders"
  nodes     = ["orders-0001-001", "orders-0002-001"]
  node_type = "cache.t4g.micro"
  load      = { cluster = "orders", service = "orders-load", log_group = "/elasticache-perf/orders/load" }
  facts     = { run = "2026-11-23T03-08-09Z", cache = "valkey 8.1, 2 x cache.t4g.micro" }
}

run "dashboard" {
  command = plan

  assert {
    condition     = jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].properties.markdown == "# orders\n\n- **cache** valkey 8.1, 2 x cache.t4g.micro\n- **run** 2026-11-23T03-08-09Z\n- **limited by** the load, if its CPU is near 100 %; the network, if out or in stays at its baseline or packets are over an allowance; a shard, if the CPU of its engine's thread is near 100 %; memory, if keys are evicted"
    error_message = "The header says what was run, and what limits a run."
  }
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 22
    error_message = "Header, two graphs of the clients, two of the tasks, sixteen of the cache, and what the load says."
  }
  assert {
    condition = join(", ", [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : try(w.properties.title, "-") if w.y < 17]) == join(", ", [
      "-", "Operations a second, as the load measures them", "Latency in milliseconds, as the load measures it", "Load tasks: CPU and memory", "Load tasks running",
      "Network out, of the baseline", "Network in, of the baseline", "Busiest node (baseline 0.064, burst 5)",
    ])
    error_message = "The clients come first, then the load's own CPU, then the network."
  }
  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : jsonencode(w.properties.metrics) if try(w.properties.title, "") == "Memory used"][0] == "[[\"AWS/ElastiCache\",\"DatabaseMemoryUsagePercentage\",\"CacheNodeId\",\"0001\",\"CacheClusterId\",\"orders-0001-001\",{\"id\":\"a0\",\"stat\":\"Maximum\",\"visible\":false}],[\"...\",\"orders-0002-001\",{\"id\":\"a1\",\"stat\":\"Maximum\",\"visible\":false}],[{\"color\":\"#1f77b4\",\"expression\":\"a0\",\"label\":\"0001-001 used $${LAST}, max $${MAX}\"}],[{\"color\":\"#ff7f0e\",\"expression\":\"a1\",\"label\":\"0002-001 used $${LAST}, max $${MAX}\"}]]"
    error_message = "A graph has a line for each node, under its short name and with its values."
  }
  assert {
    condition = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : join(" | ", [for m in w.properties.metrics : m[0].expression if can(m[0].expression)]) if try(w.properties.title, "") == "Commands, each counted once"][0] == join(" | ", [
      "SUM(METRICS(\"a\"))/PERIOD(a0)", "SUM([b0*z0,b1*z1])/PERIOD(b0)",
    ])
    error_message = "Reads are those of all nodes; replicas repeat writes, which primaries alone count."
  }
  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : join(" | ", [for m in w.properties.metrics : m[0].expression if can(m[0].expression)]) if try(w.properties.title, "") == "Reads that hit"][0] == "100*SUM(METRICS(\"a\"))/(SUM(METRICS(\"a\"))+SUM(METRICS(\"b\")))"
    error_message = "The hit rate of a group is of its hits and misses, no mean of percentages."
  }
  assert {
    condition     = length([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w if strcontains(jsonencode(w), "SuccessfulReadRequestLatency")]) == 0
    error_message = "Without an engine there are only metrics that every engine has."
  }
  assert {
    condition = alltrue([for a in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : alltrue([
      for b in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : a == b || a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
    ])])
    error_message = "No widget covers another."
  }
}

run "one_node" {
  command = plan
  variables {
    nodes     = ["orders-001"]
    node_type = "cache.m7g.large"
  }
  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : join(", ", [for m in w.properties.metrics : m[0].label if can(m[0].label)]) if try(w.properties.title, "") == "CPU of the engine's thread"][0] == "engine $${LAST}, max $${MAX}"
    error_message = "Where there is one node only, no label repeats its name."
  }
  assert {
    condition     = length([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w if try(w.properties.title, "") == "CPU credits"]) == 0
    error_message = "Only t types have credits."
  }
}

run "foreign_names" {
  command = plan
  variables {
    nodes = ["orders-001", "carts-001"]
  }
  assert {
    condition     = local.names == tolist(["orders-001", "carts-001"])
    error_message = "Nodes of the same number keep their whole names."
  }
}

run "serverless" {
  command = plan
  variables {
    nodes            = []
    node_type        = null
    serverless_cache = "orders-serverless"
  }
  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : jsonencode(w.properties.metrics) if try(w.properties.title, "") == "Commands throttled"][0] == "[[\"AWS/ElastiCache\",\"ThrottledCmds\",\"clusterId\",\"orders-serverless\",{\"id\":\"a0\",\"stat\":\"Sum\",\"visible\":false}],[{\"color\":\"#d62728\",\"expression\":\"SUM(METRICS(\\\"a\\\"))*60/PERIOD(a0)\",\"label\":\"throttled $${LAST}, max $${MAX}\"}]]"
    error_message = "A serverless cache has metrics and a dimension of its own."
  }
  assert {
    condition     = length([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w if w.type == "metric"]) == 13
    error_message = "Eleven graphs of the cache and two of the load."
  }
}

run "load_only" {
  command = plan
  variables {
    nodes     = []
    node_type = null
  }
  assert {
    condition     = join(", ", [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w.type]) == "text, log, log, metric, metric, log"
    error_message = "Of a cache that nobody named, the load's side is shown."
  }
}

run "replicas" {
  command = plan
  variables {
    nodes      = ["orders-0001-001", "orders-0001-002"]
    engine     = "valkey"
    log_groups = { slow = "/aws/vendedlogs/elasticache/orders/slow", engine = "/aws/vendedlogs/elasticache/orders/engine" }
    window     = { start = "2026-11-23T03:08:09Z", end = "2026-11-23T04:53:09Z" }
    lines      = { connections = 120 }
  }
  assert {
    condition     = join(", ", [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w.properties.title if startswith(try(w.properties.title, ""), "Replication")]) == "Replication lag, worst replica, Replication link, worst replica"
    error_message = "Where there are replicas, the dashboard shows how they follow."
  }
  assert {
    condition     = join(", ", [for w in slice(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets, length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) - 3, length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets)) : w.properties.title]) == "What the load says, What the engine says, Slow commands"
    error_message = "The logs come last."
  }
  assert {
    condition     = join(" ", [for k in ["start", "end"] : jsondecode(aws_cloudwatch_dashboard.this.dashboard_body)[k]]) == "2026-11-23T03:08:09Z 2026-11-23T04:53:09Z"
    error_message = "The dashboard opens at the run's time."
  }
  assert {
    condition     = alltrue([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : join(" ", w.properties.annotations.vertical[*].value) == "2026-11-23T03:08:09Z 2026-11-23T04:53:09Z" if w.type == "metric"])
    error_message = "Start and end of the run are lines of every graph."
  }
  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w.properties.annotations.horizontal if try(w.properties.title, "") == "Connections open"][0][0].value == 120
    error_message = "The connections that the load should have are a line."
  }
  assert {
    condition     = length([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w if strcontains(jsonencode(w), "SuccessfulReadRequestLatency")]) == 1
    error_message = "Valkey has percentiles of the latency."
  }
}

run "redis" {
  command = plan
  variables {
    engine = "redis"
  }
  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : strcontains(jsonencode(w), "GetTypeCmdsLatency") && !strcontains(jsonencode(w), "Successful") if try(w.properties.title, "") == "Latency inside the cache, slowest node"][0]
    error_message = "Redis OSS has the latency of its commands, and no percentiles."
  }
}

run "url" {
  assert {
    condition     = output.url == "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/orders-eu-central-1"
    error_message = "The address names Region and dashboard."
  }
}

run "unknown_node_type" {
  command = plan
  variables {
    node_type = "cache.z99.large"
  }
  assert {
    condition     = local.network_is == ""
    error_message = "Of a node type that is not in the table nothing is said."
  }
}

run "no_burst" {
  command = plan
  variables {
    node_type = "cache.c7gn.16xlarge"
  }
  assert {
    condition     = local.network_is == " (baseline 200)"
    error_message = "A node type that does not burst has its baseline only."
  }
}

run "ninety_nodes" {
  command = plan
  variables {
    nodes = [for i in range(90) : format("orders-%04d-001", i + 1)]
  }
  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : join(" | ", [for m in w.properties.metrics : "${m[0].label}: ${m[0].expression}" if can(m[0].expression)]) if try(w.properties.title, "") == "CPU of the engine's thread"][0] == "highest engine $${LAST}, max $${MAX}: MAX(METRICS(\"a\")) | mean engine $${LAST}, max $${MAX}: AVG(METRICS(\"a\"))"
    error_message = "Many nodes are the highest and the mean of them."
  }
  assert {
    condition     = strcontains(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].properties.markdown, "**nodes** 90: graphs show the highest and the mean of the first 60")
    error_message = "The header says so."
  }
  assert {
    condition     = length(aws_cloudwatch_dashboard.this.dashboard_body) < 200000
    error_message = "A body that a browser can take."
  }
}

run "five_hundred_nodes" {
  command = plan
  variables {
    nodes = [for i in range(500) : format("orders-%04d-001", i + 1)]
  }
  assert {
    condition     = sum(local.fetched) <= 2500 && max(local.fetched...) <= 500
    error_message = "CloudWatch takes 500 metrics a graph and 2,500 a dashboard."
  }
  assert {
    condition     = strcontains(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].properties.markdown, "**nodes** 500: graphs show the highest and the mean of the first 60")
    error_message = "The header says what is left out."
  }
}

run "bad_name" {
  command = plan
  variables {
    name = "orders cache"
  }
  expect_failures = [var.name]
}
