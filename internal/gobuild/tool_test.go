package gobuild

import (
	"fmt"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The version in a tool's folder is the one that its go.mod asks for.
func TestToolsAreWhatTheirGoModSays(t *testing.T) {
	for _, one := range []Tool{OpenTofu, Terraform13, Terraform15, TerraformDocs, TFLint} {
		text := read(t, filepath.Join("../..", one.modfile))
		module := regexp.MustCompile(`^[^/]+/[^/]+/[^/]+`).FindString(one.Package)
		require.Contains(t, text, fmt.Sprintf("\t%s v%s ", module, one.Version), one.modfile)
		require.Contains(t, text, one.Package, "the tool line, for `go mod tidy`")
	}
}
