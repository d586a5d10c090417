package ops

import (
	"bytes"
	"net/url"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

func TestContainerInsightsThatCameBack(t *testing.T) {
	for name, c := range map[string]struct {
		group, state, cluster string
		removed               bool
	}{
		"came back":               {group: "/aws/ecs/containerinsights/n/performance", cluster: "INACTIVE", removed: true},
		"came back, no cluster":   {group: "/aws/ecs/containerinsights/n/performance", removed: true},
		"Terraform's":             {group: "/aws/ecs/containerinsights/n/performance", state: terraform.InsightsAddress},
		"deployed by a colleague": {group: "/aws/ecs/containerinsights/n/performance", cluster: "ACTIVE"},
		"of another name":         {group: "/aws/ecs/containerinsights/n/performance2"},
		"none":                    {},
	} {
		t.Run(name, func(t *testing.T) {
			var calls []string
			_, con, s := stackOf(t, func(what string, _ url.Values) (int, map[string]string, string) {
				calls = append(calls, what)
				switch {
				case what == "DescribeLogGroups" && c.group != "":
					return 200, nil, `{"logGroups":[{"logGroupName":"` + c.group + `"}]}`
				case what == "DescribeClusters" && c.cluster != "":
					return 200, nil, `{"clusters":[{"status":"` + c.cluster + `"}]}`
				}
				return 200, nil, `{}`
			})
			cli := &terraform.CLI{Bin: filepath.Join(fake(t, "terraform", "printf '"+c.state+"'"), "terraform"), Dir: t.TempDir(), Out: con.Out}
			require.NoError(t, lateInsights(t.Context(), con, cli, s, &consent{con: con, given: true}))
			require.Equal(t, c.removed, slices.Contains(calls, "DeleteLogGroup"), "%v", calls)
			require.Equal(t, c.removed, con.Out.(*bytes.Buffer).Len() > 0)
		})
	}
}
