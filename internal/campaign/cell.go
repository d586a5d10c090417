package campaign

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// Cell is one run of a campaign, in its own stack: a variant in a round. It is the stack's input campaign, and part of the manifest's settings.
type Cell struct {
	Campaign string `json:"name"`
	Variant  string `json:"variant"`
	Round    int    `json:"round"` // from 1
	Seed     uint32 `json:"seed"`  // of the run order
}

// Stack is the name of the cell's stack.
func (c Cell) Stack() string { return fmt.Sprintf("%s-%s-r%d", c.Campaign, c.Variant, c.Round) }

// Prefix is the prefix of the campaign's objects, below the stack's export prefix.
func (c *Campaign) Prefix(of string) string { return path.Join(of, "campaigns", c.Name) }

// Exports is the cell's export prefix, below the stack's.
func (c Cell) Exports(of string) string {
	return path.Join(of, "campaigns", c.Campaign, fmt.Sprintf("%s-r%d", c.Variant, c.Round))
}

// ran is what a stack's settings say about its campaign.
type ran struct {
	Cell
	Inputs string // checksum of the variant's inputs; "" in manifests from before it existed
}

// of reads the campaign from a stack's settings; nil if there is none.
func of(settings json.RawMessage) *ran {
	var has struct{ Campaign *ran }
	if json.Unmarshal(settings, &has) != nil {
		return nil
	}
	return has.Campaign
}

// CellOf returns the cell in a stack's settings; nil if there is none.
func CellOf(settings json.RawMessage) *Cell {
	if is := of(settings); is != nil {
		return &is.Cell
	}
	return nil
}

// Of reports whether a manifest is the cell's. The seeds can differ, because a variant may have been added to the file since.
func (c Cell) Of(m *export.Manifest) bool {
	is := of(m.Settings)
	return is != nil && is.Campaign == c.Campaign && is.Variant == c.Variant && is.Round == c.Round
}

// Changed reports whether the cell of a manifest ran with other inputs than its variant has in the file now.
func (c *Campaign) Changed(cell Cell, m *export.Manifest) bool {
	is := of(m.Settings)
	return is != nil && is.Inputs != "" && is.Inputs != c.sum(cell.Variant)
}

// sum is a checksum of a variant's inputs, cut to 12 digits because the Lambda's environment, which has 4 KB, carries it.
func (c *Campaign) sum(variant string) string {
	inputs := cty.ObjectVal(c.Variant(variant).Inputs)
	text, err := ctyjson.Marshal(inputs, inputs.Type())
	if err != nil { // values fails in the same way, and returns the error
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))[:12]
}

// Rounds returns the campaign's cells. Each round has every variant once, in an order drawn from the seed (randomized complete blocks).
func (c *Campaign) Rounds() (rounds [][]Cell) {
	for round := range c.Repeats {
		order := rand.New(rand.NewPCG(uint64(c.Seed), uint64(round))).Perm(len(c.Variants))
		var cells []Cell
		for _, v := range order {
			cells = append(cells, Cell{c.Name, c.Variants[v].Name, round + 1, c.Seed})
		}
		rounds = append(rounds, cells)
	}
	return rounds
}

// Variant returns the variant of this name.
func (c *Campaign) Variant(name string) Variant {
	for _, v := range c.Variants {
		if v.Name == name {
			return v
		}
	}
	return Variant{}
}

// Shorten sets the load's minutes of every variant.
func (c *Campaign) Shorten(minutes int) {
	for _, v := range c.Variants {
		v.Inputs["test_duration_minutes"] = cty.NumberIntVal(int64(minutes))
	}
}

// values returns the inputs of a cell as a JSON file for Terraform.
func (c *Campaign) values(cell Cell, prefix string) ([]byte, error) {
	all := map[string]cty.Value{}
	maps.Copy(all, c.Variant(cell.Variant).Inputs)
	all["name"], all["metrics_export_s3_prefix"] = cty.StringVal(cell.Stack()), cty.StringVal(cell.Exports(prefix))
	all["campaign"] = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(cell.Campaign), "variant": cty.StringVal(cell.Variant),
		"round": cty.NumberIntVal(int64(cell.Round)), "seed": cty.NumberUIntVal(uint64(cell.Seed)), "inputs": cty.StringVal(c.sum(cell.Variant))})
	whole := cty.ObjectVal(all)
	return ctyjson.Marshal(whole, whole.Type())
}

// valuesFile sorts after all other files that Terraform loads automatically, so its values win.
const valuesFile = "zzz_campaign.auto.tfvars.json"

// Enter creates the workspace of a cell's stack: a folder of links to the project's HCL and inputs, with the cell's own inputs. It has its own Terraform data
// and, if the project has a backend, its own Terraform workspace. prefix is the stack's export prefix.
func (c *Campaign) Enter(ws *workspace.Workspace, cell Cell, prefix string) (*workspace.Workspace, error) {
	dir := c.Folder(ws, cell)
	text, err := c.values(cell, prefix)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.At(c.Variant(cell.Variant)), err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	given, err := terraform.GivenFiles(ws.Stack)
	if err != nil {
		return nil, err
	}
	files, err := workspace.Glob(ws.Stack, "*.tf")
	if err != nil {
		return nil, err
	}
	files = append(append(files, given...), filepath.Join(ws.Stack, "modules"), filepath.Join(ws.Stack, "build"), filepath.Join(ws.Stack, ".terraform.lock.hcl"))
	for _, file := range files {
		if err := link(file, filepath.Join(dir, filepath.Base(file))); err != nil {
			return nil, err
		}
	}
	if err := workspace.ReplaceFile(filepath.Join(dir, valuesFile), text, 0o600); err != nil {
		return nil, err
	}
	in := *ws
	in.Stack = dir
	in.Env = append(workspace.Without(ws.Env, func(name string) bool {
		return name == "TF_DATA_DIR" || name == "TF_WORKSPACE" || name == "STACK_DIR"
	}), "TF_DATA_DIR="+filepath.Join(dir, ".terraform"), "TF_WORKSPACE="+cell.Stack(), "APPROVE=1") // the campaign's plan was approved
	return &in, nil
}

// Folder is the folder of a cell's stack on this machine. Without a backend it also holds the state.
func (c *Campaign) Folder(ws *workspace.Workspace, cell Cell) string {
	return filepath.Join(ws.Stack, ".campaigns", c.Name, strings.TrimPrefix(cell.Stack(), c.Name+"-"))
}

// link creates or replaces a link; a file that does not exist gets none.
func link(file, at string) error {
	_, err := os.Stat(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err == nil {
		if err = os.Remove(at); os.IsNotExist(err) {
			err = nil
		}
	}
	if err == nil {
		err = os.Symlink(file, at)
	}
	return err
}
