package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

// Prefill is the progress of tasks that write their keys, and read them back, before the measured load.
type Prefill struct {
	Tasks, Done int
	Share       float64 // of all their keys, 0 to 1
	Failed      string  // why a task could not; it stays, so that nobody takes its place
}

func (f *Prefill) String() string {
	return fmt.Sprintf("prefilling, %.0f %%, %d of %s done", 100*f.Share, f.Done, report.Quantity(f.Tasks, "task"))
}

// PrefillMinutes is how long it may take by the settings: its own minutes, or half of the run's; 0 without a prefill.
func (s *Stack) PrefillMinutes() int {
	var settings struct {
		Load struct{ Prefill *struct{ Minutes *int } }
	}
	if json.Unmarshal(s.Config.Settings, &settings) != nil || settings.Load.Prefill == nil {
		return 0 // any JSON: another module may have other settings
	}
	if own := settings.Load.Prefill.Minutes; own != nil {
		return *own
	}
	return (s.Config.Minutes + 1) / 2
}

var percent = regexp.MustCompile(`^\[RUN #\d+ +(\d+)%`)

// Prefill reads the progress from the load's log since a time; nil if no task is prefilling and none failed. A stack without a prefill makes no call.
func (s *Stack) Prefill(ctx context.Context, since, now time.Time) (*Prefill, error) {
	if s.PrefillMinutes() == 0 {
		return nil, nil
	}
	said, err := s.LoadLog(ctx, since, 10_000, `?"load: prefill" ?"load: failed"`)
	if err != nil {
		return nil, err
	}
	share := map[string]float64{}
	var f Prefill
	for _, e := range said {
		switch _, prefills := share[e.Stream]; {
		case strings.HasPrefix(e.Text, "load: prefill keys"):
			share[e.Stream] = 0
		case strings.HasPrefix(e.Text, "load: prefill: written") && prefills:
			share[e.Stream] = 0.5
		case strings.HasPrefix(e.Text, "load: prefilled keys") && prefills:
			share[e.Stream] = 1
		case strings.HasPrefix(e.Text, "load: failed"):
			delete(share, e.Stream)
			if why, ok := strings.CutPrefix(e.Text, "load: failed: prefill: "); ok {
				f.Failed = why
			}
		}
	}
	for _, done := range share {
		f.Done += int(done)
	}
	switch f.Tasks = len(share); {
	case f.Done == f.Tasks && f.Failed == "":
		return nil, nil
	case f.Done == f.Tasks:
		return &f, nil
	}
	written := maps.Clone(share)
	events, err := s.LoadLog(ctx, now.Add(-recently), 10_000, "")
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if m := percent.FindStringSubmatch(e.Text); m != nil && share[e.Stream] < 1 {
			if _, prefills := share[e.Stream]; prefills {
				n, _ := strconv.Atoi(m[1]) // digits
				share[e.Stream] = written[e.Stream] + min(float64(n)/200, 0.49)
			}
		}
	}
	for _, of := range share {
		f.Share += of / float64(f.Tasks)
	}
	return &f, nil
}
