package ops

import (
	"bytes"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// campaign:destroy removes a state lock that a dead command of the campaign left, and goes on.
func TestADeadLockIsNotInTheWayOfADestroy(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	who, err := user.Current()
	require.NoError(t, err)
	host, err := os.Hostname()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(filepath.Join(root, "variables.tf"), filepath.Join(dir, "variables.tf")))
	lock := filepath.Join(dir, "lock")
	require.NoError(t, os.WriteFile(lock, fmt.Appendf(nil, // no Terraform has been running since 2001
		"Error: Error acquiring the state lock\nLock Info:\n  ID:        0f-1\n  Operation: OperationTypeApply\n  Who:       %s@%s\n  Created:   2001-01-01 00:00:00 +0000 UTC\n", who.Username, host), 0o600))
	script := `case "$*" in *" force-unlock "*" 0f-1") rm ` + lock + ` ;; *) test -e ` + lock + ` && cat ` + lock + ` >&2 || echo "it is free" >&2; exit 1 ;; esac`
	var said bytes.Buffer
	d := aCampaign()
	d.o.c.Variants[0].Inputs = map[string]cty.Value{}
	d.o.con, d.o.base = &console.Console{Out: &said}, &terraform.Inputs{Prefix: "exports"}
	d.o.ws = &workspace.Workspace{Root: root, Stack: dir, Env: []string{"TERRAFORM=" + filepath.Join(fake(t, "terraform", script), "terraform"), "PATH=" + os.Getenv("PATH")}}
	err = d.o.removeAll(t.Context(), []campaign.Cell{{Campaign: "c", Variant: "a", Round: 1}})
	require.ErrorContains(t, err, "the campaign c is not completely removed:\n  - c-a-r1: ")
	require.ErrorContains(t, err, "it is free", "what came after the lock")
	require.Contains(t, said.String(), "a-r1: a command that died ("+who.Username+"@"+host+" holds it for apply since 2001-01-01T00:00:00Z) left the lock of its state; it is removed")
	require.NoFileExists(t, lock)
}
