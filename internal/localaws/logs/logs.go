// Package logs is CloudWatch Logs: groups, streams and their events.
//
// Not served: Insights, Live Tail, metric and subscription filters, export tasks, filter patterns beyond terms,
// key policies (a KMS key is kept, not used). lastEventTimestamp lags as on AWS, so that nobody relies on it.
//
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html
package logs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Service is CloudWatch Logs of one account; its events are files under the account's logs/ folder.
type Service struct {
	acct  *account.Account
	dir   string
	seq   atomic.Int64 // of events, in the order of their ingestion
	file  atomic.Int64 // names the files
	reads atomic.Int64

	mu       sync.Mutex
	groups   map[string]*group
	policies map[string]*resourcePolicy
}

type group struct {
	name, class, kms, arn string
	created               int64
	retention             *int // days; nil keeps events for ever
	protected             bool
	tags                  tagset.Set
	streams               map[string]*stream
}

// stream is written and read under its own lock, never while the service's is held.
type stream struct {
	name, arn string
	created   int64
	mu        sync.Mutex
	gone      bool
	runs      []*run
	bytes     int64
	first     *int64
	last      *int64 // newest event
	ingested  *int64
	shown     [2]*int64 // last and ingested as DescribeLogStreams gives them
	shownAt   int64
}

// Event is one log event; Time has millisecond precision.
type Event struct {
	Time    time.Time
	Message string
}

// New has no groups, and removes the events that an earlier process left in the folder.
func New(acct *account.Account) *Service {
	s := &Service{acct: acct, dir: filepath.Join(acct.Dir, "logs"), groups: map[string]*group{}, policies: map[string]*resourcePolicy{}}
	if err := os.RemoveAll(s.dir); err != nil {
		acct.Log.Warn("cannot remove old log events", "dir", s.dir, "error", err)
	}
	return s
}

// Register serves https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_Operations.html
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "logs", Lower: true, Invalid: "InvalidParameterException"},
		wire.Action("CreateLogGroup", s.createLogGroup),
		wire.Action("DeleteLogGroup", s.deleteLogGroup),
		wire.Action("DescribeLogGroups", s.describeLogGroups),
		wire.Action("PutRetentionPolicy", s.putRetentionPolicy),
		wire.Action("DeleteRetentionPolicy", s.deleteRetentionPolicy),
		wire.Action("TagResource", s.tagResource),
		wire.Action("UntagResource", s.untagResource),
		wire.Action("ListTagsForResource", s.listTagsForResource),
		wire.Action("PutResourcePolicy", s.putResourcePolicy),
		wire.Action("DescribeResourcePolicies", s.describeResourcePolicies),
		wire.Action("CreateLogStream", s.createLogStream),
		wire.Action("DescribeLogStreams", s.describeLogStreams),
		wire.Action("PutLogEvents", s.putLogEvents),
		wire.Action("GetLogEvents", s.getLogEvents),
		wire.Action("FilterLogEvents", s.filterLogEvents),
	)
}

// Group says whether a log group exists.
func (s *Service) Group(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groups[name] != nil
}

// Create makes a group without a retention, as other services do with permission. An existing group is not changed.
func (s *Service) Create(name string) error {
	if s.Group(name) {
		return nil
	}
	_, err := s.createLogGroup(context.Background(), &createLogGroupIn{LogGroupName: name})
	return err
}

// Put delivers events of other services, in any order and number, also none. It creates the stream if needed;
// without the group it returns ResourceNotFoundException.
func (s *Service) Put(groupName, streamName string, events ...Event) error {
	s.mu.Lock()
	g := s.groups[groupName]
	if g == nil {
		s.mu.Unlock()
		return noGroup()
	}
	st := g.streams[streamName]
	if st == nil {
		if err := checkStream(streamName); err != nil {
			s.mu.Unlock()
			return err
		}
		st = s.addStream(g, streamName)
	}
	s.mu.Unlock()
	records := make([]record, len(events))
	for i, e := range events {
		records[i] = record{place: place{at: e.Time.UnixMilli()}, message: e.Message}
		if !utf8.ValidString(e.Message) { // JSON cannot carry it
			records[i].message = string([]rune(e.Message))
		}
	}
	return s.store(st, records)
}

// Close makes the streams refuse events; the files stay readable for a person until the next start.
func (s *Service) Close() error {
	s.mu.Lock()
	groups := maps.Clone(s.groups)
	s.mu.Unlock()
	for _, g := range groups {
		for _, st := range s.list(g) {
			st.mu.Lock()
			st.gone, st.runs = true, nil
			st.mu.Unlock()
		}
	}
	return nil
}

func (s *Service) now() int64 { return s.acct.Clock.Now().UnixMilli() }

func (s *Service) list(g *group) []*stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*stream, 0, len(g.streams))
	for _, st := range g.streams {
		out = append(out, st)
	}
	return out
}

// remove forgets a stream's events.
func (st *stream) remove() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.gone = true
	var errs []error
	for _, r := range st.runs {
		errs = append(errs, os.Remove(r.file))
	}
	st.runs = nil
	return errors.Join(errs...)
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogStream.html gives lastEventTimestamp
// "on an eventual consistency basis, typically in less than an hour".
const lag = int64(10 * time.Minute / time.Millisecond)

// store appends records that are in any order; it numbers them.
func (s *Service) store(st *stream, records []record) error {
	if len(records) == 0 {
		return nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.gone {
		return noStream()
	}
	now := s.now()
	for i := range records {
		records[i].seq, records[i].ingested = s.seq.Add(1), now
	}
	sortRecords(records)
	r, err := st.run(records[0].place, s.newFile)
	if err != nil {
		return err
	}
	if err := r.append(records); err != nil {
		return err
	}
	for _, e := range records {
		st.bytes += int64(len(e.message)) + overhead
	}
	if first := records[0].at; st.first == nil || first < *st.first {
		st.first = &first
	}
	if st.last == nil || now-st.shownAt >= lag {
		st.shown, st.shownAt = [2]*int64{st.last, st.ingested}, now
	}
	if last := records[len(records)-1].at; st.last == nil || last > *st.last {
		st.last = &last
	}
	st.ingested = &now
	if st.shown[0] == nil {
		st.shown = [2]*int64{st.last, st.ingested}
	}
	return nil
}

// run finds the run that a batch starting at p can be appended to.
func (st *stream) run(p place, create func() (string, error)) (*run, error) {
	for _, r := range st.runs {
		if r.last.less(p) {
			return r, nil
		}
	}
	file, err := create()
	if err != nil {
		return nil, err
	}
	r := &run{file: file}
	st.runs = append(st.runs, r)
	return r, nil
}

func (s *Service) newFile() (string, error) {
	file := filepath.Join(s.dir, fmt.Sprintf("%06d.events", s.file.Add(1)))
	err := os.MkdirAll(s.dir, 0o700)
	if err == nil {
		err = os.WriteFile(file, nil, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("log events: %w", err)
	}
	return file, nil
}
