package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
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
	held, err := takeHold(ctx, d)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	let := held.keep(ctx, cancel)
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
	costs  map[string]campaign.Estimate // of a run, by variant

	mu     sync.Mutex
	made   map[string][]*export.Manifest // by cell: what is complete
	failed map[string]error              // by cell: of this command, the last
	tries  map[string]int                // by cell, of this command, that left no manifest
	under  map[string]string             // by cell that is under way: its last word
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
		failed: map[string]error{}, tries: map[string]int{}, under: map[string]string{}}
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
		d.costs[v.Name] = campaign.EstimateRun(d.inputs[v.Name], d.cfg.Region)
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
			m, err := d.manifest(ctx, aws.ToString(o.Key))
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

func (d *driver) manifest(ctx context.Context, key string) (*export.Manifest, error) {
	out, err := d.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &d.base.Bucket, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("s3://%s/%s: %w", d.base.Bucket, key, err)
	}
	defer out.Body.Close()
	text, err := io.ReadAll(out.Body)
	if err != nil {
		return nil, fmt.Errorf("s3://%s/%s: %w", d.base.Bucket, key, err)
	}
	m, err := export.ParseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("s3://%s/%s: %w", d.base.Bucket, key, err)
	}
	return &m, nil
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

// spent is what the runs have cost by their manifests, in USD; what has no price counts nothing, and is said in the plan.
func (d *driver) spent(ctx context.Context) (usd float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, all := range d.made {
		for _, m := range all {
			if r, err := report.Analyze(ctx, report.Run{Manifest: m}); err == nil {
				for _, item := range r.Cost.Items {
					if item.USD != nil {
						usd += *item.USD
					}
				}
			}
		}
	}
	return usd
}

// showPlan shows what is to be done and what it will cost, and asks. More than the budget is refused.
func (d *driver) showPlan(ctx context.Context) error {
	c := d.c
	missing := d.missing()
	d.con.Say("campaign %s (%s): %d variants x %d rounds = %d runs, %d at a time, in an order by the seed %d", c.Name, c.File, len(c.Variants), c.Repeats, len(c.Variants)*c.Repeats, c.Parallel, c.Seed)
	unpriced, nodes, largest := []string{}, 0, *d.inputs[c.Baseline]
	for _, v := range c.Variants {
		in, e := d.inputs[v.Name], d.costs[v.Name]
		cache := "serverless " + in.Cache.Engine
		if in.Cache.Serverless == nil {
			of := max(in.Cache.Shards, 1) * (1 + in.Cache.Replicas)
			nodes = max(nodes, of)
			cache = fmt.Sprintf("%d x %s, %s", of, in.Cache.NodeType, in.Cache.Engine)
		}
		if e.VCPUs > float64(largest.Load.TaskCount*largest.Load.CPU)/1024 {
			largest = *in
		}
		mark := ""
		if v.Name == c.Baseline {
			mark = " (baseline)"
		}
		d.con.Say("  %s%s: %s; %d min of load; a run takes about %d min, %.2f USD", v.Name, mark, cache, in.Minutes, e.Minutes, e.USD)
		if e.Missing != "" && !slices.Contains(unpriced, e.Missing) {
			unpriced = append(unpriced, e.Missing)
		}
	}
	usd, minutes, spent := 0.0, d.minutes(missing), d.spent(ctx)
	for _, cell := range missing {
		usd += d.costs[cell.Variant].USD
	}
	if done := len(c.Variants)*c.Repeats - len(missing); done > 0 {
		d.con.Say("%d of them are done or given up, for %.2f USD by their manifests", done, spent)
	}
	d.con.Say("%d runs to go: about %s, about %.2f USD. Prices: %s", len(missing), page.Duration(time.Duration(minutes)*time.Minute), usd, campaign.Prices())
	if len(unpriced) > 0 {
		d.con.Say("without a price, and not in it: %s", strings.Join(unpriced, "; "))
	}
	side := min(c.Parallel, len(c.Variants))
	d.con.Say("at a time it needs up to %g vCPU of Fargate and %d cache nodes", float64(side*largest.Load.TaskCount*largest.Load.CPU)/1024, nodes*side)
	if c.Budget > 0 && spent+usd > c.Budget {
		return fmt.Errorf("%s: the budget is %.2f USD, and %.2f spent with about %.2f to go are more: fewer repeats, shorter runs, or another budget. Nothing was made", c.File, c.Budget, spent, usd)
	}
	if len(missing) == 0 {
		return nil
	}
	largest.Load.TaskCount *= side
	if err := validate(ctx, d.ws, d.con, &largest, nil); err != nil {
		return fmt.Errorf("%s, with %d runs at a time: %w. Nothing was made", c.File, side, err)
	}
	return d.con.Approve(ctx, d.ws.On("APPROVE"), fmt.Sprintf("Run this campaign in %s?", d.place), "nothing was made")
}

