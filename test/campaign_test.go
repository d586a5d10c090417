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

	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
)

// A campaign of two variants in two rounds, two runs at a time: its command is killed while a round is under way, and the same command goes on with what is
// missing. A second one is refused meanwhile, and nothing is left but the exports.
func TestCampaign(t *testing.T) {
	onlyLocal(t)
	if !long() {
		t.Skip("one of the longer suites: mage test:all")
	}
	t.Parallel()
	w := newWorld(t)
	ws, con, out := w.project(t, map[string]any{"test_duration_minutes": 1, "load": light(nil)})
	file := filepath.Join(ws.Stack, "twice.hcl")
	require.NoError(t, os.WriteFile(file, []byte(`
repeats  = 2
parallel = 2
budget   = 5
common {
  load = { threads = 1, clients = 4, key_maximum = 10000, rate_limit = 250 }
}
variant "few"  {}
variant "more" { load = { clients = 8 } }
`), 0o600))
	ws.Env = append(ws.Env, "CAMPAIGN="+file, "STACK_DIR="+ws.Stack)

	// A budget below the estimate makes nothing.
	poor := filepath.Join(ws.Stack, "poor.hcl")
	require.NoError(t, os.WriteFile(poor, []byte("repeats = 2\nbudget = 0.01\nvariant \"a\" {}\nvariant \"b\" {}\n"), 0o600))
	in := *ws
	in.Env = append(ws.Env[:len(ws.Env):len(ws.Env)], "CAMPAIGN="+poor)
	require.ErrorContains(t, ops.Campaign(t.Context(), &in, con), "Nothing was made")
	// So does a value that Terraform refuses.
	require.NoError(t, os.WriteFile(poor, []byte("repeats = 2\nvariant \"a\" {}\nvariant \"b\" {\n  load = { task_count = -1 }\n}\n"), 0o600))
	err := ops.Campaign(t.Context(), &in, con)
	require.ErrorContains(t, err, "poor.hcl:3,9: variant b:")
	require.ErrorContains(t, err, "task_count")

	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer log.Close()
	first := exec.Command(tools(t), "mage", "campaign")
	first.Dir, first.Env, first.Stdout, first.Stderr = ws.Root, ws.Env, log, log
	require.NoError(t, first.Start())
	ended := make(chan error, 1)
	go func() { ended <- first.Wait() }()
	t.Cleanup(func() {
		_ = first.Process.Kill()
		if t.Failed() {
			t.Log(contents(log.Name()), "\n", out)
			for _, cell := range []string{"few-r1", "few-r2", "more-r1", "more-r2"} {
				said := contents(filepath.Join(ws.Stack, ".campaigns/twice", cell, "log.txt"))
				t.Log(cell, "\n", said[max(0, len(said)-3000):])
			}
		}
	})
	loads := func(cell string) bool {
		return strings.Contains(contents(filepath.Join(ws.Stack, ".campaigns/twice", cell, "log.txt")), "the load runs")
	}
	eventually(t, "both runs of the first round load", func(context.Context) (bool, any, error) {
		select {
		case err := <-ended:
			t.Fatalf("the campaign ended too early: %v\n%s", err, contents(log.Name()))
		default:
		}
		return loads("few-r1") && loads("more-r1"), contents(log.Name()), nil
	})
	require.False(t, loads("few-r2") || loads("more-r2"), "a round is over before the next one starts")
	require.ErrorContains(t, ops.Campaign(t.Context(), ws, con), "is carried out already")
	require.NoError(t, first.Process.Kill())
	<-ended

	require.NoError(t, ops.Campaign(t.Context(), ws, con))
	require.Contains(t, out.String(), "is dead (process")
	text, err := os.ReadFile(filepath.Join(ws.Root, "reports/campaign-twice/campaign.json"))
	require.NoError(t, err)
	var answer report.Campaign
	require.NoError(t, json.Unmarshal(text, &answer))
	require.Len(t, answer.Runs, 4)
	require.Equal(t, "few", answer.Baseline)
	require.Equal(t, []int{2, 2}, []int{answer.Ranking[0].Runs, answer.Ranking[1].Runs})
	rows, err := os.Open(filepath.Join(ws.Root, "reports/campaign-twice/campaign.csv"))
	require.NoError(t, err)
	defer rows.Close()
	table, err := csv.NewReader(rows).ReadAll()
	require.NoError(t, err)
	require.Len(t, table, 5)

	out.Reset()
	require.NoError(t, ops.Campaign(t.Context(), ws, con), "there is nothing to do")
	require.Contains(t, out.String(), "0 runs to go")
	out.Reset()
	require.NoError(t, ops.CampaignStatus(t.Context(), ws, con))
	require.Contains(t, out.String(), "4 of 4 runs have measured")
	out.Reset()
	require.NoError(t, ops.CampaignDestroy(t.Context(), ws, con))
	require.Contains(t, out.String(), "nothing of the campaign twice is left")
	for _, variant := range []string{"few", "more"} {
		for round := 1; round <= 2; round++ {
			one := &stack{world: w, name: fmt.Sprintf("twice-%s-r%d", variant, round)}
			one.nothingLeft(t.Context(), t)
			key := fmt.Sprintf("exports/campaigns/twice/%s-r%d/", variant, round)
			for _, r := range answer.Runs {
				if r.Variant == variant && r.Round == round {
					require.Contains(t, string(one.object(t, key+"manifest/"+r.Run+".json")), `"variant"`)
				}
			}
		}
	}
	require.Empty(t, children(w.dir))
}
