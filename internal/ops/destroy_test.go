package ops

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// FORCE=1 removes from the state those of Terraform's questions that are there.
func TestDestroyWithoutTheExports(t *testing.T) {
	for name, c := range map[string]struct{ state, forgets string }{
		"all made":      {state: `module.load.aws_ecs_cluster.this\n` + terraform.DestroyAddress + `\n` + terraform.DestroyedAddress + `\n`, forgets: terraform.DestroyAddress + " " + terraform.DestroyedAddress},
		"half an apply": {state: terraform.DestroyedAddress + `\n`, forgets: terraform.DestroyedAddress},
		"nothing":       {state: `module.load.aws_ecs_cluster.this\n`},
	} {
		t.Run(name, func(t *testing.T) {
			said := filepath.Join(t.TempDir(), "said")
			script := `case "$*" in *"state list") printf '` + c.state + `' ;; *) echo "$*" >> ` + said + ` ;; esac`
			cli := &terraform.CLI{Bin: filepath.Join(fake(t, "terraform", script), "terraform"), Dir: "stack", Out: &bytes.Buffer{}}
			require.NoError(t, forgetQuestions(t.Context(), cli))
			text, _ := os.ReadFile(said)
			if c.forgets == "" {
				require.Empty(t, string(text))
				return
			}
			require.Equal(t, "-chdir=stack state rm -lock-timeout=60s "+c.forgets, strings.TrimSpace(string(text)))
		})
	}
}

// After a failed or interrupted destroy, the state says what is left.
func TestWhatRemainsIsLookedAt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for script, says := range map[string]string{
		"printf 'a.b\\nc.d\\n'":              "still in the state: 2 resources. Run `go tool mage destroy` again",
		"":                                   "nothing is left in the state",
		"echo 'state is locked' >&2; exit 1": "cannot tell what is left, because the state cannot be read",
	} {
		cli := &terraform.CLI{Bin: filepath.Join(fake(t, "terraform", script), "terraform"), Dir: t.TempDir(), Out: io.Discard}
		require.Contains(t, remains(ctx, cli), says)
	}
}