// minutes is about how long cells take, round by round and side by side.
func (d *driver) minutes(cells []campaign.Cell) (sum int) {
	for round := 1; round <= d.c.Repeats; round++ {
		var of []int
		for _, cell := range cells {
			if cell.Round == round {
				of = append(of, d.costs[cell.Variant].Minutes)
			}
		}
		for side := range slices.Chunk(of, d.c.Parallel) {
			sum += slices.Max(side)
		}
	}
	return sum
}

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
		step := d.con.Step("round %d of %d", n+1, d.c.Repeats)
		shown := d.display(step)
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
		step.End()
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("%w; the runs under way end by themselves, and the same command goes on with the campaign", cause)
		}
	}
	return nil
}

// architectures are those of the Lambdas.
func (d *driver) architectures() (all []string) {
	for _, in := range d.inputs {
		all = append(all, in.Architecture)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// display has a step tell what is under way.
func (d *driver) display(step *console.Step) (end func()) {
	done := make(chan struct{})
	go func() {
		for tick := time.NewTicker(time.Second); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
				step.At(-1, "%s", strings.Join(d.underWay(), "; "))
			}
		}
	}()
	return func() { close(done) }
}

func (d *driver) underWay() (lines []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for cell, word := range d.under {
		lines = append(lines, cell+": "+word)
	}
	slices.Sort(lines)
	return lines
}

// carryOut takes a cell to its end, tries it once more when it fails, and says what became of it.
func (d *driver) carryOut(ctx context.Context, cell campaign.Cell) {
	name := key(cell)
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.under, name)
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

// tooDear says why a cell is not started: with it the campaign would cost more than its budget. What is under way counts as it was estimated.
func (d *driver) tooDear(ctx context.Context, cell campaign.Cell) string {
	if d.c.Budget == 0 {
		return ""
	}
	usd := d.spent(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	for name := range d.under { // this one, too
		usd += d.costs[name[:strings.LastIndex(name, "-r")]].USD
	}
	if usd <= d.c.Budget {
		return ""
	}
	return fmt.Sprintf("it is not started: with it the campaign would cost about %.2f USD, and the budget is %.2f", usd, d.c.Budget)
}

// stands tells whether a cell's stack is still there.
func (d *driver) stands(ctx context.Context, cell campaign.Cell) bool {
	there, err := d.stackOf(ctx, cell)
	return err == nil && there.Lambda != ""
}

func (d *driver) stackOf(ctx context.Context, cell campaign.Cell) (*stack.Stack, error) {
	in := *d.inputs[cell.Variant]
	in.Name, in.Prefix = cell.Stack(), cell.Exports(d.base.Prefix)
	return stack.Open(ctx, d.ws, d.base.Region, in.Config())
}

// take is the product as it is: deploy, wait for the end of the run, destroy. Where it stands already, it goes on from there.
func (d *driver) take(ctx context.Context, cell campaign.Cell) (err error) {
	in, quiet, closed, err := d.enter(cell)
	if err != nil {
		return err
	}
	defer closed()
	went, err := d.goOn(ctx, cell, quiet)
	if err == nil && !went && d.result(cell) == nil && d.attempts(cell) < most {
		var there *deployed
		if there, err = deploy(ctx, in, quiet); err == nil {
			_, err = waitRun(ctx, quiet, there)
		}
	}
	if err != nil {
		quiet.Say("failed: %v", err)
	}
	if ctx.Err() != nil {
		return err
	}
	removing := Destroy(ctx, in, quiet)
	if removing == nil {
		removing = d.forget(ctx, in, quiet)
	}
	return errors.Join(err, removing)
}

// goOn waits for the end of a run whose load an earlier command has made: another deploy would change it, or be another run. went tells that there is one.
func (d *driver) goOn(ctx context.Context, cell campaign.Cell, quiet *console.Console) (went bool, err error) {
	there, err := d.stackOf(ctx, cell)
	if err != nil || there.Lambda == "" {
		return false, err
	}
	run, err := there.Run(ctx)
	if err != nil || run == nil {
		return false, err
	}
	stops, err := there.StopsAt(ctx)
	switch now := time.Now(); {
	case err != nil:
		return false, err
	case stops.IsZero() && now.Before(run.StopBy):
		return false, nil // the load is not made yet
	case now.Before(stops):
		quiet.Say("the run %s is under way", run.Run)
		_, err = waitRun(ctx, quiet, &deployed{&subject{inputs: d.inputs[cell.Variant]}, there, run, stops})
		return true, err
	}
	return true, end(ctx, quiet, there, run)
}

// forget removes what Terraform has left of a stack that is gone: its workspace and data. The log stays.
func (d *driver) forget(ctx context.Context, in *workspace.Workspace, quiet *console.Console) error {
	if !workspace.Exists(in.DataDir()) {
		return nil // another command has
	}
	t, err := terraform.Find(in, quiet)
	if err != nil {
		return err
	}
	if err := t.DropWorkspace(ctx); err != nil {
		return err
	}
	return os.RemoveAll(in.DataDir())
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
