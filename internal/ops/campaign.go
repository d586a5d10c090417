package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/price"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// Campaign carries out what is missing of the campaign in the file CAMPAIGN=: every cell as a stack of its own, round by round. What is done is read from the
// manifests, so that the same command goes on after whatever ended it. It shows the plan and asks; APPROVE=1 is a yes.
func Campaign(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	return carryOut(ctx, ws, con, 0)
}

// carryOut is Campaign with so many minutes of load instead of the file's, 0: the file's.
func carryOut(ctx context.Context, ws *workspace.Workspace, con *console.Console, minutes int) error {
	d, err := openCampaign(ctx, ws, con, minutes)
	if err != nil {
		return err
	}
	if err := d.readManifests(ctx); err != nil {
		return err
	}
	if err := d.showPlan(ctx); err != nil {
		return err
	}
	ctx, let, err := d.hold(ctx)
	if err != nil {
		return err
	}
	defer let()
	if err := d.readManifests(ctx); err != nil { // another command may have ended in the meantime
		return err
	}
	if err := d.takeRounds(ctx); err != nil {
		return err
	}
	return errors.Join(d.rank(ctx), d.unfinished())
}

// driver carries out a campaign.
type driver struct {
	ws     *workspace.Workspace
	con    *console.Console
	c      *campaign.Campaign
	base   *terraform.Inputs // of the project's stack: bucket, prefix, key
	cfg    aws.Config
	place  string // account and Region, for a question
	s3     *s3.Client
	inputs map[string]*terraform.Inputs // by variant
	prices *price.Prices
	costs  map[string]campaign.Estimate // of a run, by variant

	mu     sync.Mutex
	made   map[string][]*export.Manifest // by cell: what is complete
	failed map[string]error              // by cell: of this command, the last
	tries  map[string]int                // by cell, of this command, that left no manifest
	under  map[string]string             // by cell that is under way: its last word
	views  map[string]*stack.View        // by cell: its stack when it was last looked at
	own    time.Duration                 // that cells have taken, summed
}

// campaignFile is the file that CAMPAIGN= names.
func campaignFile(ws *workspace.Workspace) (string, error) {
	file := ws.Getenv("CAMPAIGN")
	if file == "" {
		return "", errors.New("which campaign? CAMPAIGN= names its file, such as CAMPAIGN=examples/campaigns/nodes.hcl")
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(ws.Root, file)
	}
	return file, nil
}

// openCampaign reads the file and checks every variant as Terraform does. Nothing is made. minutes, where not 0, are the load's instead of the file's.
func openCampaign(ctx context.Context, ws *workspace.Workspace, con *console.Console, minutes int) (*driver, error) {
	file, err := campaignFile(ws)
	if err != nil {
		return nil, err
	}
	c, err := campaign.Read(ws, file)
	if err != nil {
		return nil, err
	}
	if minutes > 0 {
		c.Shorten(minutes)
	}
	_, base, err := terraform.Ready(ctx, ws, con)
	if err != nil {
		return nil, err
	}
	d := &driver{ws: ws, con: con, c: c, base: base, inputs: map[string]*terraform.Inputs{}, costs: map[string]campaign.Estimate{}, made: map[string][]*export.Manifest{},
		failed: map[string]error{}, tries: map[string]int{}, under: map[string]string{}, views: map[string]*stack.View{}}
	if d.cfg, err = ws.AWS(ctx, base.Region); err != nil {
		return nil, err
	}
	if d.cfg.Region == "" {
		return nil, errors.New("no AWS Region: set aws_region in terraform.tfvars, or AWS_REGION in the environment")
	}
	who, err := stack.Who(ctx, d.cfg)
	if err != nil {
		return nil, err
	}
	d.place, d.s3 = fmt.Sprintf("account %s, Region %s", who.Account, who.Region), s3.NewFromConfig(d.cfg)
	for _, v := range c.Variants {
		in, quiet, closed, err := d.enter(campaign.Cell{Campaign: c.Name, Variant: v.Name, Round: 1, Seed: c.Seed})
		if err != nil {
			return nil, err
		}
		_, d.inputs[v.Name], err = terraform.Ready(ctx, in, quiet)
		closed()
		if err != nil {
			return nil, fmt.Errorf("%s: variant %s: %w", c.At(v), v.Name, err)
		}
	}
	d.prices = pricesOf(ctx, con, d.cfg, slices.Collect(maps.Values(d.inputs))...)
	for name, in := range d.inputs {
		d.costs[name] = campaign.EstimateRun(in, d.prices)
	}
	return d, nil
}

// key names a cell among the others of the campaign.
func key(cell campaign.Cell) string { return fmt.Sprintf("%s-r%d", cell.Variant, cell.Round) }

// enter is the workspace of a cell, and a console that writes to a file in it and keeps the last word.
func (d *driver) enter(cell campaign.Cell) (*workspace.Workspace, *console.Console, func(), error) {
	in, err := d.c.Enter(d.ws, cell, d.base.Prefix)
	if err != nil {
		return nil, nil, nil, err
	}
	log, err := os.OpenFile(filepath.Join(in.Stack, "log.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, nil, err
	}
	quiet := *d.con
	quiet.TTY, quiet.Answer, quiet.Terminal, quiet.TerraformOut, quiet.Every = false, nil, nil, log, 10*time.Second
	quiet.Out = &lastWord{w: log, heard: func(line string) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.under[key(cell)] != "" {
			d.under[key(cell)] = line
		}
	}}
	return in, &quiet, func() { _ = log.Close() }, nil
}

// lastWord passes on what is written, and tells each line that is whole.
type lastWord struct {
	w     io.Writer
	mu    sync.Mutex
	line  string
	heard func(string)
}

func (l *lastWord) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line += string(b)
	for {
		line, rest, whole := strings.Cut(l.line, "\n")
		if !whole {
			return l.w.Write(b)
		}
		if l.line = rest; strings.TrimSpace(line) != "" {
			l.heard(strings.TrimSpace(line))
		}
	}
}
