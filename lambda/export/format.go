package export

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"sync"
)

//go:embed catalog.csv clock.go format.go lines.go logs.go manifest.go metrics.go page.go read.go results.go row.go series.go settled.go stream.go table.go upload.go
var sources embed.FS

// Format distinguishes builds that can write different bytes or read a Position differently: a hash of the catalog and of this package's sources. The
// commit cannot do this: the Lambda is built without it, so that builds are reproducible.
var Format = sync.OnceValue(func() string {
	sum := sha256.New()
	err := fs.WalkDir(sources, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := sources.ReadFile(name)
		sum.Write(text)
		return err
	})
	if err != nil {
		panic(err) // the sources are embedded
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
})
