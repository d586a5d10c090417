package ops

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/price"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// opened is a campaign that was read and checked: its file, its variants' inputs and costs, and its account. It does not change afterwards.
type opened struct {
	ws     *workspace.Workspace
	con    *console.Console
	c      *campaign.Campaign
	base   *terraform.Inputs // of the project's stack: bucket, prefix, key
	cfg    aws.Config
	place  string // account and Region, for questions
	s3     *s3.Client
	inputs map[string]*terraform.Inputs // by variant
	prices *price.Prices
	costs  map[string]campaign.Estimate // of one run, by variant
}

// campaignFile is the file that CAMPAIGN= names.
func campaignFile(ws *workspace.Workspace) (string, error) {
	file := ws.Getenv("CAMPAIGN")
	if file == "" {
		return "", errors.New("no campaign file: set CAMPAIGN, for instance CAMPAIGN=examples/campaigns/nodes.hcl")
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(ws.Root, file)
	}
	return file, nil
}

// openCampaign reads the file and has Terraform check every variant. It creates nothing in AWS. minutes, if not 0, overrides the load's duration in the file.
func openCampaign(ctx context.Context, ws *workspace.Workspace, con *console.Console, minutes int) (*opened, error) {
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
	o := &opened{ws: ws, con: con, c: c, base: base, inputs: map[string]*terraform.Inputs{}, costs: map[string]campaign.Estimate{}}
	if o.cfg, err = ws.AWS(ctx, base.Region); err != nil {
		return nil, err
	}
	if o.cfg.Region == "" {
		return nil, errors.New("no AWS Region: set aws_region in terraform.tfvars, or AWS_REGION in the environment")
	}
	who, err := stack.Who(ctx, o.cfg)
	if err != nil {
		return nil, err
	}
	o.place, o.s3 = fmt.Sprintf("account %s, Region %s", who.Account, who.Region), s3.NewFromConfig(o.cfg)
	for _, v := range c.Variants {
		s, err := o.enter(campaign.Cell{Campaign: c.Name, Variant: v.Name, Round: 1, Seed: c.Seed}, nil)
		if err != nil {
			return nil, err
		}
		_, o.inputs[v.Name], err = terraform.Ready(ctx, s.in, s.quiet)
		s.close()
		if err != nil {
			return nil, fmt.Errorf("%s: variant %s: %w", c.At(v), v.Name, err)
		}
	}
	o.prices = pricesOf(ctx, con, o.cfg, slices.Collect(maps.Values(o.inputs))...)
	for name, in := range o.inputs {
		o.costs[name] = campaign.EstimateRun(in, o.prices)
	}
	return o, nil
}

// key identifies a cell within its campaign.
func key(cell campaign.Cell) string { return fmt.Sprintf("%s-r%d", cell.Variant, cell.Round) }

// cells returns all cells of the campaign in the order of their runs.
func (o *opened) cells() []campaign.Cell { return slices.Concat(o.c.Rounds()...) }

// estimate returns the estimate for one run of the cell with this key.
func (o *opened) estimate(cell string) campaign.Estimate {
	return o.costs[cell[:max(strings.LastIndex(cell, "-r"), 0)]]
}

// stackOf returns a cell's stack as AWS shows it.
func (o *opened) stackOf(ctx context.Context, cell campaign.Cell) (*stack.Stack, error) {
	in := *o.inputs[cell.Variant]
	in.Name, in.Prefix = cell.Stack(), cell.Exports(o.base.Prefix)
	return stack.Open(ctx, o.ws, o.base.Region, in.Config())
}

// hasFunction reports whether a cell's stack still has its Lambda function.
func (o *opened) hasFunction(ctx context.Context, cell campaign.Cell) bool {
	there, err := o.stackOf(ctx, cell)
	return err == nil && there.Lambda != ""
}

// view returns the state of a cell's stack as AWS shows it; nil if the stack does not exist.
func (o *opened) view(ctx context.Context, cell campaign.Cell) (*stack.View, error) {
	there, err := o.stackOf(ctx, cell)
	if err != nil || there.Lambda == "" {
		return nil, err
	}
	v, err := there.View(ctx)
	return &v, err
}
