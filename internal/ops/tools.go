package ops

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

// tool is a program that the go command builds from source, at one version, from what Go's module proxy has. It is kept in
// build/tools/NAME-VERSION/ until `mage clean`.
type tool struct {
	name, version string
	pkg           string
	modfile       string // requirements and checksums, in the project
	release       string // linker flag that makes it the released version instead of a development one
	takes         string // how long the first build takes on two cores, of which its dependencies are nearly all
}

var (
	opentofu = tool{name: "tofu", version: "1.12.6", pkg: "github.com/opentofu/opentofu/cmd/tofu", modfile: "tools/go.mod",
		release: "-X github.com/opentofu/opentofu/version.dev=no", takes: "six minutes"}
	terraform13   = tool{name: "terraform", version: "1.3.10", pkg: "github.com/hashicorp/terraform", modfile: "tools/terraform-1.3/go.mod", takes: "two minutes"}
	terraform15   = tool{name: "terraform", version: "1.5.7", pkg: "github.com/hashicorp/terraform", modfile: "tools/terraform-1.5/go.mod", takes: "four minutes"}
	terraformDocs = tool{name: "terraform-docs", version: "0.20.0", pkg: "github.com/terraform-docs/terraform-docs", modfile: "tools/lint/go.mod", takes: "a minute"}
	tflint        = tool{name: "tflint", version: "0.64.0", pkg: "github.com/terraform-linters/tflint", modfile: "tools/lint/go.mod", takes: "three minutes"}
)

// toolPath is where a tool is kept, whether it is built or not.
func toolPath(ws *workspace.Workspace, t tool) string {
	return filepath.Join(ws.Root, "build", "tools", t.name+"-"+t.version, t.name)
}

// buildTool gives the path of a tool, and builds it first when there is none of its version. It appears whole or not at all.
func buildTool(ctx context.Context, ws *workspace.Workspace, con *console.Console, t tool) (string, error) {
	file := toolPath(ws, t)
	if workspace.Exists(file) {
		return file, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	began := time.Now()
	con.Say("%s %s is built from source, once, and kept in %s: about %s, less when Go's build cache has parts of it", t.name, t.version, ws.Path(filepath.Dir(file)), t.takes)
	building := con.Step("building %s %s", t.name, t.version)
	defer building.End()
	next := fmt.Sprintf("%s.%d", file, os.Getpid())
	defer os.Remove(next)
	c := ws.Command(ctx, con.Out, "go", t.buildArgs(next)...)
	c.Env = append(workspace.Without(ws.Env, func(name string) bool { return slices.Contains([]string{"GOFLAGS", "GOOS", "GOARCH", "GOWORK"}, name) }), "CGO_ENABLED=0", "GOWORK=off")
	var said bytes.Buffer // mostly what it downloads
	c.Stdout, c.Stderr = &said, &said
	if err := proc.Run(c, time.Minute); err != nil {
		return "", fmt.Errorf("build %s %s from source (%s): %w\n%s", t.name, t.version, t.modfile, errors.Join(err, context.Cause(ctx)), strings.TrimSpace(said.String()))
	}
	if err := os.Rename(next, file); err != nil {
		return "", err
	}
	con.Say("%s %s built in %s", t.name, t.version, time.Since(began).Round(time.Second))
	return file, nil
}

func (t tool) buildArgs(file string) []string {
	return []string{"build", "-modfile=" + t.modfile, "-trimpath", "-buildvcs=false", "-ldflags", strings.TrimSpace("-s -w " + t.release), "-o", file, t.pkg}
}
