package dev

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// A deploy reads what a build has left, until it has ended.
func TestCleanWaitsForADeploy(t *testing.T) {
	ws, con := &workspace.Workspace{Root: t.TempDir()}, &console.Console{Out: io.Discard}
	ws.Stack = ws.Root
	built := filepath.Join(ws.Root, "build", "lambda-arm64.zip")
	require.NoError(t, os.MkdirAll(filepath.Dir(built), 0o755))
	require.NoError(t, os.WriteFile(built, nil, 0o644))
	unlock, err := terraform.Lock(ws)
	require.NoError(t, err)
	require.ErrorContains(t, Clean(t.Context(), ws, con), "another deploy or destroy is under way here (process ")
	require.FileExists(t, built)
	unlock()
	require.NoError(t, Clean(t.Context(), ws, con))
	require.NoFileExists(t, built)
}

func TestCleanLeavesTheStack(t *testing.T) {
	ws, con := &workspace.Workspace{Root: t.TempDir()}, &console.Console{Out: io.Discard}
	require.NoError(t, os.MkdirAll(filepath.Join(ws.Root, "build"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(ws.Root, "dist"), 0o755))
	for _, file := range []string{"modules/m/m.tf", "terraform.tfvars"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(ws.Root, file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(ws.Root, file), nil, 0o644))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(ws.Root, ".terraform"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(ws.Root, "modules/m/.terraform/modules"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(ws.Root, ".localaws/s3/exports"), 0o755))
	require.NoError(t, Clean(t.Context(), ws, con))
	for _, gone := range []string{"build", "dist", ".localaws", "modules/m/.terraform"} {
		require.NoDirExists(t, filepath.Join(ws.Root, gone))
	}
	for _, kept := range []string{".terraform", "modules/m/m.tf", "terraform.tfvars"} {
		require.True(t, workspace.Exists(filepath.Join(ws.Root, kept)), kept)
	}
}

// What local runs exported is removed after a yes alone.
func TestCleanAsksBeforeItRemovesExports(t *testing.T) {
	ws, con := &workspace.Workspace{Root: t.TempDir()}, &console.Console{Out: io.Discard}
	manifest := filepath.Join(ws.Root, ".localaws/s3/exports/exports/manifest/2026-11-23T03-08-09Z.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(manifest), 0o755))
	require.NoError(t, os.WriteFile(manifest, []byte("{}"), 0o644))
	require.ErrorContains(t, Clean(t.Context(), ws, con), "APPROVE=1")
	require.FileExists(t, manifest)
	ws.Env = []string{"APPROVE=1"}
	require.NoError(t, Clean(t.Context(), ws, con))
	require.NoFileExists(t, manifest)
}
