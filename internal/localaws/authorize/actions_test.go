package authorize_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/s3"
)

// docs/adr/0011-actions-that-something-needs.md has the rule.
func TestEveryActionIsNeeded(t *testing.T) {
	var served []string
	for service, actions := range start(t).registry.Inputs() {
		for action := range actions {
			served = append(served, service+"."+action)
		}
	}
	for _, action := range s3.Actions() {
		served = append(served, "s3."+action)
	}
	list, err := os.ReadFile("../actions.txt")
	require.NoError(t, err)
	var needed []string
	for line := range strings.Lines(string(list)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		head, actions, _ := strings.Cut(line, ":")
		service, why, _ := strings.Cut(head, " ")
		require.Contains(t, []string{"product", "provider", "backend", "documents", "cli", "test"}, why, line)
		for _, action := range strings.Fields(actions) {
			needed = append(needed, service+"."+action)
		}
	}
	slices.Sort(served)
	slices.Sort(needed)
	require.Equal(t, needed, served, "actions.txt says why each action is served")
}
