package report

import (
	"cmp"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// metric is a CloudWatch metric that the analysis reads, by the first of its statistics that the file has. ElastiCache publishes one sample per
// minute and node, so at a period of a minute all statistics are the same:
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.ChoosingStatisticsAndPeriods.html
type metric struct {
	namespace, name string
	statistics      []string
}

// Metrics of a node; those of a load service follow.
var (
	engineCPU      = metric{export.NamespaceCache, "EngineCPUUtilization", []string{"Average", "Maximum"}}
	hostCPU        = metric{export.NamespaceCache, "CPUUtilization", []string{"Average", "Maximum"}}
	creditBalance  = metric{export.NamespaceCache, "CPUCreditBalance", []string{"Average", "Minimum"}}
	bytesIn        = metric{export.NamespaceCache, "NetworkBytesIn", []string{"Sum", "Average"}}
	bytesOut       = metric{export.NamespaceCache, "NetworkBytesOut", []string{"Sum", "Average"}}
	peakIn         = metric{export.NamespaceCache, "NetworkMaxBytesIn", []string{"Maximum", "Average"}}
	peakOut        = metric{export.NamespaceCache, "NetworkMaxBytesOut", []string{"Maximum", "Average"}}
	exceededIn     = metric{export.NamespaceCache, "NetworkBandwidthInAllowanceExceeded", []string{"Sum", "Average"}}
	exceededOut    = metric{export.NamespaceCache, "NetworkBandwidthOutAllowanceExceeded", []string{"Sum", "Average"}}
	exceededPPS    = metric{export.NamespaceCache, "NetworkPacketsPerSecondAllowanceExceeded", []string{"Sum", "Average"}}
	exceededTrack  = metric{export.NamespaceCache, "NetworkConntrackAllowanceExceeded", []string{"Sum", "Average"}}
	exceededLocal  = metric{export.NamespaceCache, "NetworkLinkLocalAllowanceExceeded", []string{"Sum", "Average"}}
	usageIn        = metric{export.NamespaceCache, "NetworkBaselineUsageInPercentage", []string{"Average"}}
	usageOut       = metric{export.NamespaceCache, "NetworkBaselineUsageOutPercentage", []string{"Average"}}
	memoryEvict    = metric{export.NamespaceCache, "DatabaseMemoryUsageCountedForEvictPercentage", []string{"Maximum", "Average"}}
	memoryAll      = metric{export.NamespaceCache, "DatabaseMemoryUsagePercentage", []string{"Maximum", "Average"}}
	usedMemory     = metric{export.NamespaceCache, "BytesUsedForCache", []string{"Average", "Maximum"}}
	freeable       = metric{export.NamespaceCache, "FreeableMemory", []string{"Average", "Minimum"}}
	swap           = metric{export.NamespaceCache, "SwapUsage", []string{"Average", "Maximum"}}
	evictions      = metric{export.NamespaceCache, "Evictions", []string{"Sum", "Average"}}
	connections    = metric{export.NamespaceCache, "CurrConnections", []string{"Maximum", "Average"}}
	newConnections = metric{export.NamespaceCache, "NewConnections", []string{"Sum", "Average"}}
	rejected       = metric{export.NamespaceCache, "RejectedConnections", []string{"Sum", "Average"}}
	items          = metric{export.NamespaceCache, "CurrItems", []string{"Average", "Maximum"}}
	hits           = metric{export.NamespaceCache, "CacheHits", []string{"Sum", "Average"}}
	misses         = metric{export.NamespaceCache, "CacheMisses", []string{"Sum", "Average"}}
	commands       = metric{export.NamespaceCache, "ProcessedCommands", []string{"Sum", "Average"}}
	getCommands    = metric{export.NamespaceCache, "GetTypeCmds", []string{"Sum", "Average"}}
	setCommands    = metric{export.NamespaceCache, "SetTypeCmds", []string{"Sum", "Average"}}
	readP50        = metric{export.NamespaceCache, "SuccessfulReadRequestLatency", []string{"p50"}}
	readP99        = metric{export.NamespaceCache, "SuccessfulReadRequestLatency", []string{"p99"}}
	writeP50       = metric{export.NamespaceCache, "SuccessfulWriteRequestLatency", []string{"p50"}}
	writeP99       = metric{export.NamespaceCache, "SuccessfulWriteRequestLatency", []string{"p99"}}
	trafficManaged = metric{export.NamespaceCache, "TrafficManagementActive", []string{"Maximum", "Average"}}
	throttled      = metric{export.NamespaceCache, "ThrottledCmds", []string{"Sum"}} // of serverless caches, as is the next one
	ecpus          = metric{export.NamespaceCache, "ElastiCacheProcessingUnits", []string{"Sum"}}
	packetsIn      = metric{export.NamespaceCache, "NetworkPacketsIn", []string{"Sum", "Average"}}
	packetsOut     = metric{export.NamespaceCache, "NetworkPacketsOut", []string{"Sum", "Average"}}
	replicationLag = metric{export.NamespaceCache, "ReplicationLag", []string{"Maximum", "Average"}}
	linkHealth     = metric{export.NamespaceCache, "MasterLinkHealthStatus", []string{"Minimum", "Average"}}
	saving         = metric{export.NamespaceCache, "SaveInProgress", []string{"Maximum", "Average"}}
	isMaster       = metric{export.NamespaceCache, "IsMaster", []string{"Maximum", "Average"}}

	taskCPU       = metric{export.NamespaceECS, "CPUUtilization", []string{"Average"}}
	taskCPUMax    = metric{export.NamespaceECS, "CPUUtilization", []string{"Maximum"}}
	taskMemoryMax = metric{export.NamespaceECS, "MemoryUtilization", []string{"Maximum", "Average"}}
	taskRx        = metric{export.NamespaceInsights, "NetworkRxBytes", []string{"Average"}} // of a task, bytes/s
	taskTx        = metric{export.NamespaceInsights, "NetworkTxBytes", []string{"Average"}}
)

var wanted = []*metric{&engineCPU, &hostCPU, &creditBalance, &bytesIn, &bytesOut, &peakIn, &peakOut, &exceededIn, &exceededOut, &exceededPPS,
	&exceededTrack, &exceededLocal, &usageIn, &usageOut, &memoryEvict, &memoryAll, &usedMemory, &freeable, &swap, &evictions, &connections,
	&newConnections, &rejected, &items, &hits, &misses, &commands, &getCommands, &setCommands, &readP50, &readP99, &writeP50, &writeP99,
	&trafficManaged, &throttled, &ecpus, &isMaster, &packetsIn, &packetsOut, &replicationLag, &linkHealth, &saving, &taskCPU, &taskCPUMax, &taskMemoryMax, &taskRx, &taskTx}

type statistic struct{ namespace, name, stat string }

// points are the datapoints of one series.
type points struct {
	at  []uint32 // seconds since 1970
	v   []float64
	gap int64 // the usual time between two datapoints; 0: there is only one
}

// fold adds the n-th sample of a step to its value.
func fold(v, x, n float64, stat string) float64 {
	switch {
	case stat == "Sum" || stat == "SampleCount":
		return v + x
	case stat == "Minimum":
		return min(v, x)
	case stat == "Average":
		return v + (x-v)/n
	}
	return max(v, x) // Maximum, and percentiles, which the highest bounds
}

// source is a node or a load service.
type source struct {
	id     string
	series map[statistic]*points
}

// samples is the part of the metrics CSV that the analysis reads.
type samples struct {
	rows     int64
	from, to time.Time
	period   int64              // seconds, at least a minute, by the manifest; 0: unknown
	usual    int64              // between datapoints in the file
	nodes    map[string]*source // by id; only cluster ids if there are no node ids
	services map[string]*source
	counts   map[string]*count // of the counters asked for

	wrong           wrongLines
	naive, repeated int64 // rows whose time has no offset; rows that repeat a series and an instant
	astray          int64 // datapoints weeks away from the others

	serverless string  // name of a serverless cache, which is then the only one of nodes
	busy       *Window // when the load was active, as far as it is known
}

// count is a counter's sum over all nodes and times.
type count struct {
	known bool // it is in the file
	sum   float64
}

// readSamples reads the CSV in one pass. period is the manifest's, or 0. Unreadable lines are left out.
func readSamples(r io.Reader, period int64, counts map[string]*count) (*samples, error) {
	s := &samples{period: period, nodes: map[string]*source{}, services: map[string]*source{}, counts: counts}
	want := map[statistic]int{} // numbered from 1: a number is found faster than three texts
	for _, m := range wanted {
		for _, stat := range m.statistics {
			want[statistic{m.namespace, m.name, stat}] = len(want) + 1
		}
	}
	type met struct {
		*source
		series []*points
	}
	of := map[string]met{}
	for row, err := range export.ReadMetrics(r) {
		if line := (*export.LineError)(nil); errors.As(err, &line) {
			s.wrong.add(line)
			continue
		}
		if err != nil {
			return nil, err
		}
		s.rows++
		if t := row.Timestamp.Time; s.rows == 1 || t.Before(s.from) {
			s.from = t
		}
		if row.Timestamp.After(s.to) {
			s.to = row.Timestamp.Time
		}
		if row.Naive {
			s.naive++
		}
		if c := counts[row.MetricName]; c != nil && row.Stat == "Sum" {
			c.known, c.sum = true, c.sum+row.Value
		}
		key := statistic{row.Namespace, row.MetricName, row.Stat}
		if key.name == "TotalCmdsCount" {
			key.name = commands.name // the same count, of a serverless cache
		}
		number := want[key] - 1
		if number < 0 || math.IsNaN(row.Value) || math.IsInf(row.Value, 0) {
			continue
		}
		from, known := of[row.Dimensions]
		if !known {
			from = met{s.source(row.Dimensions), make([]*points, len(want))}
			of[row.Dimensions] = from
		}
		if from.source == nil {
			continue
		}
		p := from.series[number]
		if p == nil {
			if p = from.source.series[key]; p == nil { // other dimensions can belong to the same source
				p = &points{}
				from.source.series[statistic{strings.Clone(key.namespace), strings.Clone(key.name), strings.Clone(key.stat)}] = p
			}
			from.series[number] = p
		}
		p.at, p.v = append(p.at, uint32(row.Timestamp.Unix())), append(p.v, row.Value)
	}
	s.settle()
	s.dropClusters()
	return s, nil
}

// settle sorts the series by time, leaves one datapoint per instant, and finds the usual period.
func (s *samples) settle() {
	var all []*points
	var middle, gaps []float64
	for _, sources := range []map[string]*source{s.nodes, s.services} {
		for _, from := range sources {
			for _, p := range from.series {
				s.repeated += p.sort()
				all, middle = append(all, p), append(middle, float64(p.at[len(p.at)/2]))
			}
		}
	}
	if len(all) == 0 {
		return
	}
	center := int64(median(middle))
	for _, p := range all {
		n := 0
		for i, at := range p.at {
			if d := int64(at) - center; d > -longest && d < longest {
				p.at[n], p.v[n] = at, p.v[i]
				n++
			}
		}
		s.astray += int64(len(p.at) - n)
		if p.at, p.v = p.at[:n], p.v[:n]; n > 1 {
			p.gap = int64(p.usual())
			gaps = append(gaps, float64(p.gap))
		}
	}
	if len(gaps) > 0 {
		s.usual = int64(median(gaps))
	}
}

// sort sorts a series by time. Of several datapoints of one instant, as in joined exports, the last one in the file counts, because CloudWatch's
// values converge. It returns how many were left out.
func (p *points) sort() (repeated int64) {
	increasing := true
	for i := 1; i < len(p.at) && increasing; i++ {
		increasing = p.at[i-1] < p.at[i]
	}
	if increasing {
		return 0
	}
	order := make([]int, len(p.at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p.at[a], p.at[b]) })
	sorted := points{}
	for _, i := range order {
		if last := len(sorted.at) - 1; last >= 0 && sorted.at[last] == p.at[i] {
			sorted.v[last] = p.v[i]
			repeated++
			continue
		}
		sorted.at, sorted.v = append(sorted.at, p.at[i]), append(sorted.v, p.v[i])
	}
	*p = sorted
	return repeated
}

