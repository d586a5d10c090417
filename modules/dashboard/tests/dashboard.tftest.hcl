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
    condition     = jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].properties.markdown == "# orders\n\n- **cache** valkey 8.1, 2 x cache.t4g.micro\n- **run** 2026-11-23T03-08-09Z"
    error_message = "The header says what was run."
  }
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 17
    error_message = "Header, thirteen graphs of the cache, two of the load, and its words."
  }
  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : jsonencode(w.properties.metrics) if w.type == "metric" && try(w.properties.title, "") == "Memory"][0] == "[[\"AWS/ElastiCache\",\"DatabaseMemoryUsagePercentage\",\"CacheNodeId\",\"0001\",\"CacheClusterId\",\"orders-0001-001\",{\"label\":\"0001-001 used\",\"stat\":\"Maximum\"}],[\"...\",\"orders-0002-001\",{\"label\":\"0002-001 used\",\"stat\":\"Maximum\"}]]"
    error_message = "A graph has a line for each node, under its short name."
  }
  assert {
    condition = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : join(" | ", [for m in w.properties.metrics : "${m[0].label}: ${m[0].expression}" if can(m[0].expression)]) if try(w.properties.title, "") == "Throughput, all nodes"][0] == join(" | ", [
      "commands: SUM(METRICS(\"a\"))/PERIOD(a0)", "reads: SUM(METRICS(\"b\"))/PERIOD(b0)", "writes: SUM(METRICS(\"c\"))/PERIOD(c0)", "commands, busiest node: MAX(METRICS(\"a\"))/PERIOD(a0)",
    ])
    error_message = "The throughput is that of all nodes, a second."
  }
  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : jsonencode([w.properties.annotations.horizontal, w.properties.metrics[2], w.properties.metrics[3]]) if try(w.properties.metrics[0][1], "") == "NetworkBytesOut"][0] == "[[{\"label\":\"baseline 0.064 Gbit/s\",\"value\":0.064},{\"label\":\"burst 5 Gbit/s\",\"value\":5}],[{\"expression\":\"a0*8/1000000000/PERIOD(a0)\",\"label\":\"0001-001 out\"}],[{\"expression\":\"a1*8/1000000000/PERIOD(a0)\",\"label\":\"0002-001 out\"}]]"
    error_message = "The network graphs show bits a second against the node type's baseline and burst."
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
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : join(", ", [for m in w.properties.metrics : m[length(m) - 1].label]) if try(w.properties.title, "") == "CPU: engine thread and host"][0] == "engine, host"
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
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : jsonencode(w.properties.metrics) if try(w.properties.title, "") == "Throttled commands"][0] == "[[\"AWS/ElastiCache\",\"ThrottledCmds\",\"clusterId\",\"orders-serverless\",{\"id\":\"a0\",\"stat\":\"Sum\",\"visible\":false}],[{\"expression\":\"SUM(METRICS(\\\"a\\\"))/PERIOD(a0)\",\"label\":\"throttled\"}]]"
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
    condition     = join(", ", [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w.type]) == "text, metric, metric, log"
    error_message = "Of a cache that nobody named, the load's side is shown."
  }
}

run "url" {
  assert {
    condition     = output.url == "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/orders"
    error_message = "The address names Region and dashboard."
  }
}

run "unknown_node_type" {
  command = plan
  variables {
    node_type = "cache.z99.large"
  }
  assert {
    condition     = length(local.lines) == 0
    error_message = "A node type that is not in the table has no lines."
  }
}

run "no_burst" {
  command = plan
  variables {
    node_type = "cache.c7gn.16xlarge"
  }
  assert {
    condition     = jsonencode(local.lines) == "[{\"label\":\"baseline 200 Gbit/s\",\"value\":200}]"
    error_message = "A node type that does not burst has its baseline only."
  }
}

run "ninety_nodes" {
  command = plan
  variables {
    nodes = [for i in range(90) : format("orders-%04d-001", i + 1)]
  }
  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : join(" | ", [for m in w.properties.metrics : "${m[0].label}: ${m[0].expression}" if can(m[0].expression)]) if try(w.properties.title, "") == "CPU: engine thread and host"][0] == "highest engine: MAX(METRICS(\"a\")) | mean engine: AVG(METRICS(\"a\")) | highest host: MAX(METRICS(\"b\")) | mean host: AVG(METRICS(\"b\"))"
    error_message = "Many nodes are the highest and the mean of them."
  }
  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w.properties.metrics[90][0].expression if try(w.properties.title, "") == "Hit rate"][0] == "MIN(METRICS(\"a\"))"
    error_message = "Of hit rates, the lowest matters."
  }
  assert {
    condition     = strcontains(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].properties.markdown, "**nodes** 90: graphs show the highest and the mean of them")
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
    condition     = strcontains(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].properties.markdown, "**nodes** 500: graphs show the highest and the mean of the first 100")
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
