package ops

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Help prints the environment variables of all commands; for the commands named after it, what they do and read.
func Help(_ context.Context, ws *workspace.Workspace, con *console.Console) error {
	named := helpOf(os.Args)
	if len(named) == 0 {
		workspace.Help(con.Out)
		return nil
	}
	if err := explain(ws, con, named); err != nil {
		return err
	}
	os.Exit(0) // mage would run the names as targets next, and `mage help destroy` must not destroy
	return nil
}

// helpOf returns the commands named after help.
func helpOf(args []string) []string {
	for i, a := range args {
		if strings.EqualFold(a, "help") && i > 0 {
			return args[i+1:]
		}
	}
	return nil
}

// explain prints each command's sentence in the magefile, and its variables.
func explain(ws *workspace.Workspace, con *console.Console, commands []string) error {
	does, err := targets(filepath.Join(ws.Root, "magefile.go"))
	if err != nil {
		return err
	}
	for _, c := range commands {
		c = strings.ToLower(c)
		if does[c] == "" {
			return fmt.Errorf("there is no command %s: `go tool mage -l` lists them", c)
		}
		workspace.HelpOf(con.Out, c, does[c])
	}
	return nil
}

// targets returns the commands of a magefile, with what each does.
func targets(file string) (map[string]string, error) {
	source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	does := map[string]string{}
	for _, d := range source.Decls {
		f, is := d.(*ast.FuncDecl)
		if !is || !f.Name.IsExported() {
			continue
		}
		name := strings.ToLower(f.Name.Name)
		if f.Recv != nil {
			if of, is := f.Recv.List[0].Type.(*ast.Ident); is {
				name = strings.ToLower(of.Name) + ":" + name
			}
		}
		does[name] = strings.TrimSpace(strings.TrimPrefix(f.Doc.Text(), f.Name.Name+" "))
		if of, is := strings.CutSuffix(name, ":default"); is { // under its short name
			does[of] = does[name]
		}
	}
	return does, nil
}