// usual is the usual time between two of the series' datapoints, of which there must be at least two.
func (p *points) usual() float64 {
	gaps := make([]float64, 0, len(p.at))
	for i := range p.at[1:] {
		gaps = append(gaps, float64(p.at[i+1]-p.at[i]))
	}
	return median(gaps)
}

// periodOf is a series' period: the usual time between its datapoints, but at most the manifest's period, because datapoints can be missing. A single
// datapoint has the manifest's.
func (s *samples) periodOf(p *points) int64 {
	own := p.gap
	if s.period > 0 && (own == 0 || own > s.period) {
		return s.period
	}
	return max(1, cmp.Or(own, s.usual, 60))
}

// longestPeriod is the longest period, in seconds, of the metrics that the verdict needs.
func (s *samples) longestPeriod(nodes []*source) (period int64) {
	for _, m := range []metric{engineCPU, hostCPU, bytesOut} {
		for _, g := range s.of(nodes, m, (*samples).grid) {
			if g != nil {
				period = max(period, g.step)
			}
		}
	}
	return period
}

// say adds warnings about the file.
func (s *samples) say(r *Results) {
	s.wrong.say(r, "the metrics CSV")
	if s.naive > 0 {
		r.warn("the metrics CSV has times without an offset in %s: they are read as UTC", Quantity(int(s.naive), "row"))
	}
	if s.repeated > 0 {
		r.warn("the metrics CSV repeats a series and a time in %s: the last one of each counts", Quantity(int(s.repeated), "row"))
	}
	if s.astray > 0 {
		r.warn("the metrics CSV has %s over 15 days away from the others, left out", Quantity(int(s.astray), "datapoint"))
	}
}

