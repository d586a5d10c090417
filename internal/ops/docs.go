package ops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/proc"
)

// TestDocs holds each module's README against what terraform-docs writes, and the stack, the modules and the examples against tflint's bundled
// rules; all findings are reported together.
func TestDocs(ctx context.Context, p *Project) error {
	return errors.Join(p.terraformDocs(ctx), p.tflint(ctx))
}

func (p *Project) terraformDocs(ctx context.Context) error {
	docs, err := p.buildTool(ctx, terraformDocs)
	if err != nil {
		return err
	}
	if err := p.quietly(ctx, docs, "--output-check", "."); err != nil { // .terraform-docs.yml says the rest
		return fmt.Errorf("terraform-docs: %w\nrun `%s .` to write the inputs and outputs into each module's README", err, p.path(docs))
	}
	p.say("the modules' READMEs are what terraform-docs %s writes", terraformDocs.version)
	return nil
}

func (p *Project) tflint(ctx context.Context) error {
	lint, err := p.buildTool(ctx, tflint)
	if err != nil {
		return err
	}
	roots, err := p.terraformRoots()
	if err != nil {
		return err
	}
	var findings []error
	for _, dir := range roots {
		if err := p.quietly(ctx, lint, "--chdir="+dir, "--config="+filepath.Join(p.Root, ".tflint.hcl"), "--no-color", "--format=compact"); err != nil {
			findings = append(findings, fmt.Errorf("tflint: %s: %w", p.path(dir), err))
		}
	}
	if err := errors.Join(findings...); err != nil {
		return err
	}
	p.say("tflint %s finds nothing in %d folders", tflint.version, len(roots))
	return nil
}

// quietly runs a program of which only a failure is worth showing.
func (p *Project) quietly(ctx context.Context, program string, args ...string) error {
	c := p.command(ctx, program, args...)
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
