package gobuild

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// sources makes a small Lambda in a folder of its own.
func sources(t *testing.T, mark string) (*workspace.Workspace, *console.Console) {
	root := t.TempDir()
	for file, text := range map[string]string{
		"go.mod":         "module example.com/small\n\ngo 1.26\n",
		"lambda/main.go": "package main\n\nfunc main() { println(\"" + mark + "\") }\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, file), []byte(text), 0o644))
	}
	return &workspace.Workspace{Root: root, Stack: root, Env: os.Environ()}, &console.Console{Out: &bytes.Buffer{}}
}

func printed(con *console.Console) string {
	return con.Out.(*bytes.Buffer).String()
}

func TestZipIsReproducible(t *testing.T) {
	first, con := sources(t, "a")
	second, _ := sources(t, "a")
	// Another folder, inside a repository, with flags that change binaries.
	for _, args := range [][]string{{"init", "-q"}, {"-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "--allow-empty", "-m", "m"}} {
		c := exec.Command("git", args...)
		c.Dir = second.Root
		out, err := c.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	// `go env -w` writes such a file: https://pkg.go.dev/cmd/go#hdr-Environment_variables
	settings := filepath.Join(t.TempDir(), "env")
	require.NoError(t, os.WriteFile(settings, []byte("GOEXPERIMENT=fieldtrack\nGOFIPS140=latest\n"), 0o644))
	second.Env = append(second.Env, "GOFLAGS=-buildvcs=true", "GOAMD64=v3", "CGO_ENABLED=1", "GOENV="+settings)
	require.NoError(t, Lambda(t.Context(), first, con, "x86_64"))
	require.NoError(t, Lambda(t.Context(), second, con, "x86_64"))
	a, b := read(t, Zip(first, "x86_64")), read(t, Zip(second, "x86_64"))
	require.True(t, a == b, "%d and %d bytes differ", len(a), len(b))

	z, err := zip.NewReader(bytes.NewReader([]byte(a)), int64(len(a)))
	require.NoError(t, err)
	require.Len(t, z.File, 1)
	require.Equal(t, "bootstrap", z.File[0].Name)
	require.Equal(t, os.FileMode(0o755), z.File[0].Mode())
	require.Equal(t, 1980, z.File[0].Modified.Year())
}

// What `go env -w` says of where modules come from and where the go command keeps them still holds.
func TestZipIsBuiltWithThePersonsModules(t *testing.T) {
	settings := filepath.Join(t.TempDir(), "env")
	require.NoError(t, os.WriteFile(settings, []byte("GOPROXY=https://proxy.example.com\nGOPRIVATE=example.com/ours\nGOFLAGS=-race\nGOFIPS140=latest\n"), 0o644))
	env, err := lambdaEnv(t.Context(), &workspace.Workspace{Root: t.TempDir(), Env: append(os.Environ(), "GOENV="+settings, "GOPROXY=", "GOWORK=/elsewhere/go.work")}, "arm64")
	require.NoError(t, err)
	for name, want := range map[string]string{"GOPROXY": "https://proxy.example.com", "GOPRIVATE": "example.com/ours", "GOENV": "off", "GOFLAGS": "", "GOFIPS140": "off", "GOWORK": "off", "GOARCH": "arm64"} {
		require.Equal(t, want, workspace.Getenv(env, name), name)
	}
}

func TestZipIsWrittenWhenSourcesChange(t *testing.T) {
	ws, con := sources(t, "a")
	require.NoError(t, Lambda(t.Context(), ws, con, "x86_64"))
	require.Contains(t, printed(con), "build/lambda-x86_64.zip built in ")
	before, err := os.Stat(Zip(ws, "x86_64"))
	require.NoError(t, err)

	require.NoError(t, Lambda(t.Context(), ws, con, "x86_64"))
	require.Contains(t, printed(con), "build/lambda-x86_64.zip is up to date (by the go command's build cache)")
	after, err := os.Stat(Zip(ws, "x86_64"))
	require.NoError(t, err)
	require.Equal(t, before.ModTime(), after.ModTime())

	old := read(t, Zip(ws, "x86_64"))
	require.NoError(t, os.WriteFile(filepath.Join(ws.Root, "lambda/main.go"), []byte("package main\n\nfunc main() { println(\"b\") }\n"), 0o644))
	require.NoError(t, Lambda(t.Context(), ws, con, "x86_64"))
	require.NotEqual(t, old, read(t, Zip(ws, "x86_64")))

	require.NoError(t, os.WriteFile(filepath.Join(ws.Root, "lambda/main.go"), []byte("package main\n\nfunc main() { nonsense }\n"), 0o644))
	require.ErrorContains(t, Lambda(t.Context(), ws, con, "x86_64"), "compile the Lambda for x86_64")
}

// A zip that pack did not write, or that is damaged, is written again with the same bytes as on a new machine.
func TestZipThatIsNotAsItWasPacked(t *testing.T) {
	ws, con := sources(t, "a")
	require.NoError(t, Lambda(t.Context(), ws, con, "x86_64"))
	want := read(t, Zip(ws, "x86_64"))

	var stored, two bytes.Buffer
	for z, names := range map[*bytes.Buffer][]string{&stored: {"bootstrap"}, &two: {"bootstrap", "more"}} {
		w := zip.NewWriter(z)
		for _, name := range names {
			header := bootstrap()
			if header.Name = name; z == &stored {
				header.Method = zip.Store
			}
			entry, err := w.CreateHeader(header)
			require.NoError(t, err)
			_, err = entry.Write(unpack(Zip(ws, "x86_64")))
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
	}
	middle := len(want) / 2
	for name, content := range map[string]string{
		"empty": "", "cut": want[:middle], "one bit": want[:middle] + string([]byte{want[middle] ^ 1}) + want[middle+1:], "stored": stored.String(), "two files": two.String(),
	} {
		require.NoError(t, os.WriteFile(Zip(ws, "x86_64"), []byte(content), 0o644))
		require.NoError(t, Lambda(t.Context(), ws, con, "x86_64"), name)
		require.True(t, want == read(t, Zip(ws, "x86_64")), name)
	}
	require.NotContains(t, printed(con), "up to date")
}

// Commands that run in one checkout at a time build it at a time.
func TestZipIsBuiltSideBySide(t *testing.T) {
	ws, con := sources(t, "a")
	var builds sync.WaitGroup
	failed := make([]error, 4)
	for i := range failed {
		own := *con
		own.Out = &bytes.Buffer{}
		builds.Go(func() { failed[i] = Lambda(t.Context(), ws, &own, "x86_64") })
	}
	builds.Wait()
	require.NoError(t, errors.Join(failed...))
	files, err := os.ReadDir(filepath.Join(ws.Root, "build"))
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing but the zip is left: %v", files)
}

func TestArgumentsOfTheBuild(t *testing.T) {
	require.Equal(t, "build -trimpath -buildvcs=false -tags lambda.norpc -ldflags -s -w -o file ./lambda", strings.Join(lambdaArgs("file"), " "))
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}
