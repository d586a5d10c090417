package elasticache

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
)

// between is what happened between two readings of a node.
type between struct {
	from, to reading
	size     nodeType
	replicas bool // the shard has some
	tiered   bool
}

func (b between) seconds() float64 { return b.to.at.Sub(b.from.at).Seconds() }

// now is a field's value; ok is false when the server has no such field.
func (b between) now(field string) (float64, bool) {
	v, err := strconv.ParseFloat(b.to.info[field], 64)
	return v, err == nil
}

// grown is by how much a counter went up.
func (b between) grown(field string) (float64, bool) {
	v, ok := b.now(field)
	old, err := strconv.ParseFloat(b.from.info[field], 64)
	if !ok || err != nil {
		return 0, false
	}
	return max(0, v-old), true
}

// at is a reading of a moment in between, as if every number had changed evenly, which keeps rates as they were. Texts are the later reading's.
func (b between) at(t time.Time) reading {
	share := t.Sub(b.from.at).Seconds() / b.seconds()
	mix := func(from, to float64) float64 { return from + share*(to-from) }
	r := b.to
	r.at, r.cpu = t, b.from.cpu+time.Duration(share*float64(b.to.cpu-b.from.cpu))
	r.rss, r.swap, r.pgFault = mix(b.from.rss, b.to.rss), mix(b.from.swap, b.to.swap), mix(b.from.pgFault, b.to.pgFault)
	r.info, r.calls, r.micros = maps.Clone(b.to.info), map[string]float64{}, map[string]float64{}
	for field, text := range b.to.info {
		to, err := strconv.ParseFloat(text, 64)
		from, errFrom := strconv.ParseFloat(b.from.info[field], 64)
		if err == nil && errFrom == nil && from != to {
			r.info[field] = strconv.FormatFloat(mix(from, to), 'f', -1, 64)
		}
	}
	for command, calls := range b.to.calls {
		r.calls[command], r.micros[command] = mix(b.from.calls[command], calls), mix(b.from.micros[command], b.to.micros[command])
	}
	return r
}

// keyspace adds up a field of the lines db0:keys=1,expires=0,avg_ttl=0.
func (b between) keyspace(field string) float64 {
	total := 0.0
	for name, value := range b.to.info {
		if !strings.HasPrefix(name, "db") {
			continue
		}
		for _, part := range strings.Split(value, ",") {
			if n, v, _ := strings.Cut(part, "="); n == field {
				f, _ := strconv.ParseFloat(v, 64)
				total += f
			}
		}
	}
	return total
}

// measure is a metric of a node: ok is false when it cannot be measured. Metrics of both dimension sets are
// published as {CacheClusterId} and as {CacheClusterId, CacheNodeId}.
type measure struct {
	name, unit string
	nodeOnly   bool
	value      func(between) (float64, bool)
}

func gauge(field string) func(between) (float64, bool) {
	return func(b between) (float64, bool) { return b.now(field) }
}

func counter(field string) func(between) (float64, bool) {
	return func(b between) (float64, bool) { return b.grown(field) }
}

// share is a percentage of two fields' values.
func share(part func(between) (float64, bool), whole string) func(between) (float64, bool) {
	return func(b between) (float64, bool) {
		p, ok := part(b)
		w, okWhole := b.now(whole)
		return p / w * 100, ok && okWhole && w > 0
	}
}

func counted(b between) (float64, bool) {
	used, ok := b.now("used_memory")
	not, okNot := b.now("mem_not_counted_for_evict")
	return used - not, ok && okNot
}

