package terraform

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// released is a module of this project as other roots name it: a folder of a release.
// https://developer.hashicorp.com/terraform/language/modules/sources#github
var released = regexp.MustCompile(`module "([a-z_-]+)" \{\n  source *= "github\.com/elasticache-perf/elasticache-perf//modules/([a-z-]+)\?ref=v[0-9.]+"`)

// OverrideReleased gives an override file by which a root takes the modules that it names by a release from a folder instead, so that an example can be
// tried before the release exists; nil if it names none. https://developer.hashicorp.com/terraform/language/files/override
func OverrideReleased(root, modules string) ([]byte, error) {
	files, err := workspace.Glob(root, "*.tf")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, m := range released.FindAllSubmatch(text, -1) {
			fmt.Fprintf(&b, "module %q {\n  source = %q\n}\n", m[1], filepath.Join(modules, string(m[2])))
		}
	}
	return b.Bytes(), nil
}
