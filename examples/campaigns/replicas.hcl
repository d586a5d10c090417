# How many more reads do replicas serve, and for how much more?
repeats  = 5
parallel = 2
budget   = 60 # USD
baseline = "none"

common {
  test_duration_minutes = 45
  cache                 = { engine = "valkey", node_type = "cache.r7g.large" }
  load                  = { task_count = 2, cpu = 2048, memory = 4096, threads = 2, clients = 25, ratio = "1:100" }
}

variant "none" { cache = { replicas = 0 } }
variant "one" {
  cache = { replicas = 1 }
  load  = { read_from = "replicas" }
}
variant "two" {
  cache = { replicas = 2 }
  load  = { read_from = "replicas" }
}
