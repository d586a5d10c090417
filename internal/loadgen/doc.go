// Package loadgen is a memtier_benchmark-compatible load generator for
// machines that have no memtier_benchmark: the same flags, the same progress
// records on standard error, the same final table on standard output, the same
// JSON file. localaws puts it on a task's PATH under memtier's name.
//
// What it is: every client has a socket of its own (one for each shard in
// cluster mode) with a pipeline of its own and hand-written RESP, so the server
// sees what memtier would show it; latencies go into HDR histograms with
// memtier's bounds (10 us to 600 s, two significant digits).
//
// Where it is deliberately not memtier 2.3.1:
//   - An error reply (NOAUTH, READONLY, OOM ...) is printed but is no operation,
//     neither is MOVED or ASK; memtier counts them. Of many equal messages ten
//     are printed, then one a second with the number left out.
//   - All connections are made before the clock starts, within 30 seconds. One
//     that fails, then or later, ends with its client unless
//     --reconnect-on-error is given; what was measured is kept. memtier restarts
//     the thread and forgets its numbers.
//   - A rejected password, TLS to a plain port, a frozen server and
//     --cluster-mode to a standalone node end the run instead of hanging it.
//   - The exit code is 1 when not one operation succeeded. memtier says 0.
//   - The JSON file has *** where memtier writes the password.
//   - The files of --client-stats end after the seconds: no latency distribution.
//   - With --command all commands are one row of table and JSON, Commands;
//     memtier has a row for each.
//   - Of a thread only the meaning remains: -t times -c clients, and no more CPUs
//     than threads.
//
// What it does not do: memcached, --monitor-input, --data-import, --multi-key-get,
// WAIT, several runs in one (-x), StatsD. Such a flag is an error that names it.
// It is a closed loop, as memtier is: while the server stalls, no request is
// sent, so its percentiles leave out what an open loop would have waited.
package loadgen
