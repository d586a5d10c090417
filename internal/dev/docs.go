package dev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// TestDocs compares each module's README with terraform-docs' output, and checks the stack, the modules and the examples by tflint's bundled
// rules; all findings are reported together.
func TestDocs(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	return errors.Join(checkModuleDocs(ctx, ws, con), lintTerraform(ctx, ws, con))
}

func checkModuleDocs(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	docs, err := gobuild.TerraformDocs.Build(ctx, ws, con)
	if err != nil {
		return err
	}
	if err := quietly(ctx, ws, con, docs, "--output-check", "."); err != nil { // .terraform-docs.yml says the rest
		return fmt.Errorf("terraform-docs: %w\nrun `%s .` to write the inputs and outputs into each module's README", err, ws.Path(docs))
	}
	con.Say("the modules' READMEs are what terraform-docs %s writes", gobuild.TerraformDocs.Version)
	return nil
}

func lintTerraform(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	lint, err := gobuild.TFLint.Build(ctx, ws, con)
	if err != nil {
		return err
	}
	roots, err := terraformRoots(ws)
	if err != nil {
		return err
	}
	var findings []error
	for _, dir := range roots {
		if err := quietly(ctx, ws, con, lint, "--chdir="+dir, "--config="+filepath.Join(ws.Root, ".tflint.hcl"), "--no-color", "--format=compact"); err != nil {
			findings = append(findings, fmt.Errorf("tflint: %s: %w", ws.Path(dir), err))
		}
	}
	if err := errors.Join(findings...); err != nil {
		return err
	}
	con.Say("tflint %s finds nothing in %d folders", gobuild.TFLint.Version, len(roots))
	return nil
}

// quietly runs a program and shows its output only if it fails.
func quietly(ctx context.Context, ws *workspace.Workspace, con *console.Console, program string, args ...string) error {
	c := ws.Command(ctx, con.Out, program, args...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := proc.Run(c, time.Minute)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, strings.TrimSpace(out.String()))
	}
	return nil
}
