package report

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/reference"
)

// Run is the exported files of a run. Each may be nil: the answer then lists what is lacking.
type Run struct {
	Metrics, Logs io.Reader
	Manifest      *export.Manifest
}

// The maximum number of values in a series, so that the page of a day with 100 tasks and 90 nodes stays at a few megabytes.
const (
	pointsOfRun   = 1500 // one line for the whole run
	pointsOfGroup = 6000 // one line per task or node, all of the group together
)

// each is the maximum number of values for each of n series of a group.
func each(n int) int { return min(pointsOfRun, max(60, pointsOfGroup/max(1, n))) }

// Analyze finds what the cache did and what limited it. It reads both files once, concurrently, and keeps sums and series, never the rows. It
// returns an error for a file that breaks the format, and ctx's; missing data is no error, but listed in the results.
func Analyze(ctx context.Context, run Run) (*Results, error) {
	m := (*manifest)(run.Manifest)
	sums := map[string]hash.Hash{}
	whole := func(kind string, r io.Reader) io.Reader {
		if r == nil || !m.lists(kind) {
			return r
		}
		sums[kind] = sha256.New()
		return io.TeeReader(r, sums[kind])
	}
	run.Metrics, run.Logs = whole(export.KindMetrics, run.Metrics), whole(export.KindLogs, run.Logs)
	var s *samples
	var l *load
	var unread, err error // of the metrics, of the log
	done := make(chan struct{})
	go func() {
		defer close(done)
		if run.Metrics != nil {
			s, unread = readSamples(until{ctx, run.Metrics}, m.period(), m.counters())
			if unread != nil {
				_, _ = io.Copy(io.Discard, until{ctx, run.Metrics}) // for its checksum
			}
		}
	}()
	if run.Logs != nil {
		l, err = readLoad(until{ctx, run.Logs})
	}
	if <-done; err == nil && (l == nil || l.log.Events == 0) {
		err = unread // there is no other file
	}
	if err = cmp.Or(err, context.Cause(ctx)); err != nil {
		return nil, err
	}
	r := analyze(m, s, l)
	if unread != nil {
		r.warn("%v: the report is made without metrics", unread)
	}
	for i := range r.Provenance.Files {
		f := &r.Provenance.Files[i]
		if sum := sums[f.Kind]; sum != nil {
			same := hex.EncodeToString(sum.Sum(nil)) == f.SHA256
			if f.Verified = &same; !same {
				r.warn("the %s that were read do not have the checksum that the manifest gives for %s: the file was changed, or is a different one", f.Kind, f.Key)
			}
		}
	}
	return r, nil
}

// until is a reader that ends with its context.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u until) Read(b []byte) (int, error) {
	if err := context.Cause(u.ctx); err != nil {
		return 0, err
	}
	return u.r.Read(b)
}

// analysis is the input of all sections.
type analysis struct {
	*Results
	m     *manifest
	s     *samples // nil: no metrics
	l     *load    // nil: no log
	nodes []*source
	load  *source // the service; nil: none
	kind  reference.NodeType
	known bool                  // whether kind is known
	turns map[*source][]*source // nodes that were primary of the same shard in turn, each with all of them
	parts []Window              // parts of the load without warm-up and ramp-down in which nothing changed

	cpuRamps []Window // parts in which engine CPU rose or fell along a straight line

	maxECPU float64 // per second, of a serverless cache; 0: not set
	reads   string  // settings.load.read_from: primary or replicas
}

