package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// analyse reads the exports of a run. The results say which sections lack their file.
func analyse(ctx context.Context, from exported, run string) (*report.Results, error) {
	var in report.Run
	open := func(name string) (io.Reader, error) {
		r, err := from.open(ctx, name)
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = r.Close() })
		return r, nil
	}
	ctx, cancel := context.WithCancel(ctx) // cancel closes the files that open has opened
	defer cancel()
	manifest, err := open("manifest/" + run + ".json")
	if err != nil {
		return nil, err
	}
	if manifest != nil {
		text, err := io.ReadAll(manifest)
		if err != nil {
			return nil, fmt.Errorf("%s: manifest of run %s: %w", from, run, err)
		}
		m, err := export.ParseManifest(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		in.Manifest = &m
	}
	if in.Metrics, err = open("metrics/" + run + ".csv"); err != nil {
		return nil, err
	}
	if in.Logs, err = open("logs/" + run + ".txt"); err != nil {
		return nil, err
	}
	if in.Metrics == nil && in.Logs == nil {
		known, err := runsOf(ctx, from, 3)
		if err != nil {
			return nil, err
		}
		advice := "it has no exported run"
		if n := min(3, len(known)); n > 0 {
			advice = "its latest are " + strings.Join(known[:n], ", ")
		}
		return nil, fmt.Errorf("%s has no run %s, neither metrics nor logs: %s; `go tool mage status` shows where a run stands", from, run, advice)
	}
	r, err := report.Analyze(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", run, err)
	}
	return r, nil
}
