package ops

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// A command is dead when its kernel says so, or when it was silent for long; on another host its silence alone tells.
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
	return &driver{c: c, made: map[string][]*export.Manifest{}, failed: map[string]error{}, tries: map[string]int{}, under: map[string]string{},
		costs: map[string]campaign.Estimate{"a": {USD: 1, Minutes: 60}, "b": {USD: 2, Minutes: 90}}}
}

func manifestOf(variant string, round int, tables int) *export.Manifest {
	now := time.Now()
	m := &export.Manifest{Complete: true, LoadStart: &now, Logs: &export.Logs{Results: export.Results{Tables: tables}}}
	m.Settings = []byte(`{"campaign":{"name":"c","variant":"` + variant + `","round":` + string(rune('0'+round)) + `,"seed":9}}`)
	return m
}

// What is missing is read from the manifests: a run without a result counts as an attempt, two are enough.
func TestWhatIsMissing(t *testing.T) {
	d := aCampaign()
	require.Len(t, d.missing(), 4)
	require.Equal(t, 180, d.minutes(d.missing()), "two rounds, side by side")
	d.made["a-r1"] = []*export.Manifest{manifestOf("a", 1, 1)}
	d.made["b-r1"] = []*export.Manifest{manifestOf("b", 1, 0)}
	require.Len(t, d.missing(), 3, "b is tried again")
	d.made["b-r1"] = append(d.made["b-r1"], manifestOf("b", 1, 0))
	require.Len(t, d.missing(), 2, "and given up")
	d.tries["a-r2"] = 1
	d.made["a-r2"] = []*export.Manifest{manifestOf("a", 1, 1)} // of another cell
	require.Len(t, d.missing(), 2)
	d.tries["a-r2"] = 2
	require.Equal(t, []campaign.Cell{{Campaign: "c", Variant: "b", Round: 2, Seed: 1}}, d.missing())
	d.failed["a-r2"] = errors.New("no capacity")
	err := d.unfinished()
	require.ErrorContains(t, err, "a-r2: no capacity")
	require.ErrorContains(t, err, "b-r1: it failed twice, by its manifests")
	require.NotContains(t, err.Error(), "a-r1")
}

// The budget is held by what was spent and what is under way.
func TestWhatIsTooDear(t *testing.T) {
	d := aCampaign()
	require.Empty(t, d.tooDear(t.Context(), campaign.Cell{Variant: "b"}), "no budget")
	d.c.Budget = 3
	d.under["a-r1"], d.under["b-r1"] = "loads", "starts"
	require.Empty(t, d.tooDear(t.Context(), campaign.Cell{Variant: "b", Round: 1}))
	d.under["a-r2"] = "starts"
	require.Contains(t, d.tooDear(t.Context(), campaign.Cell{Variant: "a", Round: 2}), "about 4.00 USD, and the budget is 3.00")
}
