# Serverless or nodes? A serverless cache speaks TLS in cluster mode, so the nodes do, too.
repeats  = 5
parallel = 2
baseline = "nodes"
rank_by  = "latency_p99_ms"

common {
  test_duration_minutes = 45
  load                  = { task_count = 2, cpu = 2048, memory = 4096, threads = 2, clients = 25, ratio = "1:10" }
}

variant "nodes" { cache = { engine = "valkey", node_type = "cache.r7g.large", shards = 2, transit_encryption = true } }
variant "serverless" { cache = { engine = "valkey", serverless = { max_ecpu_per_second = 100000 } } }
