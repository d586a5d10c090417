// Package gobuild builds with the go command: the Lambda's zip, and tools from source.
package gobuild

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// goarch maps Lambda's architectures to Go's.
var goarch = map[string]string{"arm64": "arm64", "x86_64": "amd64"}

// Zip is the path of an architecture's zip, whether it is built or not.
func Zip(ws *workspace.Workspace, architecture string) string {
	return filepath.Join(ws.Root, "build", "lambda-"+architecture+".zip")
}

// Lambda makes build/lambda-ARCHITECTURE.zip. Same sources and Go version give the same bytes, wherever and whenever it is built. The go command decides
// whether to compile and link, from its cache and from the binary in the zip; the zip is only written if that changes.
func Lambda(ctx context.Context, ws *workspace.Workspace, con *console.Console, architecture string) error {
	if goarch[architecture] == "" {
		return fmt.Errorf("there is no Lambda architecture %q: use arm64 or x86_64", architecture)
	}
	file := Zip(ws, architecture)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	began := time.Now()
	own, err := os.MkdirTemp(filepath.Dir(file), "lambda-") // another command may build it at the same time
	if err != nil {
		return err
	}
	defer os.RemoveAll(own)
	binary := filepath.Join(own, "bootstrap")
	old := unpack(file)
	if old != nil {
		if err := os.WriteFile(binary, old, 0o755); err != nil {
			return err
		}
	}
	c := ws.Command(ctx, con.Out, "go", lambdaArgs(binary)...)
	if c.Env, err = lambdaEnv(ctx, ws, goarch[architecture]); err != nil {
		return err
	}
	building := con.Step("building the Lambda for %s", architecture)
	err = proc.Run(c, time.Minute)
	building.End()
	if err != nil {
		return fmt.Errorf("compile the Lambda for %s: %w", architecture, err)
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	if bytes.Equal(old, content) {
		con.Say("%s is up to date (by the go command's build cache)", ws.Path(file))
		return nil
	}
	var packed bytes.Buffer
	if err := pack(&packed, content); err != nil {
		return err
	}
	if err := workspace.ReplaceFile(file, packed.Bytes(), 0o644); err != nil {
		return err
	}
	con.Say("%s built in %s (%.1f MB)", ws.Path(file), time.Since(began).Round(100*time.Millisecond), float64(packed.Len())/1e6)
	return nil
}

// lambdaArgs: lambda.norpc leaves out what only the old go1.x runtime needed; without VCS stamp, and with trimmed paths, the binary depends on
// its sources alone. Its build id lets the go command see that it is up to date. https://docs.aws.amazon.com/lambda/latest/dg/golang-package.html
func lambdaArgs(binary string) []string {
	return []string{"build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", binary, "./lambda"}
}

// modules are the go command's settings that say where modules come from and where they and what is compiled are kept. They do not change the binary.
// https://pkg.go.dev/cmd/go#hdr-Environment_variables
var modules = []string{"GOAUTH", "GOCACHE", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPRIVATE", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN", "GOVCS"}

// lambdaEnv sets everything that would change the binary, and lets nothing but modules of what `go env -w` has written.
func lambdaEnv(ctx context.Context, ws *workspace.Workspace, arch string) ([]string, error) {
	var out bytes.Buffer
	c := ws.Command(ctx, &out, "go", append([]string{"env", "-json"}, modules...)...)
	c.Env = workspace.Without(ws.Env, func(name string) bool { return name == "GOWORK" })
	if err := proc.Run(c, time.Minute); err != nil {
		return nil, fmt.Errorf("go env: %w\n%s", err, out.String())
	}
	var settings map[string]string
	if err := json.Unmarshal(out.Bytes(), &settings); err != nil {
		return nil, fmt.Errorf("go env: %w\n%s", err, out.String())
	}
	env := workspace.Without(ws.Env, func(name string) bool { return name == "GOEXPERIMENT" || name == "GODEBUG" })
	for _, name := range modules {
		env = append(env, name+"="+settings[name])
	}
	return append(env, "CGO_ENABLED=0", "GOENV=off", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off", "GOWORK=off"), nil
}

// bootstrap is the header of the zip's one file. A zip knows no time before 1980, and Lambda needs the file executable.
func bootstrap() *zip.FileHeader {
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	return header
}

// pack writes a zip with the one file bootstrap.
func pack(w io.Writer, binary []byte) error {
	z := zip.NewWriter(w)
	entry, err := z.CreateHeader(bootstrap())
	if err != nil {
		return err
	}
	if _, err := entry.Write(binary); err != nil {
		return err
	}
	return z.Close()
}

// unpack returns the binary of a zip that pack wrote; nil if there is none, or if it is damaged or not as pack would write it now.
func unpack(file string) []byte {
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil
	}
	defer z.Close()
	want := bootstrap()
	if len(z.File) != 1 || z.File[0].Name != want.Name || z.File[0].Method != want.Method || z.File[0].Mode() != want.Mode() || !z.File[0].Modified.Equal(want.Modified) {
		return nil
	}
	entry, err := z.File[0].Open()
	if err != nil {
		return nil
	}
	defer entry.Close()
	binary, err := io.ReadAll(entry)
	if err != nil { // also if the checksum differs
		return nil
	}
	return binary
}

// HostArchitecture is this machine's architecture, in Lambda's terms.
func HostArchitecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}
