package dev

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// dist/ has the zips, the stack with its modules, and their sums; a person's own files are not in it, and a second checkout gives the same bytes.
func TestRelease(t *testing.T) {
	released := func(mode os.FileMode, extra ...string) map[string]string {
		ws := &workspace.Workspace{Root: t.TempDir()}
		for _, file := range append([]string{"build/lambda-arm64.zip", "build/lambda-x86_64.zip", "dist/of-before.zip", "CHANGELOG.md", "LICENSE", "main.tf",
			"terraform.tfvars.example", "modules/m/main.tf", "modules/m/table.csv", "modules/m/load.sh", "modules/n/main.tf"}, extra...) {
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(ws.Root, file)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(ws.Root, file), []byte(file), mode))
		}
		_, err := Pack(ws, filepath.Join(ws.Root, "dist"), "arm64", "x86_64")
		require.NoError(t, err)
		files, err := filepath.Glob(filepath.Join(ws.Root, "dist", "*"))
		require.NoError(t, err)
		dist := map[string]string{}
		for _, file := range files {
			dist[filepath.Base(file)] = read(t, file)
		}
		return dist
	}
	dist := released(0o644)
	require.Len(t, dist, 4)
	require.Equal(t, "build/lambda-arm64.zip", dist["lambda-arm64.zip"])
	require.Equal(t, fmt.Sprintf("%x  lambda-arm64.zip\n%x  lambda-x86_64.zip\n%x  terraform.tar.gz\n", sha256.Sum256([]byte(dist["lambda-arm64.zip"])),
		sha256.Sum256([]byte(dist["lambda-x86_64.zip"])), sha256.Sum256([]byte(dist["terraform.tar.gz"]))), dist["SHA256SUMS"])

	unzipped, err := gzip.NewReader(bytes.NewReader([]byte(dist["terraform.tar.gz"])))
	require.NoError(t, err)
	packed := tar.NewReader(unzipped)
	var names []string
	for {
		header, err := packed.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		names = append(names, header.Name)
		require.True(t, header.ModTime.Equal(time.Unix(0, 0)))
		content, err := io.ReadAll(packed)
		require.NoError(t, err)
		require.Equal(t, header.Name, string(content))
	}
	require.Equal(t, []string{"CHANGELOG.md", "LICENSE", "main.tf", "modules/m/load.sh", "modules/m/main.tf", "modules/m/table.csv", "modules/n/main.tf", "terraform.tfvars.example"}, names)

	require.Equal(t, dist, released(0o600, "terraform.tfvars", "secret.auto.tfvars", "terraform.tfstate", ".terraform.lock.hcl", "modules/m/.terraform/x/main.tf",
		"modules/m/terraform.tfvars", "modules/m/tests/m.tftest.hcl", "modules/m/m_test.go", "modules/m/terraform.tfstate"))
}
