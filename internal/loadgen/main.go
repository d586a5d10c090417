package loadgen

import (
	"bytes"
	"context"
	crypto "crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/signal"
)

// version is what --version prints first. It starts as memtier's does, which
// tools look for, and says what it is.
const version = "memtier_benchmark 2.3.1-compatible generator of elasticache-perf (Go)"

// Main is memtier_benchmark's main: it loads a server as args (without the
// program's name) say, and returns the exit code. 0: operations were made, also
// when SIGINT or the end of ctx cut the run short; 1: not one operation
// succeeded, or the run could not begin; 2: args are wrong.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, err := parse(args)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "%v\nTry 'memtier_benchmark --help'.\n", err)
		return 2
	case cfg.help:
		usage(stdout)
		return 0
	case cfg.version:
		fmt.Fprintln(stdout, version)
		return 0
	}
	ctx, restore := signal.NotifyContext(ctx, os.Interrupt)
	defer restore()
	return cfg.run(ctx, stdout, stderr)
}

// run gives the exit code.
func (c *config) run(ctx context.Context, stdout, stderr io.Writer) int {
	if err := c.benchmark(ctx, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// benchmark runs, then writes table, JSON and histogram files.
func (c *config) benchmark(ctx context.Context, stdout, stderr io.Writer) error {
	dialer, err := newDialer(c)
	if err != nil {
		return fmt.Errorf("Error: %w", err)
	}
	var json *os.File
	if c.jsonFile != "" {
		if json, err = os.Create(c.jsonFile); err != nil {
			return err
		}
		defer json.Close()
		fmt.Fprintf(stderr, "Json file %s created...\n", c.jsonFile)
	}
	out := stdout
	if c.outFile != "" {
		fmt.Fprintf(stderr, "Writing results to %s...\n", c.outFile)
		f, err := os.Create(c.outFile)
		if err != nil {
			return err
		}
		defer f.Close()
		out = f
	} else {
		fmt.Fprintln(stderr, "Writing results to stdout")
	}
	if c.allKeys {
		fmt.Fprintf(stdout, "setting requests to %d\n", c.requests)
	}
	seed := uint64(0)
	if c.randomize {
		var b [8]byte
		crypto.Read(b[:])
		seed = binary.NativeEndian.Uint64(b[:])
	}
	r := &run{cfg: c, dialer: dialer, stats: newRecorder(c), seed: seed, values: valueBytes(c, seed),
		errors: &errorLog{out: stderr, seen: map[string]int{}, held: map[string]int{}}}
	if err := r.benchmark(ctx, stderr); err != nil {
		return err
	}
	results := summarize(r)
	var table bytes.Buffer
	results.table(&table)
	if _, err := out.Write(table.Bytes()); err != nil {
		return err
	}
	if json != nil {
		fmt.Fprintf(stderr, "Saving JSON output file: %s\n", c.jsonFile)
		if err := results.json(json); err != nil {
			return err
		}
	}
	if err := results.histograms(stderr); err != nil {
		return err
	}
	if err := results.clientFiles(stderr); err != nil {
		return err
	}
	if results.rows[totals].ops == 0 {
		return fmt.Errorf("error: not one operation succeeded on %s:%d", c.server, c.port)
	}
	return nil
}

func usage(w io.Writer) {
	fmt.Fprintf(w, "Usage: memtier_benchmark [options]\n%s.\nOptions, with memtier_benchmark's meanings:\n", version)
	for _, o := range options {
		short, value := "   ", ""
		if o.short != 0 {
			short = "-" + string(o.short) + ","
		}
		if o.value {
			value = "=VALUE"
		}
		fmt.Fprintf(w, "  %s --%s%s\n", short, o.long, value)
	}
}