// source returns the source with these dimensions; nil for those that the analysis does not read, such as a replication group's own series.
func (s *samples) source(text string) *source {
	d, err := export.ParseDimensions(text)
	if err != nil {
		return nil
	}
	put := func(into map[string]*source, id string) *source {
		if into[id] == nil {
			into[id] = &source{id: id, series: map[statistic]*points{}}
		}
		return into[id]
	}
	switch cluster, node := d["CacheClusterId"], d["CacheNodeId"]; {
	case d["clusterId"] != "" && len(d) == 1:
		s.serverless = d["clusterId"]
		return put(s.nodes, s.serverless)
	case cluster != "" && len(d) == 2 && node != "":
		return put(s.nodes, nodeID(cluster, node))
	case cluster != "" && len(d) == 1:
		return put(s.nodes, cluster+" ") // the same series, if both are exported
	case d["ServiceName"] != "" && d["ClusterName"] != "" && len(d) == 2:
		return put(s.services, d["ServiceName"])
	}
	return nil
}

// nodeID is the cluster's id, which is enough to identify a node if each cluster has only one, as in replication groups.
func nodeID(cluster, node string) string {
	if node == "0001" || node == "" {
		return cluster
	}
	return cluster + "/" + node
}

// dropClusters drops a cluster's own series if its nodes have series.
func (s *samples) dropClusters() {
	for id, from := range s.nodes {
		cluster, alone := strings.CutSuffix(id, " ")
		if !alone {
			continue
		}
		delete(s.nodes, id)
		to := s.nodes[cluster]
		if to == nil {
			from.id = cluster
			s.nodes[cluster] = from
			continue
		}
		for key, p := range from.series {
			if to.series[key] == nil {
				to.series[key] = p
			}
		}
	}
}

