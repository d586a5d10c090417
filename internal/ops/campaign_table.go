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

// lookEvery is how long the table of a round waits between two looks at AWS.
const lookEvery = 5 * time.Second

// display keeps the table of a round in view until end is called: drawn in place in a terminal, elsewhere a line for each run under way when it gets into
// another state, and of all of them every half a minute.
func (d *driver) display(ctx context.Context, title string, cells []campaign.Cell) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	looked, drawn := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(looked)
		for console.Sleep(ctx, lookEvery) == nil {
			for _, cell := range cells {
				if d.lastWord(cell) == "" {
					continue
				}
				if v, err := d.look(ctx, cell); err == nil { // after a look that fails, the last one is shown
					d.mu.Lock()
					d.views[key(cell)] = v
					d.mu.Unlock()
				}
			}
		}
	}()
	go func() {
		defer close(drawn)
		began, log := time.Now(), &rowLog{every: cmp.Or(d.con.Every, 30*time.Second), last: time.Now(), states: map[string]string{}}
		for console.Sleep(ctx, time.Second) == nil {
			all, under := d.rows(cells)
			if d.con.Terminal != nil {
				d.con.Terminal.ShowTable(fmt.Sprintf("%s · %s · %s", title, page.Duration(time.Since(began)), d.progress()), fitting(all, under))
				continue
			}
			for _, r := range log.due(time.Now(), under) {
				d.con.Say("%s", r.Line())
			}
		}
		if d.con.Terminal != nil {
			d.con.Terminal.Show(nil)
		}
	}()
	return func() { cancel(); <-looked; <-drawn }
}

// lastWord is that of the command at work on a cell; "": none is.
func (d *driver) lastWord(cell campaign.Cell) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.under[key(cell)]
}

// rows are those of cells, and of them those that are under way.
func (d *driver) rows(cells []campaign.Cell) (all, under []page.Row) {
	for _, cell := range cells {
		word := d.lastWord(cell)
		d.mu.Lock()
		v := d.views[key(cell)]
		d.mu.Unlock()
		if word == "" {
			v = nil // what was seen while it was under way
		}
		r := d.row(cell, v, word)
		if all = append(all, r); word != "" {
			under = append(under, r)
		}
	}
	return all, under
}

// mostRows fit into a terminal of 24 lines.
const mostRows = 16

// fitting are the rows that a terminal has room for: all of them, or those that are under way.
func fitting(all, under []page.Row) []page.Row {
	if len(all) <= mostRows {
		return all
	}
	shown := under[:min(len(under), mostRows-1)]
	return append(shown[:len(shown):len(shown)], page.Row{State: fmt.Sprintf("and %d more", len(all)-len(shown))})
}

// rowLog tells which rows a log is due: one in another state than before, and all of them from time to time.
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
		state, _, _ := strings.Cut(r.State, " · ") // what follows are figures
		if all || l.states[r.Name] != state {
			rows = append(rows, r)
		}
		l.states[r.Name] = state
	}
	return rows
}
