package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// driver runs the cells of a campaign, each to its end.
type driver struct {
	o     *opened
	done  *results
	under *underWay
}

// takeRounds runs the cells that are missing or whose stack still exists, round by round, up to Parallel at a time.
func (d *driver) takeRounds(ctx context.Context) error {
	missing := d.done.missing()
	if len(missing) > 0 {
		for _, architecture := range architectures(d.o.inputs) {
			if err := gobuild.Lambda(ctx, d.o.ws, d.o.con, architecture); err != nil {
				return err
			}
		}
	}
	began := time.Now()
	for n, round := range d.o.c.Rounds() {
		var cells []campaign.Cell
		for _, cell := range round {
			if d.done.pending(cell) || d.o.hasFunction(ctx, cell) {
				cells = append(cells, cell)
			}
		}
		if len(cells) == 0 {
			continue
		}
		title := fmt.Sprintf("round %d of %d", n+1, d.o.c.Repeats)
		d.o.con.Say("%s", title)
		shown := (&table{d.o, d.done, d.under, title, cells}).display(ctx)
		var all sync.WaitGroup
		places := make(chan struct{}, d.o.c.Parallel)
		for _, cell := range cells {
			places <- struct{}{}
			if ctx.Err() != nil {
				break
			}
			all.Go(func() {
				defer func() { <-places }()
				d.runCell(ctx, cell)
			})
		}
		all.Wait()
		shown()
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("%w; the runs under way end by themselves, and the same command continues the campaign", cause)
		}
	}
	if took := d.under.took; took > 0 {
		d.o.con.Say("the rounds took %s; the runs themselves took %s in total", page.Duration(time.Since(began)), page.Duration(took))
	}
	return nil
}

// runCell runs a cell to its end, retries it once if it fails, and says how it ended.
func (d *driver) runCell(ctx context.Context, cell campaign.Cell) {
	name, started := key(cell), time.Now()
	defer func() { d.under.end(cell, time.Since(started)) }()
	for ctx.Err() == nil {
		d.under.start(cell)
		if d.done.pending(cell) {
			if why := d.overBudget(ctx, cell); why != "" {
				d.fails(cell, errors.New(why))
				return
			}
		}
		began := time.Now()
		before := d.done.attempts(cell)
		err := d.take(ctx, cell)
		if ctx.Err() != nil {
			return
		}
		if problem := d.done.read(ctx); problem != nil {
			d.fails(cell, problem)
			return
		}
		if d.done.of(cell) != nil {
			if err != nil {
				d.fails(cell, fmt.Errorf("it is measured, but its stack is not removed: %w", err))
				return
			}
			d.o.con.Say("%s is measured and removed, after %s", name, page.Duration(time.Since(began)))
			return
		}
		if d.done.attempts(cell) == before { // it left no manifest
			d.done.tried(cell)
		}
		d.fails(cell, cmp.Or(err, errors.New("its load ended without a result")))
		if d.done.attempts(cell) >= most {
			d.o.con.Say("%s is given up after %d attempts, and the campaign continues without it", name, most)
			return
		}
	}
}

// take deploys a cell's stack, waits for the end of its run and destroys the stack. It continues with a stack that already exists.
func (d *driver) take(ctx context.Context, cell campaign.Cell) error {
	s, err := d.o.enter(cell, func(line string) { d.under.noteLine(cell, line) })
	if err != nil {
		return err
	}
	defer s.close()
	went, err := s.resume(ctx)
	if err == nil && !went && d.done.pending(cell) {
		err = s.deployAndWait(ctx)
	}
	if err != nil {
		s.quiet.Say("failed: %v", err)
	}
	if ctx.Err() != nil {
		return err
	}
	return errors.Join(err, s.remove(ctx))
}

// overBudget says why a cell is not started: it would take the campaign over its budget. Runs under way count as estimated.
func (d *driver) overBudget(ctx context.Context, cell campaign.Cell) string {
	if d.o.c.Budget == 0 {
		return ""
	}
	usd := d.done.spent(ctx)
	for _, name := range d.under.names() { // includes this one
		usd += d.o.estimate(name).USD
	}
	if usd <= d.o.c.Budget {
		return ""
	}
	return fmt.Sprintf("it is not started: with it the campaign would cost about %.2f USD, and the budget is %.2f", usd, d.o.c.Budget)
}

// fails records why a cell failed, and prints it with the path of its log.
func (d *driver) fails(cell campaign.Cell, err error) {
	d.done.fail(cell, err)
	d.o.con.Say("%s failed: %v\n  its log is %s", key(cell), err, d.o.ws.Path(filepath.Join(d.o.c.Folder(d.o.ws, cell), "log.txt")))
}

// architectures lists the architectures of the variants' Lambda functions.
func architectures(inputs map[string]*terraform.Inputs) (all []string) {
	for _, in := range inputs {
		all = append(all, in.Architecture)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
