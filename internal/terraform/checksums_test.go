package terraform

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestForgetChecksums(t *testing.T) {
	const before = `# This file is maintained automatically by "terraform init".

provider "registry.terraform.io/hashicorp/aws" {
  version     = "5.100.0"
  constraints = "~> 5.100"
  hashes = [
    "h1:edXOJWE4ORX8Fm+dpVpICzMZJat4AX0VRCAy/xkcOc0=",
    "zh:00",
  ]
}

provider "registry.terraform.io/hashicorp/null" {
  version = "3.2.3"
  hashes = [
    "h1:+AnORRgFbRO6qqcfaQyeX80W0eX3VmjadjnUFUJTiXo=",
  ]
}
`
	const after = `# This file is maintained automatically by "terraform init".

provider "registry.terraform.io/hashicorp/aws" {
  version     = "5.100.0"
  constraints = "~> 5.100"
}

provider "registry.terraform.io/hashicorp/null" {
  version = "3.2.3"
}
`
	dir := t.TempDir()
	file := filepath.Join(dir, ".terraform.lock.hcl")
	require.NoError(t, os.WriteFile(file, []byte(before), 0o644))
	for range 2 {
		require.NoError(t, ForgetChecksums(dir))
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, after, string(text))
	}
	require.NoError(t, ForgetChecksums(t.TempDir()), "a stack without providers has no lock file")
}
