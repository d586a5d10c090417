package test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/sweep"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// A campaign of two variants in one round, in parallel: its command is killed while both loads run, and the same command continues the campaign. While
// the first command runs, a second one is refused. In the end only the exports are left.
func TestCampaign(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	c := newCampaign(t, "once", `
repeats  = 1
parallel = 2
budget   = 5
common {
  load = { threads = 1, clients = 4, key_maximum = 10000, rate_limit = 250 }
}
variant "few"  {}
variant "more" { load = { clients = 8 } }
`)
	// A budget below the estimate creates nothing.
	badFile := filepath.Join(c.ws.Stack, "poor.hcl")
	require.NoError(t, os.WriteFile(badFile, []byte("repeats = 2\nbudget = 0.01\nvariant \"a\" {}\nvariant \"b\" {}\n"), 0o600))
	in := *c.ws
	in.Env = append(c.ws.Env[:len(c.ws.Env):len(c.ws.Env)], "CAMPAIGN="+badFile)
	require.ErrorContains(t, ops.Campaign(t.Context(), &in, c.con), "Nothing was created")
	// Nor does a value that Terraform rejects.
	require.NoError(t, os.WriteFile(badFile, []byte("repeats = 2\nvariant \"a\" {}\nvariant \"b\" {\n  load = { task_count = -1 }\n}\n"), 0o600))
	err := ops.Campaign(t.Context(), &in, c.con)
	require.ErrorContains(t, err, "poor.hcl:3,9: variant b:")
	require.ErrorContains(t, err, "task_count")

	c.killDuring(t, 1, 2, "few-r1", "more-r1")
	require.NoError(t, ops.Campaign(t.Context(), c.ws, c.con))
	require.Contains(t, c.out.String(), "died (process")
	require.Contains(t, c.out.String(), "few-r1 is measured and removed")
	c.assertAnswer(t, map[string]int{"few": 1, "more": 1})
}

// Three variants in three rounds, two in parallel, and a fourth whose cache is too small for its keys: that one fails and says why, and the others
// continue. The command is killed in the second round, and the same command continues the campaign.
func TestCampaignContinues(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	c := newCampaign(t, "thrice", `
repeats  = 3
parallel = 2
common {
  load = { threads = 1, clients = 4, key_maximum = 10000, rate_limit = 250 }
}
variant "one"   {}
variant "two"   { load = { clients = 8 } }
variant "three" { load = { clients = 12 } }
variant "small" {
  cache = { node_type = "cache.t4g.micro", parameters = { reserved-memory-percent = "95" } }
  load  = { data_size = 10000, prefill = { minutes = 1 } }
}
`)
	c.killDuring(t, 2, 1, "one-r2", "two-r2", "three-r2")
	err := ops.Campaign(t.Context(), c.ws, c.con)
	for round := 1; round <= 3; round++ {
		require.ErrorContains(t, err, fmt.Sprintf("small-r%d: ", round))
	}
	for _, other := range []string{"one", "two", "three"} {
		require.NotContains(t, err.Error(), other+"-r")
	}
	require.Contains(t, c.out.String()+contents(c.log), "keys were gone when they were read back")
	require.Contains(t, c.out.String(), "small-r3 is given up after 2 attempts, and the campaign continues without it")
	c.assertAnswer(t, map[string]int{"one": 3, "two": 3, "three": 3, "small": 0})
}

// The file is changed after the command was killed: a run whose variant is no longer in the file is named and removed, and a run with other settings
// does not count for its variant.
func TestCampaignWhoseFileChanges(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	const file = `
repeats  = 1
parallel = 2
common {
  load = { threads = 1, clients = 4, key_maximum = 10000, rate_limit = 250 }
}
variant "few"  {}
variant "more" { load = { clients = 8 } }
`
	c := newCampaign(t, "edited", file)
	c.ws.Env = append(c.ws.Env, "FORCE=0") // the runs must be exported
	c.killDuring(t, 1, 2, "few-r1", "more-r1")
	hcl := filepath.Join(c.ws.Stack, c.name+".hcl")
	edit := func(old, new string) {
		t.Helper()
		require.NoError(t, os.WriteFile(hcl, []byte(strings.Replace(file, old, new, 1)), 0o600))
		c.out.Reset()
	}
	edit(`"more"`, `"many"`)
	require.NoError(t, ops.CampaignStatus(t.Context(), c.ws, c.con))
	require.Contains(t, c.out.String(), "edited-more-r1 is no longer in the file, but still in AWS")
	runAdvice(t, c.ws, c.con, c.out.String(), "is no longer in the file, but still in AWS: `CAMPAIGN=%s go tool mage campaign:destroy`")
	require.Contains(t, c.out.String(), "the stacks of the campaign edited are removed")
	c.out.Reset()
	require.NoError(t, ops.Sweep(t.Context(), c.ws, c.con))
	if !strings.Contains(c.out.String(), "there is no stack in ") {
		found, err := sweep.Find(t.Context(), c.ws, c.environment.Config)
		for _, f := range found {
			t.Errorf("%s is left: %s (%v)", f.Name, f.Parts(), err)
		}
		t.Fatal(c.out.String())
	}

	edit("key_maximum = 10000", "key_maximum = 20000")
	for _, command := range []ops.Command{ops.Campaign, ops.CampaignStatus, ops.CampaignReport} {
		err := command(t.Context(), c.ws, c.con)
		require.ErrorContains(t, err, "these runs of the campaign edited had different settings from those in its file now: few-r1 (run ")
		require.ErrorContains(t, err, ", more-r1 (run ")
	}
	edit("", "")
	require.NoError(t, ops.CampaignStatus(t.Context(), c.ws, c.con))
	require.Contains(t, c.out.String(), "2 of 2 runs measured")
}

