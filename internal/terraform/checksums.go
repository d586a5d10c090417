package terraform

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"

	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

var checksums = regexp.MustCompile(`(?ms)^  hashes += \[.*?^  \]\n`)

// ForgetChecksums removes the checksums of providers from the lock file in dir, the folder of a stack in the embedded AWS or of a test. Init has verified the
// provider, but as long as the lock file has its checksum, every command of Terraform verifies it again: it reads all 700 MB, which takes half a second. The next
// init writes the checksum again.
//
// https://github.com/hashicorp/terraform/blob/v1.11.4/internal/command/meta_providers.go
func ForgetChecksums(dir string) error {
	file := filepath.Join(dir, ".terraform.lock.hcl")
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil // no provider
	}
	if err != nil {
		return err
	}
	return workspace.ReplaceFile(file, checksums.ReplaceAll(text, nil), 0o644)
}