// grid returns a metric of a source as a grid; nil without values. A value covers the period that starts at its time.
func (s *samples) grid(from *source, m metric) *grid {
	if s == nil || from == nil {
		return nil
	}
	for _, stat := range m.statistics {
		if p := from.series[statistic{m.namespace, m.name, stat}]; p != nil && len(p.at) > 0 {
			return p.grid(s.periodOf(p), stat)
		}
	}
	return nil
}

// rate is a counting metric per second. Its Average is over samples of a minute. A period of several minutes that the load fills in part is divided
// by that part.
func (s *samples) rate(from *source, m metric) *grid {
	g := s.grid(from, m)
	if g == nil {
		return nil
	}
	if from.series[statistic{m.namespace, m.name, "Sum"}] == nil {
		return g.scale(1. / 60)
	}
	for i := range g.v {
		seconds := float64(g.step)
		if s.busy != nil && g.step > 60 {
			w := Window{Start: later(g.at(i), s.busy.Start), End: g.at(i + 1)}
			if w.End.After(s.busy.End) {
				w.End = s.busy.End
			}
			if in := w.Duration().Seconds(); in > 0 {
				seconds = in
			}
		}
		g.v[i] /= seconds
	}
	return g
}

func (p *points) grid(period int64, stat string) *grid {
	first := int64(p.at[0]) - int64(p.at[0])%period
	n := (int64(p.at[len(p.at)-1])-first)/period + 1
	g := newGrid(first, period, int(n))
	last, samples := int64(-1), 0.0
	for i, at := range p.at {
		j := (int64(at) - first) / period
		if j != last { // two datapoints can fall into one step, because they are not exactly a period apart
			last, samples, g.v[j] = j, 1, p.v[i]
			continue
		}
		samples++
		g.v[j] = fold(g.v[j], p.v[i], samples, stat)
	}
	return g
}

// of returns a metric of each node, nil for a node without it.
func (s *samples) of(nodes []*source, m metric, read func(*samples, *source, metric) *grid) []*grid {
	out := make([]*grid, len(nodes))
	for i, n := range nodes {
		out[i] = read(s, n, m)
	}
	return out
}
