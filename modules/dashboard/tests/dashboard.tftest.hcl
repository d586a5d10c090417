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
    condition     = jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets[0].properties.markdown == "# orders\n\n**cache** valkey 8.1, 2 x cache.t4g.micro · **run** 2026-11-23T03-08-09Z"
    error_message = "The header says what was run."
  }
  assert {
    condition     = length(jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets) == 16
    error_message = "Header, twelve graphs of the cache, two of the load, and its words."
  }
  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : jsonencode(w.properties.metrics) if w.type == "metric" && try(w.properties.title, "") == "Memory"][0] == "[[\"AWS/ElastiCache\",\"DatabaseMemoryUsagePercentage\",\"CacheClusterId\",\"orders-0001-001\",\"CacheNodeId\",\"0001\",{\"label\":\"orders-0001-001 DatabaseMemoryUsagePercentage Maximum\",\"stat\":\"Maximum\"}],[\"AWS/ElastiCache\",\"DatabaseMemoryUsagePercentage\",\"CacheClusterId\",\"orders-0002-001\",\"CacheNodeId\",\"0001\",{\"label\":\"orders-0002-001 DatabaseMemoryUsagePercentage Maximum\",\"stat\":\"Maximum\"}]]"
    error_message = "A graph has a line for each node."
  }
  # 0.064 Gbps are 480,000,000 bytes a minute, 5 Gbps 37,500,000,000
  assert {
    condition     = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : jsonencode(w.properties.annotations.horizontal) if try(w.properties.metrics[0][1], "") == "NetworkBytesOut"][0] == "[{\"label\":\"baseline 0.064 Gbps\",\"value\":480000000},{\"label\":\"burst 5 Gbps\",\"value\":37500000000}]"
    error_message = "The network graphs show the node type's baseline and burst."
  }
  assert {
    condition = alltrue([for a in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : alltrue([
      for b in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : a == b || a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
    ])])
    error_message = "No widget covers another."
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
    condition     = jsonencode(local.lines) == "[{\"label\":\"baseline 200 Gbps\",\"value\":1500000000000}]"
    error_message = "A node type that does not burst has its baseline only."
  }
}

run "large_cluster" {
  command = plan
  variables {
    nodes = [for i in range(500) : "orders-${i}"]
  }
  assert {
    condition     = sum([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : try(length(w.properties.metrics), 0)]) <= 2500
    error_message = "CloudWatch takes 2,500 metrics a dashboard."
  }
}

run "bad_name" {
  command = plan
  variables {
    name = "orders cache"
  }
  expect_failures = [var.name]
}

run "no_nodes" {
  command = plan
  variables {
    nodes = []
  }
  expect_failures = [var.nodes]
}
