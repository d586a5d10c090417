// Package test proves the whole: journeys of a person's commands on the embedded AWS or in an account, faults in the end of a run, and the rules of this tree.
package test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/elasticache-perf/elasticache-perf/internal/loadgen"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache/node"
	"github.com/elasticache-perf/elasticache-perf/internal/ops"
)

// TestMain also is the programs that an embedded AWS starts, like cmd/localaws. Separate files could be changed or removed by another test process that
// rebuilds them during a journey.
func TestMain(m *testing.M) {
	switch ctx := context.Background(); {
	case filepath.Base(os.Args[0]) == "memtier_benchmark":
		os.Exit(loadgen.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
	case len(os.Args) > 2 && os.Args[1] == "mage": // like the target of that name
		if err := ops.Run(allCommands()[os.Args[2]]); err != nil {
			fmt.Fprintln(os.Stderr, "Error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	case len(os.Args) > 1 && os.Args[1] == "cache-node":
		if err := node.RunNode(ctx, os.Args[2:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// tools returns the program that an embedded AWS starts: this one.
func tools(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
