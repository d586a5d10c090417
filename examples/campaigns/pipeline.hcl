# How deep a pipeline is worth its latency? Requests that wait in a connection make the load larger, as more clients do: throughput is compared, latency is shown.
repeats  = 5
parallel = 2
budget   = 60 # USD
baseline = "depth-pipeline1"

common {
  test_duration_minutes = 45
  cache                 = { engine = "valkey", node_type = "cache.r7g.large" }
  load                  = { task_count = 2, cpu = 2048, memory = 4096, threads = 2, clients = 25, ratio = "1:10" }
}

matrix "depth" {
  over = { pipeline = [1, 4, 16, 64] }
  load = { pipeline = over.pipeline }
}
