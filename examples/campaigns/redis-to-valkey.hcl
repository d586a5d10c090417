# What changes with the move from Redis OSS to Valkey?
repeats  = 6
parallel = 2
baseline = "redis"

common {
  test_duration_minutes = 45
  cache                 = { node_type = "cache.r7g.large" }
  load                  = { task_count = 2, cpu = 2048, memory = 4096, threads = 2, clients = 25, ratio = "1:10" }
}

variant "redis" { cache = { engine = "redis", engine_version = "7.1" } }
variant "valkey" { cache = { engine = "valkey" } }
