package logs

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

var streamName = regexp.MustCompile(`^[^:*]{1,512}$`)

func checkStream(name string) error {
	if !streamName.MatchString(name) {
		return invalid("logStreamName %q must have 1 to 512 characters without : and *", name)
	}
	return nil
}

// addStream needs the service's lock.
func (s *Service) addStream(g *group, name string) *stream {
	st := &stream{name: name, arn: g.arn + ":log-stream:" + name, created: s.now()}
	g.streams[name] = st
	return st
}

type streamIn struct {
	LogGroupName  string `wire:",required"`
	LogStreamName string `wire:",required"`
}

func (s *Service) createLogStream(_ context.Context, in *streamIn) (*struct{}, error) {
	if err := checkStream(in.LogStreamName); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[in.LogGroupName]
	if g == nil {
		return nil, noGroup()
	}
	if g.streams[in.LogStreamName] != nil {
		return nil, wire.Errorf(400, "ResourceAlreadyExistsException", "The specified log stream already exists")
	}
	s.addStream(g, in.LogStreamName)
	return &struct{}{}, nil
}

// group finds a group by its name or by an identifier, which is a name or an ARN without ":*": one of the two.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
func (s *Service) group(name, identifier *string) (*group, error) {
	if (name == nil) == (identifier == nil) {
		return nil, invalid("You must include either logGroupIdentifier or logGroupName, but not both.")
	}
	if name == nil {
		if strings.HasSuffix(*identifier, ":*") {
			return nil, invalid("logGroupIdentifier %s must not end with :*", *identifier)
		}
		n := strings.TrimPrefix(*identifier, s.acct.ARN("logs", "log-group:"))
		name = &n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[*name]; g != nil {
		return g, nil
	}
	return nil, noGroup()
}

func (s *Service) find(name, identifier *string, stream string) (*group, *stream, error) {
	g, err := s.group(name, identifier)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := g.streams[stream]; st != nil {
		return g, st, nil
	}
	return nil, nil, noStream()
}

type logStream struct {
	LogStreamName, Arn                                         string
	CreationTime, StoredBytes                                  int64 // storedBytes has been 0 since June 2019
	FirstEventTimestamp, LastEventTimestamp, LastIngestionTime *int64
	UploadSequenceToken                                        string
}

type describeLogStreamsIn struct {
	LogGroupName, LogGroupIdentifier, LogStreamNamePrefix, OrderBy *string
	NextToken                                                      string
	Descending                                                     *bool
	Limit                                                          *int
}

type describeLogStreamsOut struct {
	LogStreams []logStream
	NextToken  string `wire:",omitempty"`
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html
func (s *Service) describeLogStreams(_ context.Context, in *describeLogStreamsIn) (*describeLogStreamsOut, error) {
	limit, err := pageLimit(in.Limit, 50)
	if err != nil {
		return nil, err
	}
	byTime := false
	switch {
	case in.OrderBy == nil || *in.OrderBy == "LogStreamName":
	case *in.OrderBy != "LastEventTime":
		return nil, invalid("orderBy %q must be LogStreamName or LastEventTime", *in.OrderBy)
	case in.LogStreamNamePrefix != nil:
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	default:
		byTime = true
	}
	g, err := s.group(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	described, now := map[string]logStream{}, s.now()
	var keys []string
	for _, st := range s.list(g) {
		if in.LogStreamNamePrefix != nil && !strings.HasPrefix(st.name, *in.LogStreamNamePrefix) {
			continue
		}
		d, key := st.describe(now), st.name
		if byTime {
			var last int64
			if d.LastEventTimestamp != nil {
				last = *d.LastEventTimestamp
			}
			key = fmt.Sprintf("%020d %s", last, st.name)
		}
		described[key] = d
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if in.Descending != nil && *in.Descending {
		slices.Reverse(keys)
	}
	page, next, err := cut(keys, limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &describeLogStreamsOut{LogStreams: []logStream{}, NextToken: next}
	for _, k := range page {
		out.LogStreams = append(out.LogStreams, described[k])
	}
	return out, nil
}

func (st *stream) describe(now int64) logStream {
	st.mu.Lock()
	defer st.mu.Unlock()
	d := logStream{LogStreamName: st.name, Arn: st.arn, CreationTime: st.created, FirstEventTimestamp: st.first,
		LastEventTimestamp: st.shown[0], LastIngestionTime: st.shown[1], UploadSequenceToken: "1"}
	if st.ingested != nil && now-*st.ingested >= lag {
		d.LastEventTimestamp, d.LastIngestionTime = st.last, st.ingested
	}
	return d
}

// sortRecords puts a batch in time order, equal times as they came.
func sortRecords(records []record) {
	slices.SortStableFunc(records, func(a, b record) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) })
}
