package ops

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
)

// lookEvery is the interval at which a round's table polls AWS.
const lookEvery = 5 * time.Second

// table shows the state of each cell of a round.
type table struct {
	o     *opened
	done  *results
	under *underWay
	title string
	cells []campaign.Cell
}

// display shows the table until end is called. A terminal redraws it in place. Elsewhere, each run under way gets a line when its state changes, and all of
// them every half a minute.
func (t *table) display(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	looked, drawn := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(looked)
		for console.Sleep(ctx, lookEvery) == nil {
			for _, cell := range t.cells {
				if word, _ := t.under.last(cell); word == "" {
					continue
				}
				if v, err := t.o.view(ctx, cell); err == nil { // after a failed call the last view is shown
					t.under.see(cell, v)
				}
			}
		}
	}()
	go func() {
		defer close(drawn)
		began, log := time.Now(), &rowLog{every: cmp.Or(t.o.con.Every, 30*time.Second), last: time.Now(), states: map[string]string{}}
		for console.Sleep(ctx, time.Second) == nil {
			all, under := t.rows()
			if t.o.con.Terminal != nil {
				t.o.con.Terminal.ShowTable(fmt.Sprintf("%s · %s · %s", t.title, page.Duration(time.Since(began)), t.done.progress()), fitting(all, under, t.o.con.Terminal.Room()))
				continue
			}
			for _, r := range log.due(time.Now(), under) {
				t.o.con.Say("%s", r.Line())
			}
		}
		if t.o.con.Terminal != nil {
			t.o.con.Terminal.Show(nil)
		}
	}()
	return func() { cancel(); <-looked; <-drawn }
}

// rows returns the rows of the round, and among them those under way.
func (t *table) rows() (all, under []page.Row) {
	for _, cell := range t.cells {
		word, v := t.under.last(cell)
		r := row(t.done, cell, v, word)
		if all = append(all, r); word != "" {
			under = append(under, r)
		}
	}
	return all, under
}

// fitting returns the rows that a terminal has room for: all of them, or those under way and the number of the rest.
func fitting(all, under []page.Row, room int) []page.Row {
	if len(all) <= room {
		return all
	}
	shown := under[:min(len(under), room-1)]
	return append(shown[:len(shown):len(shown)], page.Row{State: fmt.Sprintf("and %d more", len(all)-len(shown))})
}

// rowLog selects the rows for a log: those whose state has changed, and from time to time all of them.
type rowLog struct {
	every  time.Duration
	last   time.Time
	states map[string]string
}

func (l *rowLog) due(now time.Time, under []page.Row) (rows []page.Row) {
	all := now.Sub(l.last) >= l.every
	if all {
		l.last = now
	}
	for _, r := range under {
		state, _, _ := strings.Cut(r.State, " · ") // figures follow
		if all || l.states[r.Name] != state {
			rows = append(rows, r)
		}
		l.states[r.Name] = state
	}
	return rows
}
