package export

import (
	"encoding/json"
	"fmt"
	"time"
)

// SchemaVersion is the manifest's version. It changes when a member changes its meaning or is removed, not when one is added.
const SchemaVersion = 1

// Manifest lists what ran, what was exported and what is missing. It is written after the other objects. Complete is the commit mark: once
// true, the manifest and its objects do not change, unless a person exports again and CloudWatch has more by then.
type Manifest struct {
	SchemaVersion int             `json:"schema_version"`
	Name          string          `json:"name"`         // the stack
	Run           string          `json:"run"`          // 2026-11-23T03-08-09Z
	ToolVersion   string          `json:"tool_version"` // of the code that wrote the manifest
	Complete      bool            `json:"complete"`
	CreatedAt     time.Time       `json:"created_at"`
	Attempts      int             `json:"attempts"`               // invocations that worked on the stop, including this one
	APIEndpoint   string          `json:"api_endpoint,omitempty"` // of an embedded AWS; absent for the real one
	Region        string          `json:"region,omitempty"`       // us-east-1
	Window        *Window         `json:"window,omitempty"`       // of the metrics; absent when no load ever ran
	LoadStart     *time.Time      `json:"load_start,omitempty"`
	Settings      json.RawMessage `json:"settings,omitempty"` // the stack's configuration of the run, without secrets
	Membership    *Membership     `json:"membership,omitempty"`
	Tasks         []Task          `json:"tasks"`
	Objects       []Object        `json:"objects"`
	Metrics       *Metrics        `json:"metrics,omitempty"`
	Logs          *Logs           `json:"logs,omitempty"`
	Warnings      []string        `json:"warnings"`
}

// ParseManifest reads a manifest and refuses a schema it does not know.
func ParseManifest(text []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("read the manifest: %w", err)
	}
	if m.SchemaVersion != SchemaVersion {
		return m, fmt.Errorf("the manifest has schema_version %d, this version of elasticache-perf reads %d", m.SchemaVersion, SchemaVersion)
	}
	return m, nil
}

// Object finds a listed object by its kind.
func (m Manifest) Object(kind string) (Object, bool) {
	for _, o := range m.Objects {
		if o.Kind == kind {
			return o, true
		}
	}
	return Object{}, false
}

// Window is a span of time in UTC: Start inclusive, End exclusive.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Membership describes the cache before its deletion: a later export needs it to name the series.
type Membership struct {
	ReplicationGroup string `json:"replication_group"`          // empty for a serverless cache
	ServerlessCache  string `json:"serverless_cache,omitempty"` // its name; it has no nodes
	Engine           string `json:"engine,omitempty"`           // redis or valkey
	EngineVersion    string `json:"engine_version,omitempty"`   // 7.1.0; 7.1 for a serverless cache
	NodeType         string `json:"node_type,omitempty"`
	ClusterMode      bool   `json:"cluster_mode"`
	Endpoint         string `json:"endpoint,omitempty"` // host:port, the configuration endpoint or the primary's
	Nodes            []Node `json:"nodes"`

	CreatedAt           *time.Time `json:"created_at,omitempty"`            // from ElastiCache
	DeletionRequestedAt *time.Time `json:"deletion_requested_at,omitempty"` // when the stop requested the deletion, or saw it in progress; absent if the cache is kept
}

// Node is one cache node.
type Node struct {
	CacheClusterID   string `json:"cache_cluster_id"`
	CacheNodeID      string `json:"cache_node_id"`
	NodeGroup        string `json:"node_group,omitempty"`
	Role             string `json:"role,omitempty"` // primary or replica; absent in cluster mode, where AWS does not report it
	AvailabilityZone string `json:"availability_zone,omitempty"`
}

// Task is a load task as ECS last described it.
type Task struct {
	ID               string     `json:"id"`
	LastStatus       string     `json:"last_status"`
	AvailabilityZone string     `json:"availability_zone,omitempty"`
	CreatedAt        *time.Time `json:"created_at,omitempty"`
	StartedAt        *time.Time `json:"started_at,omitempty"`
	StoppedAt        *time.Time `json:"stopped_at,omitempty"`
	ExitCode         *int32     `json:"exit_code,omitempty"` // of the memtier container
	StopCode         string     `json:"stop_code,omitempty"`
	StoppedReason    string     `json:"stopped_reason,omitempty"`
}

// Kinds of objects in a manifest.
const (
	KindMetrics = "metrics"
	KindLogs    = "logs"
)

// Object is one exported file.
type Object struct {
	Kind        string `json:"kind"`
	Key         string `json:"key"`
	ContentType string `json:"content_type"`
	Bytes       int64  `json:"bytes"`
	Rows        int64  `json:"rows"` // lines without the header
	SHA256      string `json:"sha256"`

	Replaced []Replaced `json:"replaced,omitempty"` // earlier objects under this key, oldest first
}

// Replaced is an object that a later export with more rows replaced.
type Replaced struct {
	At     time.Time `json:"at"` // when it was replaced
	Bytes  int64     `json:"bytes"`
	Rows   int64     `json:"rows"`
	SHA256 string    `json:"sha256"`
}

// Metrics summarizes the metrics in CloudWatch. Minutes count distinct minutes with at least one datapoint.
type Metrics struct {
	PeriodSeconds   int      `json:"period_seconds"` // requested; ElastiCache publishes one datapoint a minute in any case
	SourceAge       string   `json:"source_age"`     // age of the window's start when read: CloudWatch keeps 60-second data for 15 days
	SeriesAsked     int      `json:"series_asked"`
	SeriesExpected  int      `json:"series_expected"` // those whose absence is a gap
	SeriesFound     int      `json:"series_found"`
	Points          int64    `json:"points"`
	MinutesExpected int      `json:"minutes_expected"`
	Sources         []Source `json:"sources"`
	Missing         []string `json:"missing"` // expected metrics with no datapoint on any source, as Namespace/Metric
	Messages        []string `json:"messages,omitempty"`
}

// Source is a node, a group, a serverless cache or a service with metrics.
type Source struct {
	Name         string `json:"name"`
	SeriesFound  int    `json:"series_found"`
	MinutesFound int    `json:"minutes_found"`
}

// Logs summarizes the log groups.
type Logs struct {
	Window   Window   `json:"window"` // from the run's start to a minute after its last task: engine logs start before the load
	Streams  int      `json:"streams"`
	Events   int64    `json:"events"`
	Lines    int64    `json:"lines"`
	Bytes    int64    `json:"bytes"`            // of the events' messages
	Results  Results  `json:"results,omitzero"` // of the load's tasks; absent: none printed a table
	Messages []string `json:"messages,omitempty"`
}
