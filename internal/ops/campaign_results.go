package ops

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/sweep"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// readManifests reads the manifests of all of the campaign's cells.
func (d *driver) readManifests(ctx context.Context) error {
	made := map[string][]*export.Manifest{}
	prefix := d.c.Prefix(d.base.Prefix) + "/"
	pages := s3.NewListObjectsV2Paginator(d.s3, &s3.ListObjectsV2Input{Bucket: &d.base.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("s3://%s/%s: %w", d.base.Bucket, prefix, err)
		}
		for _, o := range out.Contents {
			cell, name, is := strings.Cut(strings.TrimPrefix(aws.ToString(o.Key), prefix), "/manifest/")
			if !is || !strings.HasSuffix(name, ".json") {
				continue
			}
			m, err := stack.ReadManifest(ctx, d.s3, d.base.Bucket, aws.ToString(o.Key))
			if err != nil {
				return err
			}
			if m.Complete {
				made[cell] = append(made[cell], m)
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made = made
	return nil
}

// measured tells whether a run's load ended with a result.
func measured(m *export.Manifest) bool {
	return m.LoadStart != nil && m.Logs != nil && m.Logs.Results.Tables > 0
}

// result is the manifest of a cell that has measured; nil: none.
func (d *driver) result(cell campaign.Cell) *export.Manifest {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.made[key(cell)] {
		if cell.Of(m) && measured(m) {
			return m
		}
	}
	return nil
}

// attempts is how often a cell has failed.
func (d *driver) attempts(cell campaign.Cell) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.made[key(cell)] {
		if cell.Of(m) && !measured(m) {
			n++
		}
	}
	return n + d.tries[key(cell)]
}

// most is how often a cell is tried.
const most = 2

// missing are the cells without a result that are still to be tried.
func (d *driver) missing() (cells []campaign.Cell) {
	for _, round := range d.c.Rounds() {
		for _, cell := range round {
			if d.result(cell) == nil && d.attempts(cell) < most {
				cells = append(cells, cell)
			}
		}
	}
	return cells
}

// spent is what the runs have cost by their manifests, in USD; what they have no price of counts as it was estimated.
func (d *driver) spent(ctx context.Context) (usd float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for cell, all := range d.made {
		for _, m := range all {
			cost, whole := sweep.OfManifest(ctx, m)
			if at := strings.LastIndex(cell, "-r"); at > 0 && !whole {
				cost = max(cost, d.costs[cell[:at]].USD)
			}
			usd += cost
		}
	}
	return usd
}
