package ops

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/elasticache-perf/elasticache-perf/internal/waittest"
)

// The commands that tests start as processes. TEST_PATH, TEST_ADD_ONS and TEST_OFFLINE are the world they find.
var commands = map[string]Command{
	"build": Build, "validate": Validate, "deploy": Deploy, "destroy": Destroy, "status": Status, "export": Export, "stop": Stop, "clean": Clean,
	"local:run": LocalRun,
}

func TestMain(m *testing.M) {
	if role := os.Getenv("TEST_ROLE"); role != "" {
		os.Exit(play(role))
	}
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

// play is what a copy of this binary does as part of a process tree; see TestEndOfTheProcessAbove.
func play(role string) int {
	dir := os.Getenv("TEST_DIR")
	pid := []byte(strconv.Itoa(os.Getpid()))
	switch role {
	case "go", "mage": // starts the next one and waits, as they do
		next := map[string]string{"go": "mage", "mage": "target"}[role]
		c := exec.Command(filepath.Join(dir, next))
		c.Env = append(os.Environ(), "TEST_ROLE="+next)
		if replaceFile(filepath.Join(dir, role+".pid"), pid, 0o644) != nil || c.Run() != nil {
			return 1
		}
	case "target": // a command with a child that ends on SIGINT only
		said, err := os.Create(filepath.Join(dir, "target.said"))
		if err != nil {
			return 1
		}
		ctx, stop := interruptible(said)
		defer stop()
		c := exec.CommandContext(ctx, filepath.Join(dir, "child"))
		c.Env = append(os.Environ(), "TEST_ROLE=child")
		_ = runChild(c, 0)
		_ = replaceFile(filepath.Join(dir, "target.end"), []byte(fmt.Sprint(context.Cause(ctx))), 0o644)
	case "child":
		count := 0
		signals := notify()
		_ = replaceFile(filepath.Join(dir, "child.pid"), pid, 0o644)
		for limit := time.After(waittest.Patience); ; {
			select {
			case <-limit:
				return 1
			case <-signals:
				count++
				_ = os.WriteFile(filepath.Join(dir, "child.interrupted"), nil, 0o644)
			case <-ending(count):
				if exists(filepath.Join(dir, "child.stay")) {
					continue
				}
				_ = os.WriteFile(filepath.Join(dir, "child.end"), []byte(strconv.Itoa(count)), 0o644)
				return 0
			}
		}
	}
	return 0
}