func analyze(m *manifest, s *samples, l *load) *Results {
	r := &Results{SchemaVersion: SchemaVersion, Headline: []Figure{}, Tasks: []TaskResult{}, Nodes: []NodeResult{}, Gaps: []Gap{}, Warnings: []string{}, Lacking: []Lack{}}
	r.Verdict.Limits, r.Verdict.Segments, r.Verdict.Findings = []string{}, []Segment{}, []Finding{}
	r.Verdict.Notes, r.Verdict.Events = []string{}, []Event{}
	r.Phases.List, r.Client.Errors.Kinds = []Window{}, []ErrorKind{}
	r.Client.Latency.Percentiles, r.Client.Latency.Curve, r.Client.Latency.Over = []Percentile{}, []Percentile{}, []Over{}
	r.Network.Nodes, r.Network.Allowances = []NodeNetwork{}, []Allowance{}
	r.Cost.Items, r.Cost.Missing, r.Cost.NotIncluded = []CostItem{}, []string{}, []string{}
	r.Provenance.Files, r.Provenance.Data = []Source{}, []Data{}
	a := &analysis{Results: r, m: m, s: s, l: l}
	if m != nil {
		r.Warnings = append(r.Warnings, m.Warnings...)
	}
	a.provenance()
	a.configure()
	if s != nil {
		for _, id := range slices.Sorted(maps.Keys(s.nodes)) {
			a.nodes = append(a.nodes, s.nodes[id])
		}
		for _, id := range slices.Sorted(maps.Keys(s.services)) {
			if a.load == nil || strings.HasSuffix(id, "-load") {
				a.load = s.services[id]
			}
		}
	}
	a.kind, a.known = reference.Known().NodeTypes[r.Configuration.NodeType]
	a.busy()
	if a.phases() {
		a.primaries()
		a.client()
		a.network()
		a.server()
		a.verdict()
	} else {
		a.nothing()
	}
	if a.Phases.Load != nil {
		a.capacity()
	}
	a.cost()
	a.headline()
	a.gaps()
	return r
}

// busy passes the time of prefill and load to the samples, if the log has it.
func (a *analysis) busy() {
	w := a.l.window()
	if w == nil || a.s == nil {
		return
	}
	for _, t := range a.l.log.Tasks {
		if !t.Filling.IsZero() && t.Filling.Before(w.Start) {
			w.Start = t.Filling
		}
	}
	a.s.busy = w
}

// nothing reports that there is no load to analyze.
func (a *analysis) nothing() {
	why := "no operation of a load is in the files"
	if a.l != nil {
		a.l.tasks(a.Results, a.m)
		a.l.trouble(a.Results)
		if len(a.Tasks) > 0 {
			why = fmt.Sprintf("no task did an operation: task %s %s", a.Tasks[0].ID, first(a.Tasks[0].Trouble, "was silent"))
		}
		if ops, unreadable := a.l.unreadable(); unreadable {
			why = "the log cannot be read: its progress records have an unknown format"
			if ops > 0 {
				why += fmt.Sprintf("; the tasks' tables say %s ops/s", Thousands(ops))
			}
		}
	}
	a.Verdict.Outcome, a.Verdict.Sentence = CannotTell, "Cannot tell what limited the run, because "+why+"."
	a.Verdict.Next = "See the tasks' log for the reason, then repeat the run."
	a.Client.Latency.Note = why
	for _, section := range []string{"client", "latency", "phases", "server", "network", "cpu", "memory", "connections"} {
		a.lack(section, "%s", why)
	}
	if len(a.Tasks) == 0 {
		a.lack("tasks", "%s", why)
	}
}

func (a *analysis) client() {
	if a.l.window() == nil {
		why := "no load task wrote a progress record into the log, or there is no log"
		lacking := []string{"client", "latency", "tasks"}
		if _, unreadable := a.l.unreadable(); unreadable {
			why, lacking = "the progress records in the log have an unknown format", lacking[:1]
			a.l.latencies(a.Results)
			a.l.tasks(a.Results, a.m)
			a.l.trouble(a.Results)
		} else {
			a.Client.Latency.Note = why
		}
		for _, section := range lacking {
			a.lack(section, "%s", why)
		}
		return
	}
	a.l.fill(a.Results)
	a.l.latencies(a.Results)
	a.l.tasks(a.Results, a.m)
	a.l.trouble(a.Results)
}

// manifest reads a manifest whose members can be missing.
type manifest export.Manifest

// period is the requested period of the metrics in seconds; 0 if unknown. It is at least a minute, because ElastiCache and ECS publish one datapoint
// a minute.
func (m *manifest) period() int64 {
	if m == nil || m.Metrics == nil || m.Metrics.PeriodSeconds <= 0 {
		return 0
	}
	return max(60, int64(m.Metrics.PeriodSeconds))
}

// lists reports whether the manifest has an object of the kind.
func (m *manifest) lists(kind string) bool {
	if m == nil {
		return false
	}
	_, there := export.Manifest(*m).Object(kind)
	return there
}

