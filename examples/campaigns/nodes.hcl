# Which generation of nodes? Three of the same size, by what a million operations cost.
repeats  = 5
parallel = 2
budget   = 40 # USD
baseline = "r6g"
rank_by  = "cache_usd_per_million_ops"

common {
  test_duration_minutes = 45 # with 15 for creation and stop, one node-hour
  cache                 = { engine = "valkey" }
  load                  = { task_count = 2, cpu = 2048, memory = 4096, threads = 2, clients = 25, pipeline = 4, ratio = "1:10" }
}

variant "r6g" { cache = { node_type = "cache.r6g.large" } }
variant "r7g" { cache = { node_type = "cache.r7g.large" } }
variant "m7g" { cache = { node_type = "cache.m7g.large" } }
