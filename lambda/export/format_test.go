package export

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFormatCoversAllSources(t *testing.T) {
	assert.Regexp(t, "^[0-9a-f]{12}$", Format())
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range append(files, "catalog.csv") {
		if file == "doc.go" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		_, err := sources.ReadFile(file)
		assert.NoError(t, err, "embed %s in format.go", file)
	}
}
