// Package campaign reads a campaign's file, plans its runs and estimates their cost. A campaign compares several settings of the stack. The package creates
// nothing in AWS.
package campaign

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math/big"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"

	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Campaign is the content of a campaign's file.
type Campaign struct {
	Name     string // from the file's name
	File     string // as a person types it
	Repeats  int    // runs of each variant
	Parallel int    // stacks at a time, at most
	Budget   float64
	Baseline string // a variant's name
	RankBy   string // id of a figure
	Seed     uint32 // of the run order
	Variants []Variant

	places map[string]hcl.Range // of the file's arguments
}

// Variant is one of the compared settings.
type Variant struct {
	Name   string
	Inputs map[string]cty.Value // includes the common ones
	At     hcl.Range            // in the file
}

// Bounds of a file.
const (
	mostRepeats  = 100
	mostVariants = 50
	nameLength   = 40 // of a stack's name: the bound of the root's variable name
)

// own are the inputs that a campaign sets itself, or that all its cells share.
var own = map[string]string{
	"name":                     "each run has a stack of its own name",
	"campaign":                 "it is set for each run",
	"metrics_export_s3_prefix": "each run has a folder of its own below the stack's prefix",
	"metrics_export_s3_bucket": "all runs export to one bucket: set it in terraform.tfvars",
	"aws_region":               "all runs are in one Region: set it in terraform.tfvars",
	"existing_cache":           "every run needs a new cache",
}

var (
	fileSchema = &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "repeats", Required: true}, {Name: "parallel"}, {Name: "budget"}, {Name: "baseline"}, {Name: "rank_by"}, {Name: "seed"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "common"}, {Type: "variant", LabelNames: []string{"name"}}, {Type: "matrix", LabelNames: []string{"name"}}},
	}
	nameOf = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	unfit  = regexp.MustCompile(`[^a-z0-9]+`)
)

// Read reads a campaign's file. Its errors give file, line and column. It reads only the file and the stack's variables.tf.
func Read(ws *workspace.Workspace, file string) (*Campaign, error) {
	declared, err := terraform.DeclaredInputs(ws)
	if err != nil {
		return nil, err
	}
	parsed, diags := hclparse.NewParser().ParseHCLFile(file)
	if diags.HasErrors() {
		return nil, said(ws, diags)
	}
	r := reader{declared: declared, c: &Campaign{Name: strings.TrimSuffix(filepath.Base(file), ".hcl"), File: ws.Path(file)}}
	r.read(parsed.Body)
	if r.diags.HasErrors() {
		return nil, said(ws, r.diags)
	}
	return r.c, nil
}

// said returns diagnostics as one error, each with its position.
func said(ws *workspace.Workspace, diags hcl.Diagnostics) error {
	var lines []string
	for _, d := range diags {
		at := ""
		if d.Subject != nil {
			at = place(ws.Path(d.Subject.Filename), *d.Subject) + ": "
		}
		text := strings.TrimSuffix(d.Summary, ".")
		if d.Detail != "" {
			text += ": " + d.Detail
		}
		lines = append(lines, at+text)
	}
	return fmt.Errorf("the campaign cannot run, and nothing was created:\n  - %s", strings.Join(lines, "\n  - "))
}

func place(file string, r hcl.Range) string {
	return fmt.Sprintf("%s:%d,%d", file, r.Start.Line, r.Start.Column)
}

// At is a variant's position in the file, for errors.
func (c *Campaign) At(v Variant) string { return place(c.File, v.At) }

// Place is the position of an argument in the file, or just the file if the argument is not set, for errors.
func (c *Campaign) Place(argument string) string {
	if at, is := c.places[argument]; is {
		return place(c.File, at)
	}
	return c.File
}

// reader collects problems, so that a person sees all of them at once.
type reader struct {
	declared terraform.Declared
	c        *Campaign
	diags    hcl.Diagnostics
}

func (r *reader) wrong(at hcl.Range, format string, args ...any) {
	r.diags = append(r.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: fmt.Sprintf(format, args...), Subject: &at})
}

