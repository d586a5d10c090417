package reference

import (
	"encoding/csv"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The modules have their own copies of the columns of node_types.csv that they need, because a root only gets a module's folder. The embedded AWS has a
// copy of all columns, because it imports nothing from the Lambda.
func TestCopiesHaveTheSameNodeTypes(t *testing.T) {
	all := rows(typesText)
	for file, columns := range map[string][]int{
		"modules/cache/node-memory.csv": {0, 2}, "modules/dashboard/node-network.csv": {0, 3, 4}, "internal/localaws/elasticache/node_types.csv": {0, 1, 2, 3, 4},
	} {
		text, err := os.ReadFile("../../" + file)
		require.NoError(t, err)
		have, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
		require.NoError(t, err, file)
		header, _ := csv.NewReader(strings.NewReader(typesText[strings.Index(typesText, "node_type,"):])).Read()
		want := [][]string{}
		for _, row := range slices.Concat([][]string{header}, all) {
			var picked []string
			for _, c := range columns {
				picked = append(picked, row[c])
			}
			want = append(want, picked)
		}
		byName := func(a, b []string) int { return strings.Compare(a[0], b[0]) }
		slices.SortFunc(want, byName)
		slices.SortFunc(have, byName)
		require.Equal(t, want, have, "%s differs from lambda/reference/node_types.csv", file)
	}
}
