package report

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/report/synthetic"
)

// A primary and its replica swap roles in minute 10: writes and keys are counted once throughout, reads on both.
func TestReplicasRepeatWrites(t *testing.T) {
	perMinute := func(v float64) func(int, int) float64 { return func(int, int) float64 { return v } }
	c := synthetic.Plain()
	c.Metrics = map[string]func(int, int) float64{
		"ProcessedCommands": func(node, minute int) float64 { return 60 * (300 + 100*float64(node)) }, // 300 writes, and 100 reads of the second
		"SetTypeCmds":       perMinute(60 * 300), "GetTypeCmds": func(node, _ int) float64 { return 60 * 100 * float64(node) },
		"CurrItems": perMinute(1000), "Evictions": perMinute(60 * 5),
		"IsMaster": func(node, minute int) float64 {
			return map[bool]float64{true: 1, false: 0}[(node == 0) == (minute < 10)]
		},
	}
	r := analyzed(t, c)
	w := *r.Phases.Load
	for name, s := range map[string]struct {
		of   *Series
		want float64
	}{"commands": {r.Server.Commands, 400}, "keys": {r.Server.Items, 1000}, "evictions": {r.Memory.Evictions, 5}} {
		values := s.of.grid().values(w)
		require.NotEmpty(t, values, name)
		for _, v := range values {
			require.InDelta(t, s.want, v, 1e-6, name)
		}
	}
}