func (m *manifest) tasks() []export.Task {
	if m == nil {
		return nil
	}
	return m.Tasks
}

// stopped is ECS's reason for stopping a task.
func (m *manifest) stopped(id string) string {
	for _, t := range m.tasks() {
		if shortID(t.ID) == shortID(id) {
			return first(t.StoppedReason, t.StopCode)
		}
	}
	return ""
}

// zones returns the tasks' Availability Zones by short id.
func (m *manifest) zones() map[string]string {
	zones := map[string]string{}
	for _, t := range m.tasks() {
		zones[shortID(t.ID)] = t.AvailabilityZone
	}
	return zones
}

func (m *manifest) node(id string) (export.Node, bool) {
	if m == nil || m.Membership == nil {
		return export.Node{}, false
	}
	for _, n := range m.Membership.Nodes {
		if nodeID(n.CacheClusterID, n.CacheNodeID) == id {
			return n, true
		}
	}
	return export.Node{}, false
}

func (a *analysis) provenance() {
	p := &a.Provenance
	if a.m != nil {
		if a.m.APIEndpoint != "" {
			p.APIEndpoint = a.m.APIEndpoint
			a.warn("the run was on the embedded AWS at %s: these are figures of the server and the machine there, not of ElastiCache", a.m.APIEndpoint)
		}
		a.Name, a.Run = a.m.Name, a.m.Run
		p.ManifestComplete, p.ManifestCreated, p.ExportTool = &a.m.Complete, &a.m.CreatedAt, a.m.ToolVersion
		for _, o := range a.m.Objects {
			p.Files = append(p.Files, Source{Kind: o.Kind, Key: o.Key, Bytes: o.Bytes, SHA256: o.SHA256})
		}
		if !a.m.Complete {
			a.warn("the manifest is not complete: the run's stop had not finished its export")
		}
	} else {
		a.warn("there is no manifest: configuration, prices and what should be there are not known")
	}
	if a.s != nil {
		a.s.say(a.Results)
		p.MetricRows, p.MetricsFrom, p.MetricsTo = a.s.rows, instant(a.s.from), instant(a.s.to)
	}
	if a.l != nil {
		a.l.say(a.Results)
		p.LogLines, p.LogEvents, p.LogFrom, p.LogTo = int64(a.l.log.Lines), int64(a.l.log.Events), instant(a.l.from), instant(a.l.to)
		for _, t := range a.l.log.Tasks {
			a.Run = first(a.Run, t.Run)
		}
	}
	ref := reference.Known()
	if a.m != nil && a.m.Membership != nil && a.m.Membership.ServerlessCache != "" {
		p.Data = append(p.Data, Data(ref.Caches), Data(ref.Tasks))
	} else {
		p.Data = append(p.Data, Data(ref.Types), Data(ref.Nodes), Data(ref.Tasks))
	}
}

// settings are the members of the manifest's settings that the analysis uses; a value can be absent, null, or of another type.
type settings struct {
	Cache struct {
		Engine            string
		EngineVersion     string `json:"engine_version"`
		NodeType          string `json:"node_type"`
		Shards, Replicas  *int
		TransitEncryption *bool `json:"transit_encryption"`
		Serverless        *struct {
			MaxECPU    float64 `json:"max_ecpu_per_second"`
			MaxStorage float64 `json:"max_storage_gb"`
		}
	}
	Load struct {
		TaskCount    int `json:"task_count"`
		CPU          int
		Memory       int
		Architecture string
		Threads      int
		Clients      int
		Pipeline     int
		DataSize     int `json:"data_size"`
		Ratio        string
		KeyPattern   string   `json:"key_pattern"`
		KeyMaximum   int64    `json:"key_maximum"`
		RateLimit    *float64 `json:"rate_limit"`
		ExtraArgs    []string `json:"extra_args"`
		Image        string
		ReadFrom     string `json:"read_from"`
	}
}

