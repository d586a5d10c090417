package ops

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// prefill is how far the tasks are that write their keys, and read them back, before the measured load.
type prefill struct {
	tasks, done int
	share       float64 // of all their keys, 0 to 1
	failed      string  // why a task could not; it stays, so that nobody takes its place
}

func (f *prefill) String() string {
	return fmt.Sprintf("prefilling, %.0f %%, %d of %d tasks done", 100*f.share, f.done, f.tasks)
}

// prefillMinutes is how long it may take by the settings: its own minutes, or half of the run's; 0 without a prefill.
func (s *stack) prefillMinutes() int {
	var settings struct {
		Load struct{ Prefill *struct{ Minutes *int } }
	}
	if json.Unmarshal(s.config.Settings, &settings) != nil || settings.Load.Prefill == nil {
		return 0 // free JSON: somebody else's module may say other things
	}
	if own := settings.Load.Prefill.Minutes; own != nil {
		return *own
	}
	return (s.config.Minutes + 1) / 2
}

var percent = regexp.MustCompile(`^\[RUN #\d+ +(\d+)%`)

// prefill reads it from the load's log since a time; nil when no task prefills now and none failed. A stack without it costs no call.
func (s *stack) prefill(ctx context.Context, since, now time.Time) (*prefill, error) {
	if s.prefillMinutes() == 0 {
		return nil, nil
	}
	said, err := s.loadLog(ctx, since, 10_000, `?"load: prefill" ?"load: failed"`)
	if err != nil {
		return nil, err
	}
	share := map[string]float64{}
	var f prefill
	for _, e := range said {
		switch _, prefills := share[e.stream]; {
		case strings.HasPrefix(e.text, "load: prefill keys"):
			share[e.stream] = 0
		case strings.HasPrefix(e.text, "load: prefill: written") && prefills:
			share[e.stream] = 0.5
		case strings.HasPrefix(e.text, "load: prefilled keys") && prefills:
			share[e.stream] = 1
		case strings.HasPrefix(e.text, "load: failed"):
			delete(share, e.stream)
			if why, ok := strings.CutPrefix(e.text, "load: failed: prefill: "); ok {
				f.failed = why
			}
		}
	}
	for _, done := range share {
		f.done += int(done)
	}
	switch f.tasks = len(share); {
	case f.done == f.tasks && f.failed == "":
		return nil, nil
	case f.done == f.tasks:
		return &f, nil
	}
	written := maps.Clone(share)
	events, err := s.loadLog(ctx, now.Add(-recently), 10_000, "")
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if m := percent.FindStringSubmatch(e.text); m != nil && share[e.stream] < 1 {
			if _, prefills := share[e.stream]; prefills {
				n, _ := strconv.Atoi(m[1]) // digits
				share[e.stream] = written[e.stream] + min(float64(n)/200, 0.49)
			}
		}
	}
	for _, of := range share {
		f.share += of / float64(f.tasks)
	}
	return &f, nil
}