// measures: names, units and dimension sets are those of AWS; doc.go says what each means here where that differs.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.HostLevel.html
var measures = []measure{
	{"CPUUtilization", "Percent", false, func(b between) (float64, bool) {
		used := (b.to.cpu - b.from.cpu).Seconds()
		return min(100, used/b.seconds()/float64(b.size.vcpu)*100), b.seconds() > 0
	}},
	{"FreeableMemory", "Bytes", false, func(b between) (float64, bool) { return max(0, b.size.memory-b.to.rss), b.to.rss > 0 }},
	{"SwapUsage", "Bytes", false, func(b between) (float64, bool) { return b.to.swap, b.to.rss > 0 }},
	{"MajorPageFaults", "Count", true, func(b between) (float64, bool) { return max(0, b.to.pgFault-b.from.pgFault), b.to.rss > 0 }},
	{"NetworkBytesIn", "Bytes", false, counter("total_net_input_bytes")},
	{"NetworkBytesOut", "Bytes", false, counter("total_net_output_bytes")},
	{"NetworkBaselineUsageInPercentage", "Percent", true, baseline("total_net_input_bytes")},
	{"NetworkBaselineUsageOutPercentage", "Percent", true, baseline("total_net_output_bytes")},

	{"EngineCPUUtilization", "Percent", false, engineCPU},
	{"BytesUsedForCache", "Bytes", false, gauge("used_memory")},
	{"UsedMemoryDataset", "Bytes", true, gauge("used_memory_dataset")},
	{"DatabaseMemoryUsagePercentage", "Percent", false, share(gauge("used_memory"), "maxmemory")},
	{"DatabaseMemoryUsageCountedForEvictPercentage", "Percent", true, share(counted, "maxmemory")},
	{"DatabaseCapacityUsagePercentage", "Percent", true, untiered(share(gauge("used_memory"), "maxmemory"))},
	{"DatabaseCapacityUsageCountedForEvictPercentage", "Percent", true, untiered(share(counted, "maxmemory"))},
	{"AllocatorFragmentationBytes", "Bytes", true, gauge("allocator_frag_bytes")},
	{"AllocatorFragmentationRatio", "None", true, gauge("allocator_frag_ratio")},
	{"MemoryFragmentationRatio", "None", false, gauge("mem_fragmentation_ratio")},
	{"CacheHits", "Count", false, counter("keyspace_hits")},
	{"CacheMisses", "Count", false, counter("keyspace_misses")},
	{"CacheHitRate", "Percent", false, func(b between) (float64, bool) {
		hits, ok := b.grown("keyspace_hits")
		misses, _ := b.grown("keyspace_misses")
		return hits / (hits + misses) * 100, ok && hits+misses > 0
	}},
	{"Evictions", "Count", false, counter("evicted_keys")},
	{"Reclaimed", "Count", false, counter("expired_keys")},
	{"CurrItems", "Count", false, func(b between) (float64, bool) { return b.keyspace("keys"), true }},
	{"CurrVolatileItems", "Count", true, func(b between) (float64, bool) { _, ok := b.now("used_memory"); return b.keyspace("expires"), ok }},
	{"CurrConnections", "Count", false, gauge("connected_clients")},
	{"NewConnections", "Count", false, counter("total_connections_received")},
	{"BlockedConnections", "Count", true, gauge("blocked_clients")},
	{"RejectedConnections", "Count", true, counter("rejected_connections")},
	{"ProcessedCommands", "Count", true, counter("total_commands_processed")},
	{"ErrorCount", "Count", true, counter("total_error_replies")},
	{"ReplicationLag", "Seconds", false, ofRole("slave", gauge("master_last_io_seconds_ago"))},
	{"ReplicationBytes", "Bytes", false, func(b between) (float64, bool) {
		v, ok := b.grown("master_repl_offset")
		return v, ok && b.replicas && b.to.info["role"] == "master"
	}},
	{"IsMaster", "Count", false, func(b between) (float64, bool) { return flag(b.to.info["role"] == "master"), b.to.info["role"] != "" }},
	{"MasterLinkHealthStatus", "None", false, ofRole("slave", func(b between) (float64, bool) { return flag(b.to.info["master_link_status"] == "up"), true })},
	{"SaveInProgress", "None", false, gauge("rdb_bgsave_in_progress")},
	{"ActiveDefragHits", "None", false, counter("active_defrag_hits")},
	{"KeysTracked", "Count", false, gauge("tracking_total_keys")},
	{"DB0AverageTTL", "Milliseconds", false, ofRole("master", func(b between) (float64, bool) {
		_, ttl, ok := strings.Cut(b.to.info["db0"], "avg_ttl=")
		ttl, _, _ = strings.Cut(ttl, ",")
		v, err := strconv.ParseFloat(ttl, 64)
		return v, ok && err == nil
	})},
	{"AuthenticationFailures", "Count", false, authFailures},
	{"CommandAuthorizationFailures", "Count", false, counter("acl_access_denied_cmd")},
	{"KeyAuthorizationFailures", "Count", false, counter("acl_access_denied_key")},
	{"ChannelAuthorizationFailures", "Count", true, counter("acl_access_denied_channel")},
	{"PubSubChannels", "Count", true, gauge("pubsub_channels")},
	{"PubSubShardChannels", "Count", true, gauge("pubsubshard_channels")},
}

