package report

import (
	"encoding/json"
	"time"
)

// SchemaVersion is the version of Results' schema: it changes if a member changes its meaning or is removed, not if one is added.
const SchemaVersion = 1

// Results is the answer of one run: results.json, docs/results.schema.json. A pointer that is nil, null in JSON, is a value that is not in the
// exported files; Lacking says which sections lack data and why. Times are UTC. Names of members include their unit.
type Results struct {
	SchemaVersion int           `json:"schema_version"`
	Run           string        `json:"run"`  // 2026-11-23T03-08-09Z; "" if neither the manifest nor the log has it
	Name          string        `json:"name"` // the stack
	Verdict       Verdict       `json:"verdict"`
	Headline      []Figure      `json:"headline"` // in the order of reading
	Phases        Phases        `json:"phases"`
	Client        Client        `json:"client"`
	Tasks         []TaskResult  `json:"tasks"` // by start
	Nodes         []NodeResult  `json:"nodes"` // by name; a serverless cache is the one entry
	Server        Server        `json:"server"`
	Network       Network       `json:"network"`
	CPU           CPU           `json:"cpu"`
	Memory        Memory        `json:"memory"`
	Connections   Connections   `json:"connections"`
	Capacity      Capacity      `json:"capacity"`
	Cost          Cost          `json:"cost"`
	Configuration Configuration `json:"configuration"`
	Provenance    Provenance    `json:"provenance"`
	Gaps          []Gap         `json:"gaps"`     // data that should be there and is not; the expected ones last
	Warnings      []string      `json:"warnings"` // sentences, the manifest's first
	Lacking       []Lack        `json:"lacking"`  // sections without data
}