// campaignRun is a campaign in a test environment.
type campaignRun struct {
	name, log   string
	environment *environment
	ws          *workspace.Workspace
	con         *console.Console
	out         *strings.Builder
}

func newCampaign(t *testing.T, name, file string) *campaignRun {
	t.Helper()
	c := &campaignRun{name: name, environment: newEnvironment(t), log: filepath.Join(t.TempDir(), "log")}
	c.ws, c.con, c.out = c.environment.project(t, map[string]any{"test_duration_minutes": 1, "load": light(nil)})
	hcl := filepath.Join(c.ws.Stack, name+".hcl")
	require.NoError(t, os.WriteFile(hcl, []byte(file), 0o600))
	c.ws.Env = append(c.ws.Env, "CAMPAIGN="+hcl, "STACK_DIR="+c.ws.Stack)
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		t.Log(contents(c.log), "\n", c.out)
		logs, _ := workspace.Glob(filepath.Join(c.ws.Stack, ".campaigns", name), "*/log.txt")
		for _, log := range logs {
			said := contents(log)
			t.Log(log, "\n", said[max(0, len(said)-3000):])
		}
	})
	return c
}

// killDuring starts the campaign's command, and kills it once the loads of enough cells of a round are running. Before that, a second command is refused.
func (c *campaignRun) killDuring(t *testing.T, round, load int, cells ...string) {
	t.Helper()
	log, err := os.Create(c.log)
	require.NoError(t, err)
	defer log.Close()
	first := exec.Command(tools(t), "mage", "campaign")
	first.Dir, first.Env, first.Stdout, first.Stderr = c.ws.Root, c.ws.Env, log, log
	require.NoError(t, first.Start())
	ended := make(chan error, 1)
	go func() { ended <- first.Wait() }()
	t.Cleanup(func() { _ = first.Process.Kill() })
	ran := func() {
		select {
		case err := <-ended:
			t.Fatalf("the campaign ended too early: %v\n%s", err, contents(c.log))
		default:
		}
	}
	want := fmt.Sprintf("round %d of ", round)
	for seen := ""; !strings.Contains(seen, want); seen = contents(c.log) { // rounds take as long as their runs: a campaign hangs if it prints nothing more
		eventually(t, want, func(context.Context) (bool, any, error) {
			ran()
			return contents(c.log) != seen, seen, nil
		})
	}
	eventually(t, fmt.Sprintf("%d of %v load", load, cells), func(context.Context) (bool, any, error) {
		ran()
		n := 0
		for _, cell := range cells {
			if said := contents(filepath.Join(c.ws.Stack, ".campaigns", c.name, cell, "log.txt")); strings.Contains(said, "the load runs") && !strings.Contains(said, "stopped and exported") {
				n++
			}
		}
		return n >= load, contents(c.log), nil
	})
	require.ErrorContains(t, ops.Campaign(t.Context(), c.ws, c.con), "is already running")
	require.NoError(t, first.Process.Kill())
	<-ended
}

// assertAnswer checks the campaign's answer, the number of runs of each variant, that no run is left to do, and that only exports are left.
func (c *campaignRun) assertAnswer(t *testing.T, runs map[string]int) {
	t.Helper()
	dir := filepath.Join(c.ws.Root, "reports/campaign-"+c.name)
	text, err := os.ReadFile(filepath.Join(dir, "campaign.json"))
	require.NoError(t, err)
	var answer report.Campaign
	require.NoError(t, json.Unmarshal(text, &answer))
	all, rounds := 0, 1
	for _, n := range runs {
		all, rounds = all+n, max(rounds, n)
	}
	require.Len(t, answer.Runs, all)
	for _, r := range answer.Ranking {
		require.Equal(t, runs[r.Variant], r.Runs, r.Variant)
	}
	rows, err := os.Open(filepath.Join(dir, "campaign.csv"))
	require.NoError(t, err)
	defer rows.Close()
	table, err := csv.NewReader(rows).ReadAll()
	require.NoError(t, err)
	require.Len(t, table, all+1)

	page := contents(filepath.Join(dir, "campaign.html"))
	for _, r := range answer.Runs { // the page links to each run's own report
		own := fmt.Sprintf("%s-r%d/report.html", r.Variant, r.Round)
		require.Contains(t, page, `href="`+own+`"`)
		require.Contains(t, contents(filepath.Join(dir, own)), r.Run)
	}

	if all == rounds*len(runs) { // otherwise the failed runs would be repeated
		c.out.Reset()
		require.NoError(t, ops.Campaign(t.Context(), c.ws, c.con))
		require.Contains(t, c.out.String(), "0 runs to go")
	}
	c.out.Reset()
	require.NoError(t, ops.CampaignStatus(t.Context(), c.ws, c.con))
	require.Contains(t, c.out.String(), fmt.Sprintf("%d of %d runs measured", all, rounds*len(runs)))
	c.out.Reset()
	require.NoError(t, ops.CampaignDestroy(t.Context(), c.ws, c.con))
	require.Contains(t, c.out.String(), "nothing of the campaign "+c.name+" is left")
	for variant := range runs {
		for round := 1; round <= rounds; round++ {
			one := &stack{environment: c.environment, name: fmt.Sprintf("%s-%s-r%d", c.name, variant, round)}
			one.nothingLeft(t.Context(), t)
		}
	}
	for _, r := range answer.Runs {
		key := fmt.Sprintf("exports/campaigns/%s/%s-r%d/manifest/%s.json", c.name, r.Variant, r.Round, r.Run)
		require.Contains(t, string((&stack{environment: c.environment, name: c.name}).object(t, key)), `"variant"`)
	}
	require.Empty(t, children(c.environment.dir))
}
