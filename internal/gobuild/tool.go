package gobuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Tool is a program that the go command builds from source, at one version, from what Go's module proxy has. It is kept in
// build/tools/NAME-VERSION/ until `mage clean`.
type Tool struct {
	Name, Version string
	Package       string
	modfile       string // requirements and checksums, in the project
	release       string // linker flag that makes it the released version instead of a development one
	takes         string // how long the first build takes on two cores, of which its dependencies are nearly all
}

// The programs that the project builds.
var (
	OpenTofu = Tool{Name: "tofu", Version: "1.12.6", Package: "github.com/opentofu/opentofu/cmd/tofu", modfile: "tools/go.mod",
		release: "-X github.com/opentofu/opentofu/version.dev=no", takes: "six minutes"}
	Terraform13   = Tool{Name: "terraform", Version: "1.3.10", Package: "github.com/hashicorp/terraform", modfile: "tools/terraform-1.3/go.mod", takes: "two minutes"}
	Terraform15   = Tool{Name: "terraform", Version: "1.5.7", Package: "github.com/hashicorp/terraform", modfile: "tools/terraform-1.5/go.mod", takes: "four minutes"}
	TerraformDocs = Tool{Name: "terraform-docs", Version: "0.20.0", Package: "github.com/terraform-docs/terraform-docs", modfile: "tools/lint/go.mod", takes: "a minute"}
	TFLint        = Tool{Name: "tflint", Version: "0.64.0", Package: "github.com/terraform-linters/tflint", modfile: "tools/lint/go.mod", takes: "three minutes"}
	GolangciLint  = Tool{Name: "golangci-lint", Version: "2.12.2", Package: "github.com/golangci/golangci-lint/v2/cmd/golangci-lint", modfile: "tools/golangci-lint/go.mod",
		release: "-X main.version=2.12.2", takes: "four minutes"}
)

// Path is the path of a tool, whether it is built or not.
func (t Tool) Path(ws *workspace.Workspace) string {
	return filepath.Join(ws.Root, "build", "tools", t.Name+"-"+t.Version, t.Name)
}

// Build returns the path of a tool, and builds it if its version is missing. The file appears atomically.
func (t Tool) Build(ctx context.Context, ws *workspace.Workspace, con *console.Console) (string, error) {
	file := t.Path(ws)
	if workspace.Exists(file) {
		return file, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	began := time.Now()
	con.Say("%s %s is built from source, once, and kept in %s: about %s, less when Go's build cache has parts of it", t.Name, t.Version, ws.Path(filepath.Dir(file)), t.takes)
	building := con.Step("building %s %s", t.Name, t.Version)
	defer building.End()
	next := fmt.Sprintf("%s.%d", file, os.Getpid())
	defer os.Remove(next)
	c := ws.Command(ctx, con.Out, "go", t.buildArgs(next)...)
	c.Env = append(workspace.Without(ws.Env, func(name string) bool { return slices.Contains([]string{"GOFLAGS", "GOOS", "GOARCH", "GOWORK"}, name) }), "CGO_ENABLED=0", "GOWORK=off")
	var said bytes.Buffer // mostly what it downloads
	c.Stdout, c.Stderr = &said, &said
	if err := proc.Run(c, time.Minute); err != nil {
		return "", fmt.Errorf("build %s %s from source (%s): %w\n%s", t.Name, t.Version, t.modfile, errors.Join(err, context.Cause(ctx)), strings.TrimSpace(said.String()))
	}
	if err := os.Rename(next, file); err != nil {
		return "", err
	}
	con.Say("%s %s built in %s", t.Name, t.Version, time.Since(began).Round(time.Second))
	return file, nil
}

func (t Tool) buildArgs(file string) []string {
	return []string{"build", "-modfile=" + t.modfile, "-trimpath", "-buildvcs=false", "-ldflags", strings.TrimSpace("-s -w " + t.release), "-o", file, t.Package}
}
