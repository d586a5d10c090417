package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/sweep"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// results is the progress of a campaign: the manifests in the bucket, and the failures of this command.
type results struct {
	o *opened

	mu     sync.Mutex
	made   map[string][]*export.Manifest // by cell: the complete ones
	failed map[string]error              // by cell: the last error of this command
	tries  map[string]int                // by cell: attempts of this command that left no manifest
}

func newResults(o *opened) *results {
	return &results{o: o, made: map[string][]*export.Manifest{}, failed: map[string]error{}, tries: map[string]int{}}
}

// read reads the manifests of all cells of the campaign.
func (r *results) read(ctx context.Context) error {
	made := map[string][]*export.Manifest{}
	prefix := r.o.c.Prefix(r.o.base.Prefix) + "/"
	pages := s3.NewListObjectsV2Paginator(r.o.s3, &s3.ListObjectsV2Input{Bucket: &r.o.base.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("s3://%s/%s: %w", r.o.base.Bucket, prefix, err)
		}
		for _, o := range out.Contents {
			cell, name, is := strings.Cut(strings.TrimPrefix(aws.ToString(o.Key), prefix), "/manifest/")
			if !is || !strings.HasSuffix(name, ".json") {
				continue
			}
			m, err := stack.ReadManifest(ctx, r.o.s3, r.o.base.Bucket, aws.ToString(o.Key))
			if err != nil {
				return err
			}
			if m.Complete {
				made[cell] = append(made[cell], m)
			}
		}
	}
	if err := r.o.unchanged(made); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = made
	return nil
}

// unchanged returns an error if runs had other settings than the file has now: their figures do not belong to the variant.
func (o *opened) unchanged(made map[string][]*export.Manifest) error {
	var changed []string
	for _, cell := range o.cells() {
		for _, m := range made[key(cell)] {
			if cell.Of(m) && o.c.Changed(cell, m) {
				changed = append(changed, fmt.Sprintf("%s (run %s)", key(cell), m.Run))
			}
		}
	}
	if len(changed) == 0 {
		return nil
	}
	slices.Sort(changed)
	return fmt.Errorf("these runs of the campaign %s had different settings from those in its file now: %s. Undo the change; or rename the changed variants, or the file, so that old and new runs are not mixed",
		o.c.Name, strings.Join(changed, ", "))
}

// measured reports whether a run's load ended with a result.
func measured(m *export.Manifest) bool {
	return m.LoadStart != nil && m.Logs != nil && m.Logs.Results.Tables > 0
}

// of returns the manifest of a cell's measured run; nil if there is none.
func (r *results) of(cell campaign.Cell) *export.Manifest {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.made[key(cell)] {
		if cell.Of(m) && measured(m) {
			return m
		}
	}
	return nil
}

// attempts counts the failed attempts of a cell.
func (r *results) attempts(cell campaign.Cell) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.made[key(cell)] {
		if cell.Of(m) && !measured(m) {
			n++
		}
	}
	return n + r.tries[key(cell)]
}

// most is the maximum number of attempts per cell.
const most = 2

// pending reports whether a cell has no result and has attempts left.
func (r *results) pending(cell campaign.Cell) bool {
	return r.of(cell) == nil && r.attempts(cell) < most
}

// tried counts an attempt of this command that left no manifest.
func (r *results) tried(cell campaign.Cell) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tries[key(cell)]++
}

// fail records why a cell failed.
func (r *results) fail(cell campaign.Cell, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed[key(cell)] = err
}

// missing returns the cells that are still to be run.
func (r *results) missing() (cells []campaign.Cell) {
	for _, cell := range r.o.cells() {
		if r.pending(cell) {
			cells = append(cells, cell)
		}
	}
	return cells
}

// spent is the cost of the runs in USD, by their manifests. A run without all prices counts at least its estimate.
func (r *results) spent(ctx context.Context) (usd float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for cell, all := range r.made {
		for _, m := range all {
			cost, whole := sweep.OfManifest(ctx, m)
			if !whole {
				cost = max(cost, r.o.estimate(cell).USD)
			}
			usd += cost
		}
	}
	return usd
}

// progress says how many runs of the campaign are measured.
func (r *results) progress() string {
	done := 0
	for _, cell := range r.o.cells() {
		if r.of(cell) != nil {
			done++
		}
	}
	return fmt.Sprintf("%d of %s measured", done, report.Quantity(len(r.o.c.Variants)*r.o.c.Repeats, "run"))
}

// unfinished returns an error that lists the cells without a result or with a failure.
func (r *results) unfinished() error {
	var lines []string
	for _, cell := range r.o.cells() {
		r.mu.Lock()
		err := r.failed[key(cell)]
		r.mu.Unlock()
		if r.of(cell) == nil || err != nil {
			lines = append(lines, fmt.Sprintf("%s: %v", key(cell), cmp.Or(err, errors.New("it failed twice, according to its manifests"))))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("the campaign %s is over, but incomplete:\n  - %s", r.o.c.Name, strings.Join(lines, "\n  - "))
}
