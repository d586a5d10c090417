package shutdown

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"time"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// checkVersion returns an error if a later version of this code has completed the run: this version cannot read its manifest, and so does not replace it.
func (r *run) checkVersion(manifest []byte) error {
	var m struct {
		Schema   int  `json:"schema_version"`
		Complete bool `json:"complete"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil || m.Schema <= export.SchemaVersion || !m.Complete {
		return nil
	}
	return fmt.Errorf("s3://%s/%s is complete and has schema_version %d, this version of elasticache-perf writes %d: export again with the version that wrote it",
		r.cfg.Bucket, r.cfg.ManifestKey(r.id), m.Schema, export.SchemaVersion)
}

// writeManifest lists the exports so far. A complete manifest is kept while its objects are unchanged and no load runs; one of a later version is always
// kept.
func (r *run) writeManifest(ctx context.Context) error {
	key := r.cfg.ManifestKey(r.id)
	complete := r.idle && r.state.LoadStopped && (r.state.Window == nil || slices.Contains(r.exported, export.KindMetrics) && slices.Contains(r.exported, export.KindLogs))
	there, etag, err := r.readManifest(ctx)
	if err != nil {
		return err
	}
	if err := r.checkVersion(there); err != nil {
		r.log.Warn("the manifest stays", "reason", err)
		r.state.Complete = true
		return r.save(ctx)
	}
	if there != nil {
		before, err := export.ParseManifest(there)
		if err == nil && before.Complete && r.state.LoadStopped && sameWindow(before.Window, r.state.Window) && (!complete || reflect.DeepEqual(before.Objects, r.objects())) {
			if !r.idle && !r.state.Complete { // written by an attempt that died; an apply may have recreated the load since
				return pending("the manifest of an earlier attempt is complete, and the load has not been seen at rest since")
			}
			r.state.Complete = true
			return nil
		}
	}
	brief, done := r.brief(ctx)
	defer done()
	if _, err := r.store.put(brief, key, r.manifest(complete), etag, onlyAsRead); err != nil {
		return err
	}
	r.state.Complete = complete
	return r.save(ctx)
}

// readManifest reads the run's manifest; text is nil when there is none.
func (r *run) readManifest(ctx context.Context) (text []byte, etag string, err error) {
	ctx, done := r.brief(ctx)
	defer done()
	return r.store.get(ctx, r.cfg.ManifestKey(r.id))
}

// sameWindow compares two windows: a complete manifest with another window describes the load before an apply recreated it.
func sameWindow(a, b *export.Window) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Start.Equal(b.Start) && a.End.Equal(b.End)
}

func (r *run) manifest(complete bool) export.Manifest {
	m := export.Manifest{SchemaVersion: export.SchemaVersion, Name: r.cfg.Name, Run: r.id, ToolVersion: toolVersion(), Complete: complete,
		CreatedAt: r.clock.Now().UTC().Truncate(time.Second), Attempts: r.state.Attempts, APIEndpoint: r.aws.Endpoint, Region: r.aws.Region, Window: r.state.Window, LoadStart: r.state.LoadStart,
		Settings: json.RawMessage(r.cfg.Settings), Membership: r.state.Membership, Tasks: append([]export.Task{}, r.state.Tasks...),
		Objects: r.objects(), Metrics: r.state.Metrics, Logs: r.state.Logs, Warnings: append([]string{}, r.state.Warnings...)}
	if m.Metrics != nil {
		for _, s := range m.Metrics.Sources {
			if s.MinutesFound+1 < m.Metrics.MinutesExpected { // the last minute may have only seconds of load, and AWS then has no datapoint for it
				m.Warnings = append(m.Warnings, fmt.Sprintf("metrics of %s: %d of %d minutes", s.Name, s.MinutesFound, m.Metrics.MinutesExpected))
			}
		}
		m.Warnings = append(m.Warnings, m.Metrics.Messages...)
	}
	if m.Logs != nil {
		m.Warnings = append(m.Warnings, m.Logs.Messages...)
	}
	m.Warnings = append(m.Warnings, r.problems()...)
	return m
}

// objects returns the recorded objects in the manifest's order.
func (r *run) objects() []export.Object {
	all := []export.Object{}
	for _, kind := range []string{export.KindMetrics, export.KindLogs} {
		if o := r.recordOf(kind); o != nil {
			all = append(all, *o)
		}
	}
	return all
}

// toolVersion is the binary's module version or commit, if it has one, and export.Format, which tells builds with different exports apart.
func toolVersion() string {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && version == "(devel)" {
				version = s.Value
			}
		}
	}
	return version + " format " + export.Format()
}
