package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sinkLog is a Sink that keeps every mark, as the run's record would.
type sinkLog struct {
	bytes.Buffer
	marks []savedMark
}

type savedMark struct {
	length   int
	position []byte
}

func (s *sinkLog) Due() bool { return true }
func (s *sinkLog) Mark(p Position) error {
	text, err := json.Marshal(p)
	s.marks = append(s.marks, savedMark{s.Len(), text})
	return err
}

// assertResumes runs a job from each of its marks: the bytes from there on and the final summary must be the same.
func assertResumes[S any](t *testing.T, run func(w io.Writer, from Position) (S, error)) {
	t.Helper()
	var all sinkLog
	want, err := run(&all, Position{})
	require.NoError(t, err)
	require.NotEmpty(t, all.marks)
	for _, mark := range all.marks {
		var from Position
		require.NoError(t, json.Unmarshal(mark.position, &from))
		var rest bytes.Buffer
		got, err := run(&rest, from)
		require.NoError(t, err)
		require.Equal(t, string(all.Bytes()[mark.length:]), rest.String(), "from %s", mark.position)
		require.Equal(t, want, got, "from %s", mark.position)
	}
}

func TestMetricsResume(t *testing.T) {
	small := Target{Membership: Membership{Nodes: []Node{{CacheClusterID: "perf-001", CacheNodeID: "0001"}, {CacheClusterID: "perf-002", CacheNodeID: "0001"}}},
		Cluster: "perf", Service: "perf-load"}
	series := small.Series(nil)
	start := at("2026-11-23T03:00:00Z")
	api := &fakeMetrics{size: 700}
	for i, s := range series {
		for minute := range 40 {
			if (i+minute)%3 > 0 {
				api.put(s, start.Add(time.Duration(minute)*time.Minute), float64(i*minute))
			}
		}
	}
	assertResumes(t, func(w io.Writer, from Position) (Metrics, error) {
		return MetricsJob{API: api, Clock: &ticker{now: at("2026-11-23T05:00:00Z")}, Series: series, Window: Window{start, start.Add(40 * time.Minute)},
			Period: time.Minute, From: from.Metrics}.Write(t.Context(), w)
	})
}

func TestLogsResume(t *testing.T) {
	start := logWindow.Start.UnixMilli()
	load, engine := map[string][]logEvent{}, map[string][]logEvent{}
	for i := range 120 {
		name := fmt.Sprintf("load/memtier/%d", i%7)
		load[name] = append(load[name], logEvent{start + int64(i/20), fmt.Sprintf("line %d\nand more", i)}) // several per stream and timestamp
		engine["perf-001"] = append(engine["perf-001"], logEvent{start + int64(i/9), fmt.Sprint("engine ", i)})
	}
	for i := range 7 { // the streams' result tables, each after its header
		name, rows := fmt.Sprintf("load/memtier/%d", i), []string{"Type         Ops/sec     Hits/sec    Avg. Latency     p50 Latency     p99 Latency       KB/sec ",
			fmt.Sprintf("Gets         %d.50          ---         0.30000         0.30000         8.00000        10.00 ", 40+i),
			fmt.Sprintf("Totals       %d.50          ---         0.30000         0.30000         %d.25000       910.36 ", 100+i, 9-i)}
		for _, row := range rows {
			load[name] = append(load[name], logEvent{start + 40 + int64(i), row})
		}
	}
	api := &fakeLogs{size: 5, groups: map[string]map[string][]logEvent{"/perf/load": load, "/perf/engine-log": engine}}
	assertResumes(t, func(w io.Writer, from Position) (Logs, error) {
		job := logJob(api)
		job.From = from.Logs
		sum, err := job.Write(t.Context(), w)
		if err == nil {
			assert.Equal(t, Results{Tables: 7, OpsPerSecond: 100*7 + 21 + 7*0.5, P99: 9.25}, sum.Results)
		}
		return sum, err
	})
}

// A stream that is not in time order is exported completely. It gives no position after its first event, because resuming there could lose one.
func TestLogsOutOfOrder(t *testing.T) {
	start := logWindow.Start.UnixMilli()
	api := &fakeLogs{size: 2, groups: map[string]map[string][]logEvent{"/perf/load": {"load/a": {{start + 5, "five"}, {start + 3, "three"}, {start + 9, "nine"}}}}}
	var out sinkLog
	sum, err := logJob(api).Write(t.Context(), &out)
	require.NoError(t, err)
	assert.EqualValues(t, 3, sum.Events)
	require.Len(t, out.marks, 1)
	var from Position
	require.NoError(t, json.Unmarshal(out.marks[0].position, &from))
	assert.Equal(t, 1, from.Logs.Events)
}

func TestUploadResumes(t *testing.T) {
	bucket := &fakeS3{}
	var records []Progress
	record := func(p Progress) error { records = append(records, p); return nil }
	whole := text(3*partSize + 640)
	first := newUploadRecording(t, bucket, record)
	for range 2 {
		_, err := first.Write(whole[first.object.Bytes : first.object.Bytes+partSize])
		require.NoError(t, err)
		require.True(t, first.Due())
		require.NoError(t, first.Mark(Position{Logs: &LogsPosition{At: first.object.Bytes}}))
	}
	_, err := first.Write([]byte("half a row"))
	require.NoError(t, err)
	p, ok := first.Suspend()
	require.True(t, ok)
	require.Len(t, records, 2)
	assert.Empty(t, records[0].UploadID, "the upload is recorded before it is created")
	assert.Equal(t, "1", records[1].UploadID)
	require.Len(t, bucket.uploads, 1)

	saved, err := json.Marshal(p)
	require.NoError(t, err)
	var back Progress
	require.NoError(t, json.Unmarshal(saved, &back))
	second := newUploadRecording(t, bucket, record)
	require.NoError(t, second.Resume(back))
	_, err = second.Write(whole[2*partSize:])
	require.NoError(t, err)
	got, same, err := second.Close()
	require.True(t, same)
	require.NoError(t, err)
	sum := sha256.Sum256(whole)
	assert.Equal(t, Object{KindMetrics, "exports/metrics/r.csv", "text/csv", int64(len(whole)), int64(len(whole)/64) - 1, hex.EncodeToString(sum[:]), nil}, got)
	assert.True(t, bytes.Equal(whole, bucket.objects["exports/metrics/r.csv"].body))
	assert.Empty(t, bucket.uploads)

	small := newUpload(t, &fakeS3{}) // nothing is uploaded yet, so there is nothing to continue
	_, err = small.Write(text(64))
	require.NoError(t, err)
	_, ok = small.Suspend()
	assert.False(t, ok)

	full, taken := &fakeS3{}, errors.New("taken")
	late := newUploadRecording(t, full, func(p Progress) error {
		if p.UploadID != "" {
			return taken
		}
		return nil
	})
	_, err = late.Write(text(partSize))
	require.NoError(t, err)
	require.ErrorIs(t, late.Mark(Position{}), taken)
	_, ok = late.Suspend()
	assert.False(t, ok)
	assert.Empty(t, full.uploads, "an upload that no record names does not stay open")
}
