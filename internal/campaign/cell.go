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

// Cell is one run of a campaign, in a stack of its own: a variant in a round. It is the stack's input campaign, and a member of the manifest's settings.
type Cell struct {
	Campaign string `json:"name"`
	Variant  string `json:"variant"`
	Round    int    `json:"round"` // from 1
	Seed     uint32 `json:"seed"`  // of the order of runs
}

// Stack is the cell's name in AWS.
func (c Cell) Stack() string { return fmt.Sprintf("%s-%s-r%d", c.Campaign, c.Variant, c.Round) }

// Prefix is where the campaign's objects are, below the stack's export prefix.
func (c *Campaign) Prefix(of string) string { return path.Join(of, "campaigns", c.Name) }

// Exports is the cell's export prefix, below the stack's.
func (c Cell) Exports(of string) string {
	return path.Join(of, "campaigns", c.Campaign, fmt.Sprintf("%s-r%d", c.Variant, c.Round))
}

// ran is what a stack's settings have of the campaign that it was made for.
type ran struct {
	Cell
	Inputs string // the sum of the variant's inputs; "" from before there was one
}

// of reads a stack's settings; nil: they are of no campaign.
func of(settings json.RawMessage) *ran {
	var has struct{ Campaign *ran }
	if json.Unmarshal(settings, &has) != nil {
		return nil
	}
	return has.Campaign
}

// CellOf is the cell that a stack was made for, by its settings; nil: none.
func CellOf(settings json.RawMessage) *Cell {
	if is := of(settings); is != nil {
		return &is.Cell
	}
	return nil
}

// Of tells whether a manifest is of the cell. The seed may be another one: a file may have got a variant since.
func (c Cell) Of(m *export.Manifest) bool {
	is := of(m.Settings)
	return is != nil && is.Campaign == c.Campaign && is.Variant == c.Variant && is.Round == c.Round
}

// Changed tells whether the cell of a manifest was run with other inputs than the file has for its variant now.
func (c *Campaign) Changed(cell Cell, m *export.Manifest) bool {
	is := of(m.Settings)
	return is != nil && is.Inputs != "" && is.Inputs != c.sum(cell.Variant)
}

// sum is that of a variant's inputs, in 12 digits: the Lambda's environment, which has 4 KB, carries it.
func (c *Campaign) sum(variant string) string {
	inputs := cty.ObjectVal(c.Variant(variant).Inputs)
	text, err := ctyjson.Marshal(inputs, inputs.Type())
	if err != nil { // as in values, which says so
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))[:12]
}

// Rounds are the campaign's cells: each round has every variant once, in an order drawn by the seed (randomized complete blocks).
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

// Variant is the one of a name.
func (c *Campaign) Variant(name string) Variant {
	for _, v := range c.Variants {
		if v.Name == name {
			return v
		}
	}
	return Variant{}
}

// Shorten gives every variant so many minutes of load.
func (c *Campaign) Shorten(minutes int) {
	for _, v := range c.Variants {
		v.Inputs["test_duration_minutes"] = cty.NumberIntVal(int64(minutes))
	}
}

// values are the inputs of a cell, as Terraform reads them from a file of JSON.
func (c *Campaign) values(cell Cell, prefix string) ([]byte, error) {
	all := map[string]cty.Value{}
	maps.Copy(all, c.Variant(cell.Variant).Inputs)
	all["name"], all["metrics_export_s3_prefix"] = cty.StringVal(cell.Stack()), cty.StringVal(cell.Exports(prefix))
	all["campaign"] = cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(cell.Campaign), "variant": cty.StringVal(cell.Variant),
		"round": cty.NumberIntVal(int64(cell.Round)), "seed": cty.NumberUIntVal(uint64(cell.Seed)), "inputs": cty.StringVal(c.sum(cell.Variant))})
	whole := cty.ObjectVal(all)
	return ctyjson.Marshal(whole, whole.Type())
}

// valuesFile comes after all other files that Terraform reads by itself, in the order of names, and wins.
const valuesFile = "zzz_campaign.auto.tfvars.json"

// Enter is the workspace of a cell's stack: a folder of links to the project's HCL and inputs, with the cell's inputs after them, Terraform data and, where the
// project keeps its state in a backend, a Terraform workspace of its own. prefix is the stack's export prefix.
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
	files, err := filepath.Glob(filepath.Join(ws.Stack, "*.tf"))
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
	}), "TF_DATA_DIR="+filepath.Join(dir, ".terraform"), "TF_WORKSPACE="+cell.Stack(), "APPROVE=1") // the plan of all was approved
	return &in, nil
}

// Folder is where a cell's stack is on this machine: its state is there, too, where the project has no backend.
func (c *Campaign) Folder(ws *workspace.Workspace, cell Cell) string {
	return filepath.Join(ws.Stack, ".campaigns", c.Name, strings.TrimPrefix(cell.Stack(), c.Name+"-"))
}

// link makes or renews a link; what is not there needs none.
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
