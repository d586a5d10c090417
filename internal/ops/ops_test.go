package ops

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// The commands that tests start as processes. TEST_PATH, TEST_ADD_ONS and TEST_OFFLINE set what they find on the machine.
var commands = map[string]Command{
	"validate": Validate, "deploy": Deploy, "destroy": Destroy, "status": Status, "export": Export, "stop": Stop,
	"local:run": LocalRun,
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ops": func() {
		if path, ok := os.LookupEnv("TEST_PATH"); ok {
			_ = os.Setenv("PATH", path)
		}
		if dir := os.Getenv("TEST_ADD_ONS"); dir != "" {
			terraform.AddOns = dir
		}
		if os.Getenv("TEST_OFFLINE") != "" {
			terraform.RegistryAnswers = func(context.Context, string) bool { return false }
		}
		if err := Run(commands[os.Args[1]]); err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			os.Exit(1)
		}
	}})
}

// The reason why a command was ended comes first, and only once.
func TestCauseComesFirst(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	other := errors.New("something is left")
	require.Equal(t, other, causeFirst(ctx, other))
	cancel(proc.ErrInterrupted)
	for want, err := range map[string]error{
		"interrupted":                    fmt.Errorf("operation error STS: GetCallerIdentity, %w", context.Canceled),
		"interrupted: something is left": other,
		"terraform apply: interrupted":   fmt.Errorf("terraform apply: %w", proc.ErrInterrupted),
	} {
		require.EqualError(t, causeFirst(ctx, err), want)
	}
	require.NoError(t, causeFirst(ctx, nil))
}

// An error can quote AWS or a file. It cannot control the terminal, is still the same error, and loses Terraform's colours.
func TestErrorsSteerNoTerminal(t *testing.T) {
	was := fmt.Errorf("stopped: \x1b[2J%w", proc.ErrInterrupted)
	require.EqualError(t, shown(was), `stopped: \x1b[2Jinterrupted`)
	require.ErrorIs(t, shown(was), proc.ErrInterrupted)
	require.EqualError(t, shown(errors.New("\x1b[31mError: \x1b[0mno")), "Error: no")
	require.NoError(t, shown(nil))
}

// fake puts an executable shell script into a directory for PATH.
func fake(t *testing.T, name, script string) (path string) {
	path = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, name), []byte("#!/bin/sh\n"+script), 0o755))
	return path
}
