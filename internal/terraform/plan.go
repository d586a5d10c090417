package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Lock keeps two commands that change the stack from using this data directory at once: a yes to one's plan is not a yes to the other's. Commands in
// other folders with the same state are kept out by Terraform's own lock, while Terraform runs.
func Lock(ws *workspace.Workspace) (unlock func(), err error) {
	if err := os.MkdirAll(ws.DataDir(), 0o700); err != nil {
		return nil, fmt.Errorf("Terraform's data directory (TF_DATA_DIR, or .terraform beside the stack): %w", err)
	}
	unlock, err = proc.Lock(filepath.Join(ws.DataDir(), "elasticache-perf.lock"))
	var held *proc.HeldError
	if errors.As(err, &held) {
		return nil, fmt.Errorf("another deploy or destroy is under way here%s, and nothing was changed: wait for it, or end it (Ctrl-C in its terminal)", held.By)
	}
	return unlock, err
}

// roomOfState is what a local state and its backup take in bytes, with room to spare.
const roomOfState = 5_000_000

// room refuses a folder whose disk has no room for the state: Terraform writes it over the one before when all is made, and would lose both.
func room(dir string, bytes uint64) error {
	if free := workspace.Free(dir); free < bytes {
		return fmt.Errorf("the disk of %s has %d kB left, and Terraform writes the state there at the end: free %d kB; nothing was changed", dir, free/1000, bytes/1000)
	}
	return nil
}

// PlanFile is where this command's plan goes: it holds the auth token, so the folder is for its owner alone. Plans that a killed command left are
// removed; the lock is ours.
func PlanFile(ws *workspace.Workspace) (file string, remove func(), err error) {
	if err := room(ws.Stack, roomOfState); err != nil {
		return "", nil, err
	}
	old, err := workspace.Glob(ws.DataDir(), "plan-*")
	if err != nil {
		return "", nil, err
	}
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			return "", nil, err
		}
	}
	dir, err := os.MkdirTemp(ws.DataDir(), "plan-") // of mode 0700
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(dir, "plan"), func() { _ = os.RemoveAll(dir) }, nil
}
