package ops

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// The commands that tests start as processes. TEST_PATH, TEST_ADD_ONS and TEST_OFFLINE are the world they find.
var commands = map[string]Command{
	"build": Build, "validate": Validate, "deploy": Deploy, "destroy": Destroy, "status": Status, "export": Export, "stop": Stop, "clean": Clean,
	"local:run": LocalRun,
}

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ops": func() {
		if path, ok := os.LookupEnv("TEST_PATH"); ok {
			_ = os.Setenv("PATH", path)
		}
		if dir := os.Getenv("TEST_ADD_ONS"); dir != "" {
			addOns = dir
		}
		if os.Getenv("TEST_OFFLINE") != "" {
			registryAnswers = func(context.Context, string) bool { return false }
		}
		if err := Run(commands[os.Args[1]]); err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			os.Exit(1)
		}
	}})
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}
