package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// exported is where exports lie. Names are below the export prefix, with slashes.
type exported interface {
	open(ctx context.Context, name string) (io.ReadCloser, error) // errors.Is(err, os.ErrNotExist) when it is not there
	list(ctx context.Context, folder string) ([]string, error)    // names in a folder
	put(ctx context.Context, name, contentType string, content []byte) error
	folder(root string) string // where files about these exports go on this machine
	String() string
}

func findExports(ctx context.Context, ws *workspace.Workspace, con *console.Console) (exported, error) {
	if from := ws.Getenv("FROM"); from != "" {
		isFolder := func(name string) bool {
			info, err := os.Stat(filepath.Join(from, name))
			return err == nil && info.IsDir()
		}
		if !isFolder("metrics") && !isFolder("logs") {
			return nil, fmt.Errorf("FROM=%s: it has neither a folder metrics nor logs; give the folder that holds metrics/, logs/ and manifest/", from)
		}
		return folderExports(from), nil
	}
	subject, err := identify(ctx, ws, con)
	if err != nil {
		return nil, err
	}
	in := subject.inputs
	cfg, err := ws.AWS(ctx, in.Region)
	if err != nil {
		return nil, err
	}
	return bucketExports{s3.NewFromConfig(cfg), in.Name, in.Bucket, in.Prefix, in.KMSKey}, nil
}

// errForeign is of a run that another stack made.
var errForeign = errors.New("it is a run of another stack")

// runsOf are the latest runs of the stack, most at most, the latest first: names of runs sort by time. They have a manifest, or where no run has one,
// metrics, or where none has these, logs.
func runsOf(ctx context.Context, from exported, most int) (runs []string, err error) {
	for _, of := range [][2]string{{"manifest", ".json"}, {"metrics", ".csv"}, {"logs", ".txt"}} {
		names, err := from.list(ctx, of[0])
		if err != nil {
			return nil, err
		}
		slices.Sort(names)
		for _, n := range slices.Backward(names) {
			run, is := strings.CutSuffix(n, of[1])
			if !is || len(runs) == most {
				continue
			}
			file, err := from.open(ctx, of[0]+"/"+n)
			if errors.Is(err, errForeign) {
				continue
			}
			if err != nil {
				return nil, err
			}
			_ = file.Close() // only whose it is was asked
			runs = append(runs, run)
		}
		if len(runs) > 0 {
			return runs, nil
		}
	}
	return nil, nil
}

// folderExports are exports in a folder, as local:run leaves them.
type folderExports string

func (f folderExports) open(_ context.Context, name string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(f), filepath.FromSlash(name)))
}

func (f folderExports) list(_ context.Context, folder string) (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(string(f), folder))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// put has nothing to do: the files are beside the exports already.
func (f folderExports) put(context.Context, string, string, []byte) error { return nil }

func (f folderExports) folder(string) string { return filepath.Join(string(f), "report") }

func (f folderExports) String() string { return string(f) }
