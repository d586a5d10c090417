package export

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// manyStreams returns more streams than an export reads one by one, with few events, and the lines that their export must have.
func manyStreams(events int) (streams map[string][]logEvent, want []string) {
	random := rand.New(rand.NewPCG(3, 4))
	streams = map[string][]logEvent{}
	for s := range oneByOne + 130 {
		streams[fmt.Sprintf("load/memtier/%04d", s)] = nil
	}
	for i := range events {
		name := fmt.Sprintf("load/memtier/%04d", random.IntN(len(streams)))
		at := logWindow.Start.UnixMilli() + int64(i/40) // 40 streams with one timestamp
		streams[name] = append(streams[name], logEvent{at, fmt.Sprint("#", i)})
		want = append(want, fmt.Sprintf("%d %s %06d [%s] [%s] #%d", at, name, i, time.UnixMilli(at).UTC().Format("2006-01-02T15:04:05.000Z"), name, i))
	}
	slices.Sort(want)
	for i, line := range want {
		want[i] = line[strings.IndexByte(line, '['):]
	}
	return streams, want
}

// Many streams are read a hundred at a time: every event is exported once and in order, whatever the pages, and no stream needs its own call.
func TestManyStreamsAreReadTogether(t *testing.T) {
	streams, want := manyStreams(3_000)
	having := 0
	for _, events := range streams {
		having += min(len(events), 1)
	}
	for _, emptyPages := range []bool{false, true} {
		for _, size := range []int{1, 7, 10_000} {
			api := &fakeLogs{size: size, emptyPages: emptyPages, groups: map[string]map[string][]logEvent{"/perf/load": streams}}
			var out bytes.Buffer
			sum, err := logJob(api).Write(t.Context(), &out)
			require.NoError(t, err)
			require.Equal(t, want, strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n"), "page size %d, empty pages %v", size, emptyPages)
			require.EqualValues(t, len(want), sum.Events)
			require.Equal(t, having, sum.Streams)
			require.Zero(t, api.calls, "GetLogEvents")
			if size == 10_000 && !emptyPages {
				require.Equal(t, 12, api.filters, "one page for each hundred streams")
			}
		}
	}
}

func TestManyStreamsResume(t *testing.T) {
	streams, _ := manyStreams(200)
	api := &fakeLogs{size: 7, groups: map[string]map[string][]logEvent{"/perf/load": streams}}
	assertResumes(t, func(w io.Writer, from Position) (Logs, error) {
		job := logJob(api)
		job.From = from.Logs
		return job.Write(t.Context(), w)
	})
}