func (a *analysis) configure() {
	c := &a.Configuration
	c.ExtraArgs, c.NodeZones, c.TaskZones = []string{}, []string{}, []string{}
	if a.m != nil {
		var s settings
		if len(a.m.Settings) > 0 {
			if err := json.Unmarshal(a.m.Settings, &s); err != nil {
				a.warn("settings in the manifest have an unexpected type: %v", err)
			}
			c.Settings = a.m.Settings
		}
		c.Engine, c.EngineVersion, c.NodeType, c.TLS = s.Cache.Engine, s.Cache.EngineVersion, s.Cache.NodeType, s.Cache.TransitEncryption
		w := s.Load
		c.Tasks, c.TaskCPUUnits, c.TaskMemoryMiB, c.Architecture, c.Threads, c.Clients, c.Pipeline = w.TaskCount, w.CPU, w.Memory, w.Architecture, w.Threads, w.Clients, w.Pipeline
		c.DataSize, c.Ratio, c.KeyPattern, c.KeyMaximum, c.RateLimit, c.Image = w.DataSize, w.Ratio, w.KeyPattern, w.KeyMaximum, w.RateLimit, w.Image
		if w.ExtraArgs != nil {
			c.ExtraArgs = w.ExtraArgs
		}
		c.Region, a.reads = a.m.Region, w.ReadFrom
		if s.Cache.Serverless != nil {
			a.maxECPU = s.Cache.Serverless.MaxECPU
		}
		if g := a.m.Membership; g != nil {
			c.ServerlessCache = g.ServerlessCache
			c.Engine, c.EngineVersion = cmp.Or(g.Engine, c.Engine), cmp.Or(g.EngineVersion, c.EngineVersion)
			c.NodeType, c.ClusterMode, c.Nodes = cmp.Or(g.NodeType, c.NodeType), g.ClusterMode, len(g.Nodes)
			shards := map[string]bool{}
			for _, n := range g.Nodes {
				shards[n.NodeGroup] = true
				if zone := n.AvailabilityZone; c.Region == "" && len(zone) > 1 {
					c.Region = strings.TrimRight(zone, "abcdefghij") // us-east-1b
				}
			}
			c.Shards = len(shards)
			c.NodeZones = zonesOf(g.Nodes, func(n export.Node) string { return n.AvailabilityZone })
		}
		c.TaskZones = zonesOf(a.m.Tasks, func(t export.Task) string { return t.AvailabilityZone })
	}
	if a.s != nil {
		c.ServerlessCache = cmp.Or(c.ServerlessCache, a.s.serverless)
	}
	if a.s != nil && c.ServerlessCache == "" {
		c.Nodes = cmp.Or(c.Nodes, len(a.s.nodes))
	}
	if a.l != nil {
		c.Server, c.Tasks = a.l.log.Server, cmp.Or(c.Tasks, len(a.l.log.Tasks))
		for _, t := range a.l.log.Tasks {
			c.Generator = first(c.Generator, t.Generator)
			c.DifferentGenerator = c.DifferentGenerator || t.Generator != c.Generator
		}
		if other := strings.TrimSpace(c.Engine + " " + c.EngineVersion); c.Engine != "" && c.Server != "" && !strings.HasPrefix(strings.ToLower(c.Server), strings.ToLower(c.Engine)) {
			a.warn("%s answered, not %s", c.Server, other)
		}
		if c.DifferentGenerator {
			a.warn("the tasks did not all run the same generator")
		}
	}
}

// zonesOf returns the known zones of its items, sorted, without duplicates.
func zonesOf[T any](all []T, of func(T) string) []string {
	zones := []string{}
	for _, one := range all {
		if z := of(one); z != "" && !slices.Contains(zones, z) {
			zones = append(zones, z)
		}
	}
	slices.Sort(zones)
	return zones
}

// at describes a window by time of day, as the charts do, and in minutes of the load.
func (a *analysis) at(w Window) string {
	begin := a.Phases.Load.Start
	return fmt.Sprintf("from %s to %s (minutes %.0f to %.0f of the load)", a.moment(w.Start), a.moment(w.End), w.Start.Sub(begin).Minutes(), w.End.Sub(begin).Minutes())
}

// moment is a time of day, with its date if the load spans midnight.
func (r *Results) moment(t time.Time) string {
	if load := r.Phases.Load; load != nil && load.Start.UTC().YearDay() != load.End.UTC().YearDay() {
		return t.UTC().Format("2006-01-02 15:04:05")
	}
	return t.UTC().Format("15:04:05")
}

func clock(d time.Duration) string {
	s := int(d.Seconds() + 0.5)
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}
