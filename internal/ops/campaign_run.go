package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
)

// takeRounds takes the missing cells round by round, up to Parallel at a time.
func (d *driver) takeRounds(ctx context.Context) error {
	missing := d.missing()
	if len(missing) > 0 {
		for _, architecture := range d.architectures() {
			if err := gobuild.Lambda(ctx, d.ws, d.con, architecture); err != nil {
				return err
			}
		}
	}
	began := time.Now()
	for n, round := range d.c.Rounds() {
		var cells []campaign.Cell
		for _, cell := range round {
			if d.result(cell) == nil && d.attempts(cell) < most || d.stands(ctx, cell) {
				cells = append(cells, cell)
			}
		}
		if len(cells) == 0 {
			continue
		}
		title := fmt.Sprintf("round %d of %d", n+1, d.c.Repeats)
		d.con.Say("%s", title)
		shown := d.display(ctx, title, cells)
		var all sync.WaitGroup
		places := make(chan struct{}, d.c.Parallel)
		for _, cell := range cells {
			places <- struct{}{}
			if ctx.Err() != nil {
				break
			}
			all.Go(func() {
				defer func() { <-places }()
				d.carryOut(ctx, cell)
			})
		}
		all.Wait()
		shown()
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("%w; the runs under way end by themselves, and the same command goes on with the campaign", cause)
		}
	}
	if d.own > 0 {
		d.con.Say("the rounds took %s; the runs themselves took %s, summed", page.Duration(time.Since(began)), page.Duration(d.own))
	}
	return nil
}

// carryOut takes a cell to its end, tries it once more when it fails, and says what became of it.
func (d *driver) carryOut(ctx context.Context, cell campaign.Cell) {
	name, started := key(cell), time.Now()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.under, name)
		d.own += time.Since(started)
	}()
	for ctx.Err() == nil {
		d.mu.Lock()
		d.under[name] = "starts"
		d.mu.Unlock()
		if d.result(cell) == nil && d.attempts(cell) < most {
			if why := d.tooDear(ctx, cell); why != "" {
				d.fails(cell, errors.New(why))
				return
			}
		}
		began := time.Now()
		before := d.attempts(cell)
		err := d.take(ctx, cell)
		if ctx.Err() != nil {
			return
		}
		if problem := d.readManifests(ctx); problem != nil {
			d.fails(cell, problem)
			return
		}
		if d.result(cell) != nil {
			if err != nil {
				d.fails(cell, fmt.Errorf("it is measured, and its stack is not removed: %w", err))
				return
			}
			d.con.Say("%s is measured and removed, after %s", name, page.Duration(time.Since(began)))
			return
		}
		if d.attempts(cell) == before { // it left no manifest
			d.mu.Lock()
			d.tries[name]++
			d.mu.Unlock()
		}
		d.fails(cell, cmp.Or(err, errors.New("its load ended without a result")))
		if d.attempts(cell) >= most {
			d.con.Say("%s is given up after %d attempts, and the campaign goes on without it", name, most)
			return
		}
	}
}

func (d *driver) fails(cell campaign.Cell, err error) {
	d.mu.Lock()
	d.failed[key(cell)] = err
	d.mu.Unlock()
	d.con.Say("%s failed: %v\n  its log is %s", key(cell), err, d.ws.Path(filepath.Join(d.c.Folder(d.ws, cell), "log.txt")))
}

// unfinished are the cells that have no result.
func (d *driver) unfinished() error {
	var lines []string
	for _, round := range d.c.Rounds() {
		for _, cell := range round {
			d.mu.Lock()
			err := d.failed[key(cell)]
			d.mu.Unlock()
			if d.result(cell) == nil || err != nil {
				lines = append(lines, fmt.Sprintf("%s: %v", key(cell), cmp.Or(err, errors.New("it failed twice, by its manifests"))))
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("the campaign %s is over, and not whole:\n  - %s", d.c.Name, strings.Join(lines, "\n  - "))
}
