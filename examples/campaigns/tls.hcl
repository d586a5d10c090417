# What does TLS cost, with either engine? A matrix has a variant for each combination of its lists.
repeats  = 5
parallel = 2
baseline = "e-redis-no-tls"

common {
  test_duration_minutes = 45
  cache                 = { node_type = "cache.r7g.large" }
  load                  = { task_count = 2, cpu = 2048, memory = 4096, threads = 2, clients = 25, ratio = "1:10" }
}

matrix "e" {
  over  = { engine = ["redis", "valkey"], tls = [false, true] }
  cache = { engine = over.engine, transit_encryption = over.tls }
}
