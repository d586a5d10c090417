package shutdown

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// Config is the stack's configuration of its Lambda: the JSON in the environment variable CONFIG.
type Config struct {
	Name          string          `json:"name"`
	Bucket        string          `json:"bucket"`
	Prefix        string          `json:"prefix"`
	KMSKeyARN     string          `json:"kms_key_arn"` // encrypts the objects; empty: S3's own key
	Cluster       string          `json:"cluster"`
	Service       string          `json:"service"`
	Cache         Cache           `json:"cache"`
	Logs          Logs            `json:"logs"`
	Schedules     Schedules       `json:"schedules"`
	TopicARN      string          `json:"topic_arn"` // SNS; empty: no messages are sent
	Minutes       int             `json:"minutes"`
	PeriodSeconds int             `json:"period_seconds"` // of the exported metrics, 0: 60
	Settings      json.RawMessage `json:"settings"`       // copied into the manifest unchanged
	PageBytes     int64           `json:"-"`              // memory for pages of logs in an export; 0: export.Budget
}

// Cache is the cache under test, by one of the two names. Without a name only its endpoint is known, and its metrics are not exported. Delete
// is false for one that the stack did not create.
type Cache struct {
	ReplicationGroup string `json:"replication_group"`
	Serverless       string `json:"serverless"`
	Delete           bool   `json:"delete"`
}

// Logs names the log groups to export; an empty name means that there is none.
type Logs struct {
	Load   string `json:"load"`
	Engine string `json:"engine"`
	Slow   string `json:"slow"`
}

// Schedules are the run's EventBridge schedules: the guard, and the planned end.
type Schedules struct {
	Group string `json:"group"`
	Watch string `json:"watch"`
	Stop  string `json:"stop"`
}

// ParseConfig reads CONFIG and names what is missing in it.
func ParseConfig(text string) (Config, error) {
	var c Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, fmt.Errorf("read the environment variable CONFIG: %w", err)
	}
	if c.PeriodSeconds == 0 {
		c.PeriodSeconds = 60
	}
	var missing []error
	for _, m := range []struct{ name, value string }{{"name", c.Name}, {"bucket", c.Bucket}, {"cluster", c.Cluster}, {"service", c.Service},
		{"schedules.group", c.Schedules.Group}, {"schedules.watch", c.Schedules.Watch}, {"schedules.stop", c.Schedules.Stop}} {
		if m.value == "" {
			missing = append(missing, fmt.Errorf("the environment variable CONFIG has no %s", m.name))
		}
	}
	if c.Cache.ReplicationGroup != "" && c.Cache.Serverless != "" {
		missing = append(missing, errors.New("the environment variable CONFIG has both cache.replication_group and cache.serverless: a run has one cache"))
	}
	return c, errors.Join(missing...)
}

// Keys of a run's objects depend on the run only, so that all attempts write the same objects.

func (c Config) metricsKey(run string) string { return path.Join(c.Prefix, "metrics", run+".csv") }
func (c Config) logsKey(run string) string    { return path.Join(c.Prefix, "logs", run+".txt") }

// ManifestKey is the key of a run's manifest.
func (c Config) ManifestKey(run string) string { return path.Join(c.Prefix, "manifest", run+".json") }

// StateKey is the key of a run's record.
func (c Config) StateKey(run string) string { return path.Join(c.Prefix, "state", run+".json") }

// Owner is the value of x-amz-meta-run on the run's objects.
func (c Config) Owner(run string) string { return c.Name + "/" + run }

func (c Config) logGroups() (groups []export.LogGroup) {
	for _, g := range []export.LogGroup{{Kind: "load", Name: c.Logs.Load}, {Kind: "engine-log", Name: c.Logs.Engine}, {Kind: "slow-log", Name: c.Logs.Slow}} {
		if g.Name != "" {
			groups = append(groups, g)
		}
	}
	return groups
}

// Actions of an Event.
const (
	ActionStop      = "stop"      // end the run now
	ActionWatch     = "watch"     // end the run if it is overdue or half ended
	ActionPreflight = "preflight" // prove that a stop could work, before anything costs money
	ActionExport    = "export"    // export what the stop of an ended run could not, and what came later
	ActionDestroy   = "destroy"   // Terraform is about to remove the stack: end the run first
	ActionDestroyed = "destroyed" // Terraform has removed load and cache: export what was not exported before
)

// Event is one request to the function.
type Event struct {
	Action string    `json:"action"`
	Run    string    `json:"run"`              // 2026-11-23T03-08-09Z
	StopBy time.Time `json:"stop_by,omitzero"` // watch only: the latest end of the run, also without a stop schedule

	Terraform       Lifecycle `json:"tf,omitzero"`                 // destroy and destroyed only
	SkipFinalExport bool      `json:"skip_final_export,omitempty"` // destroy and destroyed only: give up what is not exported
}

// longestMargin is the highest margin_minutes that modules/scheduler accepts.
const longestMargin = 4 * time.Hour

// EndOf is the run's stop_by from watch's schedule. If somebody removed it by hand, it is the end of the longest possible run of these minutes.
func (c Config) EndOf(watch Event) time.Time {
	started, err := ParseRun(watch.Run)
	if !watch.StopBy.IsZero() || err != nil {
		return watch.StopBy
	}
	return started.Add(time.Duration(c.Minutes)*time.Minute + longestMargin)
}

// Statuses of an Answer.
const (
	StatusReady   = "ready"   // preflight passed
	StatusIdle    = "idle"    // nothing to do, Message says why
	StatusPending = "pending" // not done yet, the next watch tick continues
	StatusDone    = "done"    // only the run's objects are left
)

// Answer is the result of an invocation.
type Answer struct {
	Run      string `json:"run"`
	Action   string `json:"action"`
	Status   string `json:"status"`
	Message  string `json:"message,omitempty"`
	Manifest string `json:"manifest,omitempty"` // s3://BUCKET/KEY, once it is complete
}

const runLayout = "2006-01-02T15-04-05Z"

// ParseRun returns the time that a run is named after, in UTC.
func ParseRun(run string) (time.Time, error) {
	t, err := time.Parse(runLayout, run)
	if err != nil {
		return t, fmt.Errorf("run %q is not of the form 2026-11-23T03-08-09Z", run)
	}
	return t, nil
}