func (r *reader) read(body hcl.Body) {
	content, diags := body.Content(fileSchema)
	r.diags = append(r.diags, diags...)
	if !nameOf.MatchString(r.c.Name) || r.c.Name[0] < 'a' {
		r.wrong(body.MissingItemRange(), "the campaign is named after its file, and %q is not a valid name: use lower-case letters, digits and single hyphens, a letter first", r.c.Name)
	}
	a := content.Attributes
	r.c.places = map[string]hcl.Range{}
	for name, at := range a {
		r.c.places[name] = at.Expr.Range()
	}
	r.c.Repeats = r.whole(a["repeats"], 0, 1, mostRepeats)
	r.c.Parallel = r.whole(a["parallel"], 1, 1, mostVariants)
	r.c.Seed = uint32(r.whole(a["seed"], -1, 0, 1<<31-1))
	r.c.RankBy = "ops_per_second"
	if at := a["rank_by"]; at != nil {
		r.c.RankBy = r.text(at)
		var known []string
		for _, k := range report.Figures {
			if k.Better != "" {
				known = append(known, k.ID)
			}
		}
		if !slices.Contains(known, r.c.RankBy) {
			r.wrong(at.Expr.Range(), "rank_by: there is no figure %s to rank by%s", r.c.RankBy, terraform.Instead(r.c.RankBy, known))
		}
	}
	if at := a["budget"]; at != nil {
		if v := r.number(at); v != nil {
			if r.c.Budget, _ = v.Float64(); r.c.Budget <= 0 {
				r.wrong(at.Expr.Range(), "the budget is in USD, and has to be above 0; leave it out for none")
			}
		}
	}
	common := map[string]cty.Value{}
	for _, b := range content.Blocks.OfType("common") {
		for name, v := range r.inputs(b.Body, nil) {
			if _, twice := common[name]; twice {
				r.wrong(b.DefRange, "%s is in two common blocks", name)
			}
			common[name] = v
		}
	}
	for _, b := range content.Blocks {
		switch b.Type {
		case "variant":
			r.add(b.Labels[0], b.LabelRanges[0], common, r.inputs(b.Body, nil))
		case "matrix":
			r.cross(b, common)
		}
	}
	r.together(a, body)
}

// together checks the variants as a whole.
func (r *reader) together(a hcl.Attributes, body hcl.Body) {
	var names []string
	for _, v := range r.c.Variants {
		names = append(names, v.Name)
	}
	if len(names) < 2 && !r.diags.HasErrors() {
		r.wrong(body.MissingItemRange(), "a campaign compares two or more variants, and this file has %d", len(names))
		return
	}
	if len(names) > mostVariants {
		r.wrong(body.MissingItemRange(), "a campaign has at most %d variants, and this file has %d", mostVariants, len(names))
	}
	if len(names) > 0 {
		r.c.Baseline = names[0]
	}
	if at := a["baseline"]; at != nil {
		if r.c.Baseline = r.text(at); !slices.Contains(names, r.c.Baseline) {
			r.wrong(at.Expr.Range(), "baseline: there is no variant %s%s", r.c.Baseline, terraform.Instead(r.c.Baseline, names))
		}
	}
	if a["seed"] == nil { // derived from the names, so that it need not be stored
		sum := fnv.New32a()
		fmt.Fprintln(sum, r.c.Name, names)
		r.c.Seed = sum.Sum32() >> 1
	}
}

// inputs returns the inputs that a block sets.
func (r *reader) inputs(body hcl.Body, ctx *hcl.EvalContext, but ...string) map[string]cty.Value {
	attributes, diags := body.JustAttributes()
	r.diags = append(r.diags, diags...)
	set := map[string]cty.Value{}
	for _, a := range slices.SortedFunc(maps.Values(attributes), func(a, b *hcl.Attribute) int { return a.NameRange.Start.Byte - b.NameRange.Start.Byte }) {
		if slices.Contains(but, a.Name) {
			continue
		}
		if why := own[a.Name]; why != "" {
			r.wrong(a.NameRange, "a campaign cannot set %s: %s", a.Name, why)
			continue
		}
		r.declared.Check(a, func(at hcl.Range, problem string) { r.wrong(at, "%s", problem) })
		v, diags := a.Expr.Value(ctx)
		if r.diags = append(r.diags, diags...); !diags.HasErrors() {
			set[a.Name] = v
		}
	}
	return set
}