// authFailures is counted by name from version 7.2 on; older servers count errors by kind.
func authFailures(b between) (float64, bool) {
	if v, ok := b.grown("acl_access_denied_auth"); ok {
		return v, true
	}
	count := func(r reading) float64 {
		v, _ := strconv.ParseFloat(strings.TrimPrefix(r.info["errorstat_WRONGPASS"], "count="), 64)
		return v // without the field there was no such error yet
	}
	_, ok := b.now("total_error_replies")
	return max(0, count(b.to)-count(b.from)), ok
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func ofRole(role string, f func(between) (float64, bool)) func(between) (float64, bool) {
	return func(b between) (float64, bool) {
		v, ok := f(b)
		return v, ok && b.to.info["role"] == role
	}
}

// untiered: with data tiering, the capacity includes SSDs, which do not exist here.
func untiered(f func(between) (float64, bool)) func(between) (float64, bool) {
	return func(b between) (float64, bool) {
		v, ok := f(b)
		return v, ok && !b.tiered
	}
}

func baseline(field string) func(between) (float64, bool) {
	return func(b between) (float64, bool) {
		v, ok := b.grown(field)
		return v * 8 / b.seconds() / b.size.baseline * 100, ok && b.size.baseline > 0 && b.seconds() > 0
	}
}

// engineCPU is the time of the thread that runs commands.
func engineCPU(b between) (float64, bool) {
	user, ok := b.grown("used_cpu_user_main_thread")
	sys, okSys := b.grown("used_cpu_sys_main_thread")
	return min(100, (user+sys)/b.seconds()*100), ok && okSys && b.seconds() > 0
}

// observe publishes a node's metrics at each boundary of MetricsPeriod, with the period's start as timestamp, and
// delivers its slow log. When the node ends, it does so once more for the partial period. What the slow log has of a period
// is delivered before the period's datapoints, so a client that sees the datapoints can read the log.
// A period at whose end the server does not answer has no datapoints, and what its counters grew by comes with the next that has.
// A busy machine may let it ask later than a period: then each period that has ended since gets its share by time.
// The first reading is taken before it returns, so that no client's command comes before it.
func (s *Service) observe(g *group, n *cacheNode) error {
	w := &watcher{s: s, g: g, id: g.id, n: n}
	if answer, err := n.do("COMMAND"); err == nil {
		w.kinds = commandKinds(answer)
	}
	var err error
	if w.last, err = s.read(n); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	n.mu.Lock()
	n.halt = func() { cancel(); <-done }
	n.mu.Unlock()
	slow := make(chan struct{})
	s.wg.Go(func() {
		defer close(slow)
		for s.acct.Clock.Sleep(ctx, slowPeriod) == nil {
			w.slow()
		}
	})
	n.mu.Lock()
	process := n.process
	n.mu.Unlock()
	s.wg.Go(func() {
		defer close(done)
		period := cmp.Or(s.acct.MetricsPeriod, time.Minute)
		begin, silent := w.last.at.Truncate(period), false
		for {
			ended := s.acct.Clock.Sleep(ctx, begin.Add(period).Sub(s.acct.Clock.Now())) != nil
			if ended {
				<-slow
			}
			if ended && silent { // a hanging server would delay the node's end
				return
			}
			asked := s.acct.Clock.Now() // before the slow log, whose reading a server that hangs delays, too
			w.slow()
			if ended {
				asked = asked.Add(period - 1) // the partial period counts as ended
			}
			var err error
			begin, err = w.publish(begin, asked, period)
			if err != nil && !silent {
				w.lost(err)
			}
			silent = err != nil
			select {
			case <-process.Done():
				return
			default:
			}
			if ended {
				return
			}
		}
	})
	return nil
}

type watcher struct {
	s     *Service
	g     *group
	id    string // of g, whose fields may be changing
	n     *cacheNode
	kinds map[string][]string
	last  reading

	slowly sync.Mutex // one reads the slow log at a time
	seen   int64      // last slow log entry + 1
}

// lost: the server does not answer, and nobody stopped it.
func (w *watcher) lost(err error) {
	if w.s.ctx.Err() != nil {
		return
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.s.note("cache-cluster", w.n.id, "The server of %s does not answer: %v", w.n.id, err)
}

// due are the starts of the periods that a reading is for: the one from begin on, and those that had ended when the server was
// asked. Those that ended before it answered are for none, for a server that hangs must be seen.
func due(begin, asked, answered time.Time, period time.Duration) (starts []time.Time, next time.Time) {
	starts, next = []time.Time{begin}, begin.Add(period)
	for ; !next.Add(period).After(asked); next = next.Add(period) {
		starts = append(starts, next)
	}
	if late := answered.Truncate(period); late.After(next) {
		next = late
	}
	return starts, next
}

// publish publishes the period from begin on, and those that have ended since. It gives back the next one's start.
func (w *watcher) publish(begin, asked time.Time, period time.Duration) (next time.Time, err error) {
	now, err := w.s.read(w.n)
	if err != nil {
		return w.s.acct.Clock.Now().Truncate(period), err
	}
	w.s.mu.Lock()
	b := between{from: w.last, to: now, size: w.g.nodeType, tiered: w.g.dataTiering}
	shard := ""
	for _, sh := range w.g.shards {
		if slices.Contains(sh.nodes, w.n) {
			shard, b.replicas = sh.id, len(sh.nodes) > 1
		}
	}
	only := w.g.serverless != nil
	w.s.mu.Unlock()
	w.last = now
	put := func(b between, at time.Time) {
		if only {
			w.putServerless(b, at)
		} else {
			w.put(b, shard, at)
		}
	}
	starts, next := due(begin, asked, now.at, period)
	for _, start := range starts[1:] {
		part := b
		part.to = b.at(start)
		put(part, start.Add(-period))
		b.from = part.to
	}
	put(b, starts[len(starts)-1])
	return next, nil
}

// put publishes a period of a node.
func (w *watcher) put(b between, shard string, at time.Time) {
	cluster := cloudwatch.Dimension{Name: "CacheClusterId", Value: w.n.id}
	node := []cloudwatch.Dimension{cluster, {Name: "CacheNodeId", Value: nodeID}}
	put := func(name, unit string, v float64, sets ...[]cloudwatch.Dimension) {
		for _, dims := range sets {
			w.s.metrics.Put(cloudwatch.Metric{Namespace: "AWS/ElastiCache", Name: name, Unit: unit, Dimensions: dims}, at, v)
		}
	}
	both := func(nodeOnly bool) [][]cloudwatch.Dimension {
		if nodeOnly {
			return [][]cloudwatch.Dimension{node}
		}
		return [][]cloudwatch.Dimension{node, {cluster}}
	}
	for _, m := range measures {
		if v, ok := m.value(b); ok {
			put(m.name, m.unit, v, both(m.nodeOnly)...)
		}
	}
	if v, ok := engineCPU(b); ok { // the replication group's own has one sample of each node
		rg := cloudwatch.Dimension{Name: "ReplicationGroupId", Value: w.id}
		role := cloudwatch.Dimension{Name: "Role", Value: map[string]string{"master": "Primary", "slave": "Replica"}[b.to.info["role"]]}
		put("EngineCPUUtilization", "Percent", v, []cloudwatch.Dimension{rg}, []cloudwatch.Dimension{{Name: "NodeGroupId", Value: shard}, rg}, []cloudwatch.Dimension{rg, role})
	}
	calls, micros := w.counts(b)
	for _, k := range kinds {
		sets := both(slices.Contains(onNodesOnly, k))
		put(k+"Cmds", "Count", calls[k], sets...)
		if b.to.timed && calls[k] > 0 {
			put(k+"CmdsLatency", "Microseconds", micros[k]/calls[k], sets...)
		}
	}
}

// counts are the commands of each kind in a period, and the time they took.
func (w *watcher) counts(b between) (calls, micros map[string]float64) {
	calls, micros = map[string]float64{}, map[string]float64{}
	for command, n := range b.to.calls {
		for _, k := range w.kinds[command] {
			calls[k] += max(0, n-b.from.calls[command])
			micros[k] += max(0, b.to.micros[command]-b.from.micros[command])
		}
	}
	return calls, micros
}

// slowPeriod is how often the slow log is read. Entries that the server drops in between are not delivered, as on AWS.
const slowPeriod = 5 * time.Second

func (w *watcher) slow() {
	engine, deliveries := w.s.deliveriesOf(w.g, "slow-log")
	if len(deliveries) == 0 {
		return
	}
	w.slowly.Lock()
	defer w.slowly.Unlock()
	answer, err := w.n.do("SLOWLOG", "GET", "-1")
	if err != nil {
		return // the embedded stand-in has none; a dead server is reported elsewhere
	}
	entries, err := parseSlow(answer)
	if err != nil {
		w.s.acct.Log.Warn("slow log", "node", w.n.id, "error", err)
		return
	}
	for _, e := range slices.Backward(entries) { // newest first
		if e.id < w.seen {
			continue
		}
		w.seen = e.id + 1
		for _, d := range deliveries {
			d.put(w.s, engine, w.n.id, time.Unix(e.at, 0).UTC(), slowEvent(d.format, w.n.id, e))
		}
	}
}
