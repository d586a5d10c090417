package report

import (
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// metric is what the analysis reads of one CloudWatch metric: the first of its statistics that the file has. ElastiCache publishes one sample
// a minute and node, so that at a period of a minute its statistics are the same:
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
	throttled      = metric{export.NamespaceCache, "ThrottledCmds", []string{"Sum"}} // of serverless caches, as the next one
	ecpus          = metric{export.NamespaceCache, "ElastiCacheProcessingUnits", []string{"Sum"}}
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
	&trafficManaged, &throttled, &ecpus, &isMaster, &taskCPU, &taskCPUMax, &taskMemoryMax, &taskRx, &taskTx}

type statistic struct{ namespace, name, stat string }

// points is one series as it is read: what falls into one step becomes one value.
type points struct {
	at []uint32 // in steps since 1970
	v  []float64
	n  int // samples in the last value
}

func (p *points) add(at uint32, x float64, stat string) {
	last := len(p.at) - 1
	if last < 0 || p.at[last] != at {
		p.at, p.v, p.n = append(p.at, at), append(p.v, x), 1
		return
	}
	p.n++
	p.v[last] = fold(p.v[last], x, float64(p.n), stat)
}

// fold adds the n-th sample to a value.
func fold(v, x, n float64, stat string) float64 {
	switch {
	case stat == "Sum" || stat == "SampleCount":
		return v + x
	case stat == "Minimum":
		return min(v, x)
	case stat == "Average":
		return v + (x-v)/n
	}
	return max(v, x) // Maximum, and percentiles: the highest bounds them
}

// source is a node or a load service.
type source struct {
	id     string
	series map[statistic]*points
}

// samples is what the metrics CSV holds of what the analysis reads.
type samples struct {
	rows     int64
	from, to time.Time
	step     int64              // seconds
	nodes    map[string]*source // by id; cluster ids alone where no node id is given
	services map[string]*source
	counts   map[string]*count // of the counters asked for

	serverless string // the name of such a cache, which is the one of nodes then
}

// count is a counter's sum over all nodes and times.
type count struct {
	known bool // it is in the file
	sum   float64
}

// readSamples reads the CSV in one pass. Values become values of a step: a minute, or for a short window as dense as they are.
func readSamples(r io.Reader, step int64, counts map[string]*count) (*samples, error) {
	s := &samples{step: step, nodes: map[string]*source{}, services: map[string]*source{}, counts: counts}
	want := map[statistic]bool{}
	for _, m := range wanted {
		for _, stat := range m.statistics {
			want[statistic{m.namespace, m.name, stat}] = true
		}
	}
	of := map[string]*source{}
	for row, err := range export.ReadMetrics(r) {
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
		if c := counts[row.MetricName]; c != nil && row.Stat == "Sum" {
			c.known, c.sum = true, c.sum+row.Value
		}
		key := statistic{row.Namespace, row.MetricName, row.Stat}
		if key.name == "TotalCmdsCount" {
			key.name = commands.name // the same count, of a serverless cache
		}
		if !want[key] || math.IsNaN(row.Value) || math.IsInf(row.Value, 0) {
			continue
		}
		from, met := of[row.Dimensions]
		if !met {
			from = s.source(row.Dimensions)
			of[strings.Clone(row.Dimensions)] = from
		}
		if from == nil {
			continue
		}
		p := from.series[key]
		if p == nil {
			p = &points{}
			key = statistic{strings.Clone(key.namespace), strings.Clone(key.name), strings.Clone(key.stat)}
			from.series[key] = p
		}
		p.add(uint32(row.Timestamp.Unix()/step), row.Value, row.Stat)
	}
	s.dropClusters()
	return s, nil
}

// source finds whom dimensions describe; nil for what the analysis does not read, as a replication group's own series.
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
		return put(s.nodes, cluster+" ") // the same series again, where both are exported
	case d["ServiceName"] != "" && d["ClusterName"] != "" && len(d) == 2:
		return put(s.services, d["ServiceName"])
	}
	return nil
}

// nodeID is the cluster's id, which names a node alone as long as each cluster has one, as in replication groups.
func nodeID(cluster, node string) string {
	if node == "0001" || node == "" {
		return cluster
	}
	return cluster + "/" + node
}

// dropClusters takes a cluster's own series only where its nodes have none.
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

// grid is a metric of a source; nil without values. A value covers the time to the next one, the usual distance between two.
func (s *samples) grid(from *source, m metric) *grid {
	if s == nil || from == nil {
		return nil
	}
	for _, stat := range m.statistics {
		if p := from.series[statistic{m.namespace, m.name, stat}]; p != nil {
			return p.grid(s.step, stat)
		}
	}
	return nil
}

// rate is a metric that counts, per second. An average of it is over samples of a minute.
func (s *samples) rate(from *source, m metric) *grid {
	g := s.grid(from, m)
	if g == nil {
		return nil
	}
	period := float64(g.step)
	if from.series[statistic{m.namespace, m.name, "Sum"}] == nil {
		period = 60
	}
	return g.scale(1 / period)
}

func (p *points) grid(step int64, stat string) *grid {
	if !slices.IsSorted(p.at) {
		p.sort(stat)
	}
	period := int64(1)
	if len(p.at) > 1 {
		gaps := make([]float64, 0, len(p.at))
		for i := range p.at[1:] {
			gaps = append(gaps, float64(p.at[i+1]-p.at[i]))
		}
		period = int64(median(gaps))
	} else {
		period = max(1, 60/step)
	}
	first := int64(p.at[0]) - int64(p.at[0])%period
	n := (int64(p.at[len(p.at)-1])-first)/period + 1
	g := newGrid(first*step, period*step, int(min(n, longest)))
	last, samples := int64(-1), 0.0
	for i, at := range p.at {
		j := (int64(at) - first) / period
		if j >= int64(len(g.v)) {
			break
		}
		if j != last { // two that fall into one, since they are not exactly a period apart
			last, samples, g.v[j] = j, 1, p.v[i]
			continue
		}
		samples++
		g.v[j] = fold(g.v[j], p.v[i], samples, stat)
	}
	return g
}

// sort brings values of a file that is not in order of time into it.
func (p *points) sort(stat string) {
	order := make([]int, len(p.at))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(p.at[a]) - int(p.at[b]) })
	sorted := points{}
	for _, i := range order {
		sorted.add(p.at[i], p.v[i], stat)
	}
	*p = sorted
}

// of is a metric of each node, nil where a node has none.
func (s *samples) of(nodes []*source, m metric, read func(*samples, *source, metric) *grid) []*grid {
	out := make([]*grid, len(nodes))
	for i, n := range nodes {
		out[i] = read(s, n, m)
	}
	return out
}
