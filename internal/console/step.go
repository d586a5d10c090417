package console

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
)

// Step is a long step whose progress is shown: in a terminal as a line below the output that is redrawn every second, elsewhere as a
// plain line at its start and one every Console.Every.
type Step struct {
	console *Console
	title   string
	now     func() time.Time
	began   time.Time

	mu    sync.Mutex
	share float64
	note  string
	said  time.Time

	stop, done chan struct{}
}

// Step announces a step, and shows it until End.
func (c *Console) Step(format string, args ...any) *Step {
	s := c.begin(time.Now, fmt.Sprintf(format, args...))
	go func() {
		defer close(s.done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-s.stop:
				return
			case <-tick.C:
				s.show()
			}
		}
	}()
	return s
}

func (c *Console) begin(now func() time.Time, title string) *Step {
	s := &Step{console: c, title: title, now: now, began: now(), share: -1, said: now(), stop: make(chan struct{}), done: make(chan struct{})}
	c.Say("%s", title)
	s.show()
	return s
}

// At sets the progress: a share of 0 to 1, or below 0 if it is unknown.
func (s *Step) At(share float64, format string, args ...any) {
	s.mu.Lock()
	s.share, s.note = share, fmt.Sprintf(format, args...)
	s.mu.Unlock()
	if s.console.Terminal != nil {
		s.show()
	}
}

func (s *Step) show() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	shown := page.Step{Share: s.share, Took: now.Sub(s.began), Note: s.note}
	switch {
	case s.console.Terminal != nil:
		s.console.Terminal.Show(&shown)
	case now.Sub(s.said) >= cmp.Or(s.console.Every, 30*time.Second):
		s.said = now
		s.console.Say("%s", shown.Said(s.title))
	}
}

// End is for defer: for a step that never started, or has ended, it does nothing.
func (s *Step) End() {
	if s == nil {
		return
	}
	select {
	case <-s.stop:
		return
	default:
	}
	close(s.stop)
	<-s.done
	if s.console.Terminal != nil {
		s.console.Terminal.Show(nil)
	}
}