// Window is a span of time: Start inclusive, End exclusive. Phase names it, for example "steady", or "load" for all of the load.
type Window struct {
	Phase string    `json:"phase"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Duration of the window.
func (w Window) Duration() time.Duration { return w.End.Sub(w.Start) }

// Outcomes of a verdict.
const (
	Limited    = "limited"     // Limits says by what
	NotLimited = "not_limited" // nothing that was measured was at its limit
	CannotTell = "cannot_tell" // data is missing
)

// Verdict is what limited the run.
type Verdict struct {
	Outcome  string    `json:"outcome"`  // limited, not_limited or cannot_tell
	Sentence string    `json:"sentence"` // one sentence with its evidence
	Limits   []string  `json:"limits"`   // ids of the rules that fired, in the table's order; empty unless limited
	Window   *Window   `json:"window"`   // what the findings are of: the segment with the most limits, else the steady one
	Segments []Segment `json:"segments"` // one where nothing changed
	Findings []Finding `json:"findings"` // every rule, in the table's order
	Next     string    `json:"next"`     // the next step, one sentence
	Notes    []string  `json:"notes"`    // sentences: what was noted and is no limit
	Events   []Event   `json:"events"`   // what happened in the load, by time
}

// Finding is what one rule saw.
type Finding struct {
	ID        string   `json:"id"`        // for example engine_cpu
	Name      string   `json:"name"`      // for example "engine CPU"
	State     string   `json:"state"`     // fired, quiet, no_data, not_applicable or noted
	Measured  *float64 `json:"measured"`  // in Unit, of the node or task nearest to its limit
	Threshold float64  `json:"threshold"` // in Unit; the rule fires at or above it
	Unit      string   `json:"unit"`
	Where     []string `json:"where"`    // nodes or tasks at the limit; when quiet the nearest one
	Evidence  string   `json:"evidence"` // a sentence; without data, why
	Rule      string   `json:"rule"`     // how it decides
	Source    string   `json:"source"`   // of the threshold
}

// States of a finding.
const (
	Fired         = "fired"
	Quiet         = "quiet"
	NoData        = "no_data"
	NotApplicable = "not_applicable"
	Noted         = "noted" // at its threshold, but not a limit
)

// Figure is a headline figure.
type Figure struct {
	ID     string   `json:"id"`    // stable: ops_per_second, latency_p99_ms, ...
	Label  string   `json:"label"` // for people
	Value  *float64 `json:"value"`
	Unit   string   `json:"unit"`   // ops/s, ms, bytes/s, percent, USD, ...
	Better string   `json:"better"` // higher, lower or "" when neither is
	Window *Window  `json:"window"` // nil only when Value is
	Note   string   `json:"note"`   // how it was made, or why it is missing
}

// Phases of the load, in order of time and without overlap. Figures are of Steady unless they say otherwise.
type Phases struct {
	Load   *Window  `json:"load"`   // first to last operation of any task, after the prefill that the tasks log
	List   []Window `json:"list"`   // phases found: prefill, warm_up, burst, steady, drifting, disturbed, changed, ramp, ramp_down
	Steady *Window  `json:"steady"` // nil: not found, figures are taken from all of the load
	Method string   `json:"method"` // how they were found, with its source
	// DriftPercent is how much throughput changed from start to end of the steady window, by a straight line through it, as a share of its mean.
	DriftPercent *float64 `json:"drift_percent"`
	// VariationPercent is the standard deviation of throughput per minute (per 5 s in a short run) as a share of its mean.
	VariationPercent *float64 `json:"variation_percent"`
	// UncertaintyPercent is half the 95 % interval of the steady window's mean throughput, as a share of it, by the noise within this run alone; runs
	// differ by more. null: not known, for example if the window is short compared with the noise.
	UncertaintyPercent *float64 `json:"uncertainty_percent"`
}

// Client is what the load generators measured, all tasks together.
type Client struct {
	Throughput  *Series `json:"throughput"`   // ops/s, summed over the tasks, from one value a second
	MeanLatency *Series `json:"mean_latency"` // ms, weighted by operations
	Bytes       *Series `json:"bytes"`        // bytes/s of requests and replies, summed over the tasks
	Running     *Series `json:"running"`      // tasks that reported operations

	Operations           int64    `json:"operations"`            // of all tasks, by their last progress record
	SuccessfulOperations int64    `json:"successful_operations"` // of the tasks whose result counts
	HitPercent           *float64 `json:"hit_percent"`           // hits of the reads, by the final tables
	Errors               Errors   `json:"errors"`
	Latency              Latency  `json:"latency"`
}

// Errors of the load generators.
type Errors struct {
	Connections int64       `json:"connections"` // connection errors by the last progress records
	Reconnects  int64       `json:"reconnects"`  // log lines about a reconnect
	Lines       int64       `json:"lines"`       // error lines in the log; the wrapper cuts a flood, so it is a lower bound
	Kinds       []ErrorKind `json:"kinds"`       // the most frequent texts, at most 10
}

// ErrorKind is an error text, digits replaced by #.
type ErrorKind struct {
	Text  string    `json:"text"`
	Count int64     `json:"count"`
	First time.Time `json:"first"`
}

// Latency is from the histograms of all tasks, merged; never an average of percentiles. It covers all of the load: a histogram has no times.
type Latency struct {
	Window      *Window      `json:"window"`
	Tasks       int          `json:"tasks"` // whose histograms are in it
	Operations  int64        `json:"operations"`
	MeanMS      *float64     `json:"mean_ms"`
	MinMS       *float64     `json:"min_ms"`
	MaxMS       *float64     `json:"max_ms"`
	Percentiles []Percentile `json:"percentiles"` // 50, 90, 95, 99, 99.9, 99.99
	Curve       []Percentile `json:"curve"`       // rising to 100, evenly spaced in "nines"; for a chart
	Over        []Over       `json:"over"`        // 1, 5 and 10 ms
	Loop        string       `json:"loop"`        // closed, rate_limited or "" when unknown
	Note        string       `json:"note"`        // coordinated omission, or why there is nothing
}

// At is the value at a percentile of Percentiles; false if it is not in there.
func (l *Latency) At(percent float64) (ms float64, ok bool) {
	for _, p := range l.Percentiles {
		if p.Percent == percent {
			return p.MS, true
		}
	}
	return 0, false
}

// Percentile is a latency that Percent % of the operations did not exceed.
type Percentile struct {
	Percent float64 `json:"percent"`
	MS      float64 `json:"ms"`
}

// Over is the share of the operations that took MS or longer.
type Over struct {
	MS      float64 `json:"ms"`
	Percent float64 `json:"percent"`
}

// TaskResult is one task of the load.
type TaskResult struct {
	ID               string       `json:"id"`
	AvailabilityZone string       `json:"availability_zone"` // "" if the manifest does not have it
	State            string       `json:"state"`             // ok, invalid, failed, died (it started and did not finish) or silent (ECS lists it, the log does not)
	Trouble          string       `json:"trouble"`           // why it is not ok
	Generator        string       `json:"generator"`
	Started          *time.Time   `json:"started"`
	FirstOps         *time.Time   `json:"first_ops"` // first progress record
	LastOps          *time.Time   `json:"last_ops"`  // last progress record
	Finished         *time.Time   `json:"finished"`
	LateSeconds      *float64     `json:"late_seconds"` // after the first task's first operations
	Operations       int64        `json:"operations"`
	OpsPerSecond     *float64     `json:"ops_per_second"` // mean over the steady window, else over all of its own load
	BytesPerSec      *float64     `json:"bytes_per_second"`
	Percentiles      []Percentile `json:"percentiles"` // of its own histogram, all of its load; empty without one
	Throughput       *Series      `json:"throughput"`  // ops/s
}

// NodeResult is one cache node. Figures are over the steady window unless they say otherwise.
type NodeResult struct {
	ID               string `json:"id"` // CacheClusterId, with /CacheNodeId when that is not 0001
	Shard            string `json:"shard"`
	Role             string `json:"role"` // primary, replica or "" (cluster mode)
	AvailabilityZone string `json:"availability_zone"`

	EngineCPUPercent      *float64 `json:"engine_cpu_percent"` // mean
	HostCPUPercent        *float64 `json:"host_cpu_percent"`   // mean
	CreditBalance         *float64 `json:"credit_balance"`     // lowest of the load
	CommandsPerSecond     *float64 `json:"commands_per_second"`
	ReadP99MS             *float64 `json:"read_p99_ms"`  // median of the minutes' p99
	WriteP99MS            *float64 `json:"write_p99_ms"` // median of the minutes' p99
	HitPercent            *float64 `json:"hit_percent"`
	MemoryPercent         *float64 `json:"memory_percent"` // highest
	Evictions             *float64 `json:"evictions"`      // count
	MaxConnections        *float64 `json:"max_connections"`
	BytesInPerSecond      *float64 `json:"bytes_in_per_second"`
	BytesOutPerSecond     *float64 `json:"bytes_out_per_second"`
	PeakBytesInPerSecond  *float64 `json:"peak_bytes_in_per_second"`  // highest second of the load
	PeakBytesOutPerSecond *float64 `json:"peak_bytes_out_per_second"` // highest second of the load

	Series NodeSeries `json:"series"`
}

// NodeSeries are a node's metrics over the run, nil where there are none.
type NodeSeries struct {
	EngineCPU     *Series `json:"engine_cpu"`     // percent
	HostCPU       *Series `json:"host_cpu"`       // percent
	CreditBalance *Series `json:"credit_balance"` // vCPU-minutes
	Commands      *Series `json:"commands"`       // commands/s
	ReadP99       *Series `json:"read_p99"`       // ms
	WriteP99      *Series `json:"write_p99"`      // ms
	BytesIn       *Series `json:"bytes_in"`       // bytes/s
	BytesOut      *Series `json:"bytes_out"`      // bytes/s
	PeakIn        *Series `json:"peak_in"`        // bytes/s, highest second
	PeakOut       *Series `json:"peak_out"`       // bytes/s, highest second
	Memory        *Series `json:"memory"`         // percent of maxmemory
	Evictions     *Series `json:"evictions"`      // 1/s
	Connections   *Series `json:"connections"`    // count
}

// Server sums up the nodes over time.
type Server struct {
	Commands *Series `json:"commands"`  // commands/s, summed over the nodes
	ReadP50  *Series `json:"read_p50"`  // ms, of the slowest node
	ReadP99  *Series `json:"read_p99"`  // ms, of the slowest node
	WriteP50 *Series `json:"write_p50"` // ms, of the slowest node
	WriteP99 *Series `json:"write_p99"` // ms, of the slowest node
	HitRate  *Series `json:"hit_rate"`  // percent, of all nodes
	Items    *Series `json:"items"`     // count, summed over the nodes

	ECPUs     *Series `json:"ecpus"`     // ElastiCache Processing Units a second, of a serverless cache
	Throttled *Series `json:"throttled"` // commands/s that a serverless cache throttled
}

// Network is traffic compared with the node type's bandwidth.
type Network struct {
	NodeType               string         `json:"node_type"`
	BaselineBytesPerSecond *float64       `json:"baseline_bytes_per_second"` // each direction
	BurstBytesPerSecond    *float64       `json:"burst_bytes_per_second"`    // nil also when the type does not burst
	Source                 string         `json:"source"`                    // of the two
	In                     *Series        `json:"in"`                        // bytes/s of the busiest node in each step
	Out                    *Series        `json:"out"`
	PeakIn                 *Series        `json:"peak_in"` // bytes/s, highest second of any node
	PeakOut                *Series        `json:"peak_out"`
	Nodes                  []NodeNetwork  `json:"nodes"`
	Allowances             []Allowance    `json:"allowances"`
	Summary                string         `json:"summary"` // a sentence or two
	Fargate                FargateNetwork `json:"fargate"`
}

// NodeNetwork is one node's use of its bandwidth.
type NodeNetwork struct {
	Node string    `json:"node"`
	In   Direction `json:"in"`
	Out  Direction `json:"out"`
}

// Burst states of a direction.
const (
	BelowBaseline = "below_baseline"  // never above the baseline: no burst was needed
	BurstEnded    = "burst_ended"     // above the baseline, then held at it: EndedAt
	BurstToEnd    = "bursting_at_end" // above the baseline until the load ended: the test was too short to tell
	BurstSpent    = "burst_spent"     // held at the baseline from the start: a prefill or an earlier run used the burst
	BurstUnclear  = "unclear"         // above the baseline for a while, then less load without a sign of shaping
	BurstNone     = "no_burst"        // the type has a single bandwidth
	BurstUnknown  = "unknown"         // no data
)

// Direction is one node's traffic in one direction.
type Direction struct {
	State                   string     `json:"state"`
	BurstMinutes            *float64   `json:"burst_minutes"`              // minutes of the load above the baseline before the burst ended, or in all
	EndedAt                 *time.Time `json:"ended_at"`                   // start of the first minute at the baseline
	EndedMinute             *int       `json:"ended_minute"`               // the same, in whole minutes since the load started
	BurstBytesPerSecond     *float64   `json:"burst_bytes_per_second"`     // mean while above the baseline
	SustainedBytesPerSecond *float64   `json:"sustained_bytes_per_second"` // mean afterwards; without a burst, of the steady window
	BudgetBytes             *float64   `json:"budget_bytes"`               // above the baseline until the burst ended
	LongEnough              bool       `json:"long_enough"`                // whether the test shows what the node sustains
	Sentence                string     `json:"sentence"`
}

// Allowance is a counter of packets that were queued or dropped.
type Allowance struct {
	Metric  string   `json:"metric"` // for example NetworkBandwidthInAllowanceExceeded
	Packets *float64 `json:"packets"`
	Minutes int      `json:"minutes"` // with more than 0 on any node
	Nodes   []string `json:"nodes"`   // with more than 0
	Rate    *Series  `json:"rate"`    // packets/s, summed over the nodes; nil when there were none
}

// FargateNetwork is the tasks' traffic. AWS does not document a task's bandwidth, so there is no baseline to compare with.
type FargateNetwork struct {
	Source           string     `json:"source"` // "Container Insights", "load generator" or ""
	MeanPerTask      *float64   `json:"mean_bytes_per_second_per_task"`
	PeakPerTask      *float64   `json:"peak_bytes_per_second_per_task"` // highest minute
	FellAt           *time.Time `json:"fell_at"`                        // where traffic fell for good, as it does when a burst ends
	BeforePerSecond  *float64   `json:"before_bytes_per_second"`        // all tasks
	AfterPerSecond   *float64   `json:"after_bytes_per_second"`         // all tasks
	Sentence         string     `json:"sentence"`
	TaskVCPU         *float64   `json:"task_vcpu"`
	TaskMemoryGiB    *float64   `json:"task_memory_gib"`
	ServiceCPU       *Series    `json:"service_cpu"`        // percent, mean of the tasks
	ServiceCPUMax    *Series    `json:"service_cpu_max"`    // percent, busiest task
	ServiceMemoryMax *Series    `json:"service_memory_max"` // percent, fullest task
}

// CPU of the nodes.
type CPU struct {
	VCPU      *int    `json:"vcpu"`       // of the node type
	Engine    *Series `json:"engine"`     // percent, mean of the nodes
	EngineMax *Series `json:"engine_max"` // percent, busiest node
	Host      *Series `json:"host"`
	HostMax   *Series `json:"host_max"`
	Credits   *Series `json:"credits"` // lowest balance of any node; burstable types only
}

// Memory of the nodes.
type Memory struct {
	NodeGiB   *float64 `json:"node_gib"`  // of the node type
	Percent   *Series  `json:"percent"`   // of maxmemory, fullest node
	UsedBytes *Series  `json:"used"`      // bytes, summed over the nodes
	Freeable  *Series  `json:"freeable"`  // bytes, of the node with least
	Swap      *Series  `json:"swap"`      // bytes, of the node with most
	Evictions *Series  `json:"evictions"` // 1/s, summed over the nodes
	Evicted   *float64 `json:"evicted"`   // count over the load
}

// Connections of the nodes.
type Connections struct {
	Current  *Series  `json:"current"`  // count, summed over the nodes; 4 to 6 a node are ElastiCache's own
	New      *Series  `json:"new"`      // 1/s, summed over the nodes
	Rejected *float64 `json:"rejected"` // count over the load
	Expected *int     `json:"expected"` // tasks x threads x clients; each goes to every shard in cluster mode
}

// Cost of the run, by list prices.
type Cost struct {
	Region               string     `json:"region"`
	Items                []CostItem `json:"items"`
	TotalUSD             *float64   `json:"total_usd"`                 // nil when an item has no price
	USDPerMillionOps     *float64   `json:"usd_per_million_ops"`       // total cost over the operations of all tasks
	CacheUSDPerHour      *float64   `json:"cache_usd_per_hour"`        // of the nodes alone; nil for a serverless cache
	CacheUSDPerMonth     *float64   `json:"cache_usd_per_month"`       // of 730 hours
	CacheUSDPerMillion   *float64   `json:"cache_usd_per_million_ops"` // while steady
	TestUSD              *float64   `json:"test_usd"`                  // of the tasks and their traffic; nil when an item has no price
	USDPerHour           *float64   `json:"usd_per_hour"`              // of cache and tasks, while both run
	SteadyUSDPerMillion  *float64   `json:"steady_usd_per_million_ops"`
	SuccessfulOperations int64      `json:"successful_operations"`
	Missing              []string   `json:"missing"`      // prices and amounts that are not known
	NotIncluded          []string   `json:"not_included"` // what else AWS bills
	Note                 string     `json:"note"`
}

// CostItem is one line of the bill.
type CostItem struct {
	Name     string   `json:"name"`
	Quantity *float64 `json:"quantity"`
	Unit     string   `json:"unit"`      // node-hours, vCPU-hours, GB-hours, GB or million ECPUs
	PriceUSD *float64 `json:"price_usd"` // of one Unit
	USD      *float64 `json:"usd"`
	Source   string   `json:"source"` // of the price, with its date
	How      string   `json:"how"`    // where the quantity comes from
}

// Configuration is what ran.
type Configuration struct {
	Engine             string          `json:"engine"` // redis or valkey
	EngineVersion      string          `json:"engine_version"`
	Server             string          `json:"server"`           // as the engine logs it
	ServerlessCache    string          `json:"serverless_cache"` // its name; such a cache has no nodes and no node type
	NodeType           string          `json:"node_type"`
	Nodes              int             `json:"nodes"`
	Shards             int             `json:"shards"`
	ClusterMode        bool            `json:"cluster_mode"`
	TLS                *bool           `json:"tls"`
	Region             string          `json:"region"`
	NodeZones          []string        `json:"node_zones"` // Availability Zones of the nodes, sorted
	TaskZones          []string        `json:"task_zones"` // Availability Zones of the tasks, sorted
	Tasks              int             `json:"tasks"`      // asked for, or else seen
	TaskCPUUnits       int             `json:"task_cpu_units"`
	TaskMemoryMiB      int             `json:"task_memory_mib"`
	Architecture       string          `json:"architecture"`
	Threads            int             `json:"threads"` // of a task
	Clients            int             `json:"clients"` // of a thread
	Pipeline           int             `json:"pipeline"`
	DataSize           int             `json:"data_size"` // bytes
	Ratio              string          `json:"ratio"`     // SET:GET
	KeyPattern         string          `json:"key_pattern"`
	KeyMaximum         int64           `json:"key_maximum"`
	RateLimit          *float64        `json:"rate_limit"` // requests a second and connection
	ExtraArgs          []string        `json:"extra_args"`
	Image              string          `json:"image"`
	Generator          string          `json:"generator"`
	Settings           json.RawMessage `json:"settings"` // all of it, as in the manifest; null without one
	DifferentGenerator bool            `json:"different_generators"`
}

// Provenance is where the answer comes from.
type Provenance struct {
	ManifestComplete *bool      `json:"manifest_complete"` // nil: no manifest
	ManifestCreated  *time.Time `json:"manifest_created"`
	ExportTool       string     `json:"export_tool"`  // version of the code that exported
	APIEndpoint      string     `json:"api_endpoint"` // of the embedded AWS that it ran on; "" on AWS itself
	Files            []Source   `json:"files"`
	MetricRows       int64      `json:"metric_rows"`
	MetricPeriod     int        `json:"metric_period_seconds"` // as measured between datapoints
	LogLines         int64      `json:"log_lines"`
	LogEvents        int64      `json:"log_events"`
	MetricsFrom      *time.Time `json:"metrics_from"` // first and last datapoint
	MetricsTo        *time.Time `json:"metrics_to"`
	LogFrom          *time.Time `json:"log_from"`
	LogTo            *time.Time `json:"log_to"`
	Data             []Data     `json:"data"` // embedded reference data
}

// Source is an exported file, as the manifest lists it.
type Source struct {
	Kind     string `json:"kind"`
	Key      string `json:"key"`
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"`
	Verified *bool  `json:"verified"` // whether the file that was read has this checksum; nil: none was read
}

// Data is reference data that the analysis used.
type Data struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	AsOf   string `json:"as_of"`
}

// Gap is missing data: a part of the load, or a metric without any datapoint.
type Gap struct {
	Reason   string     `json:"reason"`   // hole, silent, no_datapoint, no_commands or not_published
	Expected bool       `json:"expected"` // the files explain it: nothing went wrong
	What     string     `json:"what"`     // for people, for example "EngineCPUUtilization of c-001"
	Metrics  []string   `json:"metrics"`  // CloudWatch's names
	Where    []string   `json:"where"`    // nodes or a task; empty: all nodes
	Start    *time.Time `json:"start"`    // nil: all of the run
	End      *time.Time `json:"end"`
	Seconds  float64    `json:"seconds"`
}

// Lack is a section without data.
type Lack struct {
	Section string `json:"section"` // the member of Results: client, latency, network, cpu, memory, connections, cost, server, tasks, phases
	Why     string `json:"why"`
}

// Lacks returns why a section has no data; false if it has data.
func (r *Results) Lacks(section string) (why string, lacks bool) {
	for _, l := range r.Lacking {
		if l.Section == section {
			return l.Why, true
		}
	}
	return "", false
}
