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

// exported is a place with exports. Names are below the export prefix, with slashes.
type exported interface {
	open(ctx context.Context, name string) (io.ReadCloser, error) // errors.Is(err, os.ErrNotExist) if there is no such file
	list(ctx context.Context, folder string) ([]string, error)    // names in a folder
	put(ctx context.Context, name, contentType string, content []byte) error
	folder(root string) string // where reports on these exports are written on this machine
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

// errForeign is the error for a run of another stack.
var errForeign = errors.New("it is a run of another stack")

// runsOf returns up to most runs of the stack, latest first: run names sort by time. It lists manifests; if there are none, metrics; if there are none, logs.
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
			_ = file.Close() // opened only to check whose run it is
			runs = append(runs, run)
		}
		if len(runs) > 0 {
			return runs, nil
		}
	}
	return nil, nil
}

// folderExports is a folder with exports, as local:run leaves them.
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

// put does nothing: reports are already written beside the exports.
func (f folderExports) put(context.Context, string, string, []byte) error { return nil }

func (f folderExports) folder(string) string { return filepath.Join(string(f), "report") }

func (f folderExports) String() string { return string(f) }
