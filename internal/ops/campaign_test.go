package ops

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// A command is dead if its process is gone or its hold is old. On another host only the hold's age counts.
func TestWhoIsDead(t *testing.T) {
	host, err := os.Hostname()
	require.NoError(t, err)
	gone := exec.Command("true")
	require.NoError(t, gone.Run())
	now := time.Now()
	require.False(t, holder{host, os.Getpid(), now}.dead())
	require.True(t, holder{host, gone.Process.Pid, now}.dead())
	require.False(t, holder{"elsewhere", gone.Process.Pid, now}.dead())
	require.True(t, holder{"elsewhere", os.Getpid(), now.Add(-deadAfter - time.Second)}.dead())
	require.True(t, holder{}.dead(), "what cannot be read")
}

func aCampaign() *driver {
	c := &campaign.Campaign{Name: "c", Repeats: 2, Parallel: 2, Seed: 1, Variants: []campaign.Variant{{Name: "a"}, {Name: "b"}}}
	o := &opened{c: c, costs: map[string]campaign.Estimate{"a": {USD: 1, Minutes: 60}, "b": {USD: 2, Minutes: 90}}}
	return &driver{o, newResults(o), newUnderWay()}
}

func manifestOf(variant string, round int, tables int) *export.Manifest {
	now := time.Now()
	m := &export.Manifest{Complete: true, LoadStart: &now, Logs: &export.Logs{Results: export.Results{Tables: tables}}}
	m.Settings = []byte(`{"campaign":{"name":"c","variant":"` + variant + `","round":` + string(rune('0'+round)) + `,"seed":9}}`)
	return m
}

// The missing runs follow from the manifests: a run without a result counts as an attempt, and two attempts are the limit.
func TestWhatIsMissing(t *testing.T) {
	d := aCampaign()
	require.Len(t, d.done.missing(), 4)
	require.Equal(t, 180, (&plan{o: d.o, missing: d.done.missing()}).minutes(), "two rounds, side by side")
	d.done.made["a-r1"] = []*export.Manifest{manifestOf("a", 1, 1)}
	d.done.made["b-r1"] = []*export.Manifest{manifestOf("b", 1, 0)}
	require.Len(t, d.done.missing(), 3, "b is tried again")
	d.done.made["b-r1"] = append(d.done.made["b-r1"], manifestOf("b", 1, 0))
	require.Len(t, d.done.missing(), 2, "and given up")
	d.done.tries["a-r2"] = 1
	d.done.made["a-r2"] = []*export.Manifest{manifestOf("a", 1, 1)} // of another cell
	require.Len(t, d.done.missing(), 2)
	d.done.tries["a-r2"] = 2
	require.Equal(t, []campaign.Cell{{Campaign: "c", Variant: "b", Round: 2, Seed: 1}}, d.done.missing())
	d.done.failed["a-r2"] = errors.New("no capacity")
	err := d.done.unfinished()
	require.ErrorContains(t, err, "a-r2: no capacity")
	require.ErrorContains(t, err, "b-r1: it failed twice, according to its manifests")
	require.NotContains(t, err.Error(), "a-r1")
}

// The budget counts what was spent and what is under way.
func TestWhatIsTooDear(t *testing.T) {
	d := aCampaign()
	require.Empty(t, d.overBudget(t.Context(), campaign.Cell{Variant: "b"}), "no budget")
	d.o.c.Budget = 3
	d.under.words["a-r1"], d.under.words["b-r1"] = "loads", "starts"
	require.Empty(t, d.overBudget(t.Context(), campaign.Cell{Variant: "b", Round: 1}))
	d.under.words["a-r2"] = "starts"
	require.Contains(t, d.overBudget(t.Context(), campaign.Cell{Variant: "a", Round: 2}), "about 4.00 USD, and the budget is 3.00")
}

// A terminal that is too small shows the rows of the runs under way.
func TestRowsThatFit(t *testing.T) {
	d := aCampaign()
	d.o.c.Repeats, d.o.c.Variants = 1, nil
	for v := range 20 {
		d.o.c.Variants = append(d.o.c.Variants, campaign.Variant{Name: fmt.Sprint("v", v)})
	}
	cells := d.o.c.Rounds()[0]
	d.under.words[key(cells[3])], d.under.words[key(cells[19])] = "terraform: planning", "starts"
	all, under := (&table{d.o, d.done, d.under, "", cells}).rows()
	require.Len(t, all, 20)
	require.Len(t, fitting(all[:16], under, 16), 16)
	shown := fitting(all, under, 16)
	require.Equal(t, []string{key(cells[3]), key(cells[19]), ""}, []string{shown[0].Name, shown[1].Name, shown[2].Name})
	require.Equal(t, "and 18 more", shown[2].State)
	require.Equal(t, "waiting", all[0].State)
}

// A log gets a row when a run's state changes, and all rows every half a minute.
func TestRowsOfALog(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	l := &rowLog{every: 30 * time.Second, last: at, states: map[string]string{}}
	a, b := page.Row{Name: "a", State: "terraform: applying · 3 %"}, page.Row{Name: "b", State: "waits"}
	require.Len(t, l.due(at, []page.Row{a, b}), 2)
	a.State = "terraform: applying · 60 %"
	require.Empty(t, l.due(at.Add(10*time.Second), []page.Row{a, b}))
	a.State = "running"
	require.Equal(t, []page.Row{a}, l.due(at.Add(20*time.Second), []page.Row{a, b}))
	require.Len(t, l.due(at.Add(30*time.Second), []page.Row{a, b}), 2)
	require.Empty(t, l.due(at.Add(31*time.Second), []page.Row{a, b}))
}

// A row shows what AWS shows while the load runs, and before and after that what the command does.
func TestWhereARunIs(t *testing.T) {
	d := aCampaign()
	cell := d.o.c.Rounds()[0][0]
	now := time.Now()
	v := &stack.View{Now: now, Deployed: true, Run: &shutdown.Event{Run: "x", StopBy: now.Add(time.Hour)}, Stops: now.Add(time.Minute), Recent: []float64{1, 5}}
	r := row(d.done, cell, v, "running · 20 %")
	require.Equal(t, "running", r.State)
	require.InDelta(t, 60, r.Left.Seconds(), 5)
	require.InDelta(t, 5, *r.OpsPerSecond, 0)
	v.Prefill = &stack.Prefill{Tasks: 2, Share: 0.45}
	require.Equal(t, "prefilling · 45 %", row(d.done, cell, v, "").State)
	v.Stops = now.Add(-time.Second)
	require.Equal(t, "stopping", row(d.done, cell, v, "").State)
	require.Equal(t, "stopping: it is exported", row(d.done, cell, v, "stopping: it is exported").State)
	v.Manifest = &export.Manifest{Complete: true}
	require.Equal(t, "failed, to be removed", row(d.done, cell, v, "").State)
	require.Equal(t, "waiting", row(d.done, cell, nil, "").State)
	d.done.tries[key(cell)] = 1
	require.Equal(t, "failed once, to be tried again", row(d.done, cell, nil, "").State)
	d.done.tries[key(cell)] = 2
	require.Equal(t, "given up: it failed twice", row(d.done, cell, nil, "").State)
	d.done.made[key(cell)] = []*export.Manifest{manifestOf(cell.Variant, cell.Round, 1)}
	require.Equal(t, "measured", row(d.done, cell, nil, "").State)
	require.Equal(t, "measured, to be removed", row(d.done, cell, v, "").State)
	require.Equal(t, "1 of 4 runs measured", d.done.progress())
}