// cross adds a variant for each combination of a matrix's lists.
func (r *reader) cross(b *hcl.Block, common map[string]cty.Value) {
	attributes, _ := b.Body.JustAttributes()
	over := attributes["over"]
	if over == nil {
		r.wrong(b.DefRange, "the matrix %q has no over = { NAME = [values], ... }", b.Labels[0])
		return
	}
	pairs, diags := hcl.ExprMap(over.Expr)
	if r.diags = append(r.diags, diags...); diags.HasErrors() {
		return
	}
	if len(pairs) == 0 {
		r.wrong(over.Expr.Range(), "the matrix %q is empty: over has no list", b.Labels[0])
		return
	}
	type point struct {
		name   string
		values map[string]cty.Value
	}
	points := []point{{b.Labels[0], nil}}
	for _, p := range pairs {
		key, diags := p.Key.Value(nil)
		list, more := p.Value.Value(nil)
		if r.diags = append(r.diags, append(diags, more...)...); diags.HasErrors() || more.HasErrors() {
			return
		}
		if key.Type() != cty.String || key.IsNull() {
			r.wrong(p.Key.Range(), "the names in over have to be strings")
			return
		}
		if !list.CanIterateElements() || list.LengthInt() == 0 {
			r.wrong(p.Value.Range(), "the matrix %q is empty: %s has no values", b.Labels[0], key.AsString())
			return
		}
		var next []point
		for _, was := range points {
			for _, v := range list.AsValueSlice() {
				at := point{was.name + "-" + word(key.AsString(), v), map[string]cty.Value{key.AsString(): v}}
				maps.Copy(at.values, was.values)
				next = append(next, at)
			}
		}
		points = next
	}
	before := len(r.diags)
	for _, p := range points {
		inputs := r.inputs(b.Body, &hcl.EvalContext{Variables: map[string]cty.Value{"over": cty.ObjectVal(p.values)}}, "over")
		if len(r.diags) > before { // each point would repeat the same problem
			return
		}
		r.add(p.name, b.LabelRanges[0], common, inputs)
	}
}

// word turns a value into a part of a name: valkey, tls and no-tls, pipeline8.
func word(key string, v cty.Value) string {
	text := key
	switch {
	case v.IsNull():
		text = "no-" + key
	case v.Type() == cty.String:
		text = v.AsString()
	case v.Type() == cty.Number:
		text = key + v.AsBigFloat().Text('f', -1)
	case v.Type() == cty.Bool && v.False():
		text = "no-" + key
	}
	return strings.Trim(unfit.ReplaceAllString(strings.ToLower(text), "-"), "-")
}

func (r *reader) add(name string, at hcl.Range, common, inputs map[string]cty.Value) {
	switch longest := len(Cell{Campaign: r.c.Name, Variant: name, Round: max(1, r.c.Repeats)}.Stack()); {
	case !nameOf.MatchString(name):
		r.wrong(at, "the variant's name %q must consist of lower-case letters, digits and single hyphens", name)
	case slices.ContainsFunc(r.c.Variants, func(v Variant) bool { return v.Name == name }):
		r.wrong(at, "there is already a variant %s", name)
	case longest > nameLength:
		r.wrong(at, "the stacks' names get too long: %s has %d characters, and the maximum is %d: shorten the variant's name or the file's", Cell{Campaign: r.c.Name, Variant: name, Round: r.c.Repeats}.Stack(), longest, nameLength)
	}
	r.c.Variants = append(r.c.Variants, Variant{Name: name, Inputs: merged(common, inputs), At: at})
}

// merged merges objects recursively; other values replace the common ones.
func merged(common, inputs map[string]cty.Value) map[string]cty.Value {
	out := maps.Clone(common)
	for name, v := range inputs {
		if was, has := out[name]; has && isObject(was) && isObject(v) {
			v = cty.ObjectVal(merged(was.AsValueMap(), v.AsValueMap()))
		}
		out[name] = v
	}
	return out
}

func isObject(v cty.Value) bool {
	return !v.IsNull() && v.IsKnown() && (v.Type().IsObjectType() || v.Type().IsMapType()) && v.LengthInt() > 0
}

// whole reads an integer within bounds; 0 if the file is wrong.
func (r *reader) whole(a *hcl.Attribute, unset, least, most int) int {
	if a == nil {
		return unset
	}
	v := r.number(a)
	if v == nil {
		return 0
	}
	n, exact := v.Int64()
	if exact != big.Exact || n < int64(least) || n > int64(most) {
		r.wrong(a.Expr.Range(), "%s has to be a whole number from %d to %d", a.Name, least, most)
		return 0
	}
	return int(n)
}

func (r *reader) number(a *hcl.Attribute) *big.Float {
	v, diags := a.Expr.Value(nil)
	r.diags = append(r.diags, diags...)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.Number {
		if !diags.HasErrors() {
			r.wrong(a.Expr.Range(), "%s has to be a number", a.Name)
		}
		return nil
	}
	return v.AsBigFloat()
}

func (r *reader) text(a *hcl.Attribute) string {
	v, diags := a.Expr.Value(nil)
	r.diags = append(r.diags, diags...)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		if !diags.HasErrors() {
			r.wrong(a.Expr.Range(), "%s has to be a string", a.Name)
		}
		return ""
	}
	return v.AsString()
}
