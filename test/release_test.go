package test

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3t "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/gruntwork-io/terratest/modules/terraform"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/dev"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

const (
	fromARelease = "examples/from-a-release"
	releases     = "https://github.com/elasticache-perf/elasticache-perf/releases/download/"
)

// A root that only uses a release's modules and zip, and no file of the repository, is applied, runs and is destroyed.
func TestFromARelease(t *testing.T) {
	t.Parallel()
	onlyLocal(t)
	onlyLong(t)
	w := newEnvironment(t)
	inputs := examples["from-a-release"].inputs(t, w)
	inputs["minutes"], inputs["load"] = 60, map[string]any{"workload": "session-store", "clients": 2, "rate_limit": 250}
	s := &stack{environment: w, name: "from-a-release", options: w.options(t, fromARelease, inputs)}
	useRelease(t, w, s.options.TerraformDir)
	s.destroyAtEnd(t)
	terraform.InitContext(t, t.Context(), s.options)
	s.apply(t)
	s.assertEmptyPlan(t)
	s.loads(t, 1)
	s.stops(t)
	s.waitForEnd(t, s.output(t, "run"), 1)
}

// The whole stack from a release's tarball and zip, with init, apply and destroy only: nothing needs mage, and nothing is left. In between, the Lambda's
// code moves to a bucket, where a checksum that differs from the object's is an error.
func TestStackFromARelease(t *testing.T) {
	t.Parallel()
	onlyLocal(t)
	onlyLong(t)
	w := newEnvironment(t)
	dist := w.released(t)
	root := t.TempDir()
	untar(t, filepath.Join(dist, "terraform.tar.gz"), root)
	name, zip := nameOf(t), filepath.Join(dist, "lambda-"+w.architecture+".zip")
	sum := sumOf(t, zip)
	inputs := w.inputs(map[string]any{"name": name, "load": light(nil), "lambda": map[string]any{"zip": zip, "sha256": sum}})
	s := &stack{environment: w, name: name, options: w.options(t, ".", inputs)}
	s.options.TerraformDir = root
	write(t, root, "terraform.tfvars.json", inputs)
	maps.Copy(s.options.EnvVars, w.deployer(t, name, inputs))
	s.destroyAtEnd(t)
	terraform.InitContext(t, t.Context(), s.options)
	s.apply(t)
	s.assertEmptyPlan(t)
	s.loads(t, 1)

	code := func() string {
		f, err := lambda.NewFromConfig(w.Config).GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: aws.String(name + "-stop")})
		require.NoError(t, err)
		return *f.CodeSha256
	}
	before := code()
	content, err := os.Open(zip)
	require.NoError(t, err)
	defer content.Close()
	key := "exports/code/lambda.zip" // the deployer's policy allows reads there
	_, err = s3.NewFromConfig(w.Config).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: &key, Body: content, ServerSideEncryption: s3t.ServerSideEncryptionAes256})
	require.NoError(t, err)
	wrong := strings.Repeat("0", len(sum))
	write(t, root, "z.auto.tfvars.json", map[string]any{"lambda": map[string]any{"s3_bucket": w.bucket, "s3_key": key, "sha256": wrong}})
	_, err = terraform.ApplyContextE(t, t.Context(), s.options)
	require.ErrorContains(t, err, "does not match lambda.sha256")
	write(t, root, "z.auto.tfvars.json", map[string]any{"lambda": map[string]any{"s3_bucket": w.bucket, "s3_key": key, "sha256": sum}})
	s.apply(t)
	s.assertEmptyPlan(t)
	require.Equal(t, before, code())

	run := s.output(t, "run")
	s.stops(t)
	s.waitForEnd(t, run, 1)
	s.destroy(t.Context(), t)
}

// Without a zip the plan names both ways to get one.
func TestNoZip(t *testing.T) {
	t.Parallel()
	onlyLocal(t)
	onlyLong(t)
	w := newEnvironment(t)
	options := w.options(t, ".", w.inputs(map[string]any{"lambda": map[string]any{"zip": "downloads/lambda.zip"}}))
	terraform.InitContext(t, t.Context(), options)
	_, err := terraform.PlanContextE(t, t.Context(), options)
	require.ErrorContains(t, err, "ARCH="+w.architecture+" go tool mage build")
	require.ErrorContains(t, err, "or download lambda-"+w.architecture+".zip of a release")

	// In a clone without build results.
	ws, con, _ := w.project(t, nil)
	ws.Root = linkedTree(t)
	ws.Stack = ws.Root
	write(t, ws.Root, "terraform.tfvars.json", w.inputs())
	options = w.options(t, ".", nil)
	options.TerraformDir = ws.Root
	terraform.InitContext(t, t.Context(), options)
	_, err = terraform.PlanContextE(t, t.Context(), options)
	require.Error(t, err)
	runAdvice(t, ws, con, err.Error(), " go tool mage build\n")
	_, err = terraform.PlanContextE(t, t.Context(), options)
	require.NoError(t, err)
}

// released builds a release of this tree, and returns its folder.
func (w *environment) released(t *testing.T) string {
	t.Helper()
	project, err := filepath.Abs("..")
	require.NoError(t, err)
	dist := filepath.Join(t.TempDir(), "dist")
	_, err = dev.Pack(&workspace.Workspace{Root: project}, dist, w.architecture)
	require.NoError(t, err)
	return dist
}

// useRelease replaces a folder's linked files with copies whose modules are downloaded from a local server.
func useRelease(t *testing.T, w *environment, dir string) {
	t.Helper()
	server := httptest.NewServer(http.StripPrefix("/v0.1.0/", http.FileServer(http.Dir(w.released(t)))))
	t.Cleanup(server.Close)
	files, err := workspace.Glob(dir, "*.tf")
	require.NoError(t, err)
	taken := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		taken += strings.Count(string(text), releases)
		require.NoError(t, os.Remove(file))
		require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), releases, server.URL+"/")), 0o600))
	}
	require.Equal(t, 3, taken, "modules of a release")
}

func sumOf(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func untar(t *testing.T, file, dir string) {
	t.Helper()
	in, err := os.Open(file)
	require.NoError(t, err)
	defer in.Close()
	unzipped, err := gzip.NewReader(in)
	require.NoError(t, err)
	packed := tar.NewReader(unzipped)
	for {
		header, err := packed.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		content, err := io.ReadAll(packed)
		require.NoError(t, err)
		to := filepath.Join(dir, filepath.Clean(header.Name))
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		require.NoError(t, os.WriteFile(to, content, 0o600))
	}
}
