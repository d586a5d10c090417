//go:build !windows

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The test binary is also the command.
func TestMain(m *testing.M) {
	if os.Getenv("BE_MAGE") != "" {
		main()
	}
	os.Exit(m.Run())
}

// fakeGo replaces the go command: `go build -o FILE` creates a mage whose -compile creates a program that prints its arguments.
const fakeGo = `#!/bin/sh
case "$*" in
"env GOFLAGS") echo "-mod=mod" ;;
*-o*)
  [ ! -e full ] || { echo "go: mkdir /there: no space left on device" >&2; exit 1; }
  echo "a/package" >&2; echo "go: downloading b v1.0.0" >&2
  cat >"$3" <<'MAGE'
#!/bin/sh
[ ! -e broken ] || { echo "# internal/ops" >&2; echo "x.go:1: no" >&2; exit 1; }
case "$GOFLAGS" in *-v*) echo "another/package" >&2 ;; esac
cat >"$2" <<'TARGETS'
#!/bin/sh
echo "ran $* with $GOFLAGS"
TARGETS
chmod +x "$2"
MAGE
  echo 'echo >mage_output_file.go' >>"$3"
  chmod +x "$3" ;;
esac
`

func project(t *testing.T) (dir string, mage func(args ...string) (stdout, stderr string, err error)) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "a höuse")
	bin := t.TempDir()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "magefile.go"), nil, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "go"), []byte(fakeGo), 0o755))
	self, err := os.Executable()
	require.NoError(t, err)
	return dir, func(args ...string) (string, string, error) {
		c := exec.Command(self, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "BE_MAGE=1", "PATH="+bin+":"+os.Getenv("PATH"), "GOFLAGS=-x", "PWD="+dir)
		var out, words bytes.Buffer
		c.Stdout, c.Stderr = &out, &words
		err := c.Run()
		return out.String(), words.String(), err
	}
}

func TestTheFirstTimeIsAnnounced(t *testing.T) {
	_, mage := project(t)
	out, words, err := mage("local:run", "x")
	require.NoError(t, err, words)
	require.Equal(t, "ran local:run x with -mod=mod -trimpath\n", out)
	first, rest, _ := strings.Cut(words, "\n")
	require.Equal(t, "compiling the commands: one or two minutes on two cores the first time", first)
	require.Equal(t, "go: downloading b v1.0.0\n", rest, "what the go command has to say is passed on, package names are not")
}

func TestHelpOfATargetIsOurs(t *testing.T) {
	_, mage := project(t)
	for _, args := range [][]string{{"-h", "deploy"}, {"-help", "deploy"}, {"--help", "deploy"}, {"help", "deploy"}, {"deploy", "--help"}, {"deploy", "help"}} {
		out, words, err := mage(args...)
		require.NoError(t, err, words)
		require.Equal(t, "ran help deploy with -mod=mod -trimpath\n", out)
	}
	out, _, err := mage("-h")
	require.NoError(t, err)
	require.Equal(t, "ran -h with -mod=mod -trimpath\n", out)
}

func TestWhatDoesNotCompileIsShown(t *testing.T) {
	dir, mage := project(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "broken"), nil, 0o644))
	out, words, err := mage("deploy")
	require.Error(t, err)
	require.Empty(t, out)
	require.Contains(t, words, "x.go:1: no\n")
	require.Contains(t, words, "mage: mage -compile "+filepath.Join(dir, "build", "targets")+" -ldflags -s -w: exit status 1\n")
}

// The go command says what it could not write; this command says what to do.
func TestFullDisk(t *testing.T) {
	dir, mage := project(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "full"), nil, 0o644))
	_, words, err := mage("local:run")
	require.Error(t, err)
	require.Contains(t, words, "go: mkdir /there: no space left on device\n")
	require.Contains(t, words, "exit status 1: a disk is full. Free space on the disk of "+filepath.Join(dir, "build")+", of the build cache (go env GOCACHE) or of temporary files (")
}

func TestWhereThereIsNoProject(t *testing.T) {
	dir, mage := project(t)
	require.NoError(t, os.Remove(filepath.Join(dir, "magefile.go")))
	_, words, err := mage("deploy")
	require.Error(t, err)
	require.Equal(t, "mage: "+dir+" is not the project's folder: run the command where magefile.go is\n", words)
}

// A folder that cannot be written is named, with what to do. Here a file is in the place of the folder build.
func TestReadOnlyCheckout(t *testing.T) {
	dir, mage := project(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "build"), nil, 0o644))
	_, words, err := mage("deploy")
	require.Error(t, err)
	require.Contains(t, words, dir+" cannot be written (")
	require.Contains(t, words, "copy the checkout to a folder of your own")
}

// Long work shows that it goes on, and its progress.
func TestProgressGoesOn(t *testing.T) {
	out := make(lines)
	c := compiler{root: t.TempDir(), out: out, patience: time.Nanosecond, every: time.Nanosecond}
	p := c.progress()
	go func() {
		p.line("one/package")
		p.line("another/package")
	}()
	require.Equal(t, "compiling the commands: one or two minutes on two cores the first time\n", <-out)
	for said := ""; !strings.HasPrefix(said, "compiling the commands: 2 packages, "); said = <-out {
	}
	go func() {
		for range out {
		}
	}()
	p.end()
	close(out)
}

type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// On Windows the command refuses with a sentence; on other systems it compiles.
func TestOtherSystems(t *testing.T) {
	if os.Getenv("E2E_LONG") == "" {
		t.Skip("compiles the standard library twice: mage test:all")
	}
	for _, system := range []string{"windows", "darwin"} {
		c := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(t.TempDir(), "mage"), ".")
		c.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		said, err := c.CombinedOutput()
		require.NoError(t, err, "%s: %s", system, said)
	}
}

// The file that mage writes among the sources while it compiles is removed, also if a killed mage left it.
func TestNothingIsLeftAmongTheSources(t *testing.T) {
	dir, mage := project(t)
	left := filepath.Join(dir, "mage_output_file.go")
	require.NoError(t, os.WriteFile(left, []byte("package main"), 0o644))
	_, words, err := mage("deploy")
	require.NoError(t, err, words)
	require.NoFileExists(t, left)
}
