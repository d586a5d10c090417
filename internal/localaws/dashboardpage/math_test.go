package dashboardpage

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMetricMath(t *testing.T) {
	metrics := []fetched{
		{Metric{id: "a0", Period: time.Minute}, series{0: 60, 60: 120}},
		{Metric{id: "a1", Period: time.Minute}, series{60: 60, 120: 0}},
		{Metric{id: "b0", Period: time.Minute}, series{0: 2, 60: 0}},
	}
	for text, want := range map[string][]series{
		`SUM(METRICS("a"))/PERIOD(a0)`: {{0: 1, 60: 3, 120: 0}},
		`MAX(METRICS("a"))`:            {{0: 60, 60: 120, 120: 0}},
		`AVG(METRICS("a"))`:            {{0: 60, 60: 90, 120: 0}},
		`MIN(METRICS("a"))`:            {{0: 60, 60: 60, 120: 0}},
		`a0*8/1000000000/PERIOD(a0)`:   {{0: 8e-9, 60: 16e-9}},
		`METRICS("a")/10`:              {{0: 6, 60: 12}, {60: 6, 120: 0}},
		`a0+a1`:                        {{60: 180}},
		`a0/b0`:                        {{0: 30}},
		`SUM([a0*b0,a1])`:              {{0: 120, 60: 60, 120: 0}},
		`100-(b0*2)`:                   {{0: 96, 60: 100}},
	} {
		got, err := calculate(text, metrics)
		require.NoError(t, err, text)
		require.Len(t, got, len(want), text)
		for i, s := range want {
			require.Len(t, got[i], len(s), text)
			for at, v := range s {
				require.InDelta(t, v, got[i][at], 1e-12, text)
			}
		}
	}
	for text, want := range map[string]string{
		`SUM(METRICS("a")`: "is not understood here", `RATE(a0)`: "the function RATE", `c0*2`: "no metric of the id c0", `SUM(a0)`: "SUM of other than several series",
		`PERIOD(a0)`: "is a number", `a0 % 2`: "the operator %", `SUM([a0,2])`: "a list of other than time series", `METRICS()+METRICS()`: "several series with several", `METRICS(a0)`: "in quotes", `PERIOD(1)`: "no id",
	} {
		_, err := calculate(text, metrics)
		require.ErrorContains(t, err, want, text)
	}
}
