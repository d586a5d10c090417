package terraform

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Terraform warns of an unknown name in a file, ignores one in the environment, and drops an unknown key of an object. An hour's run then measures
// something that nobody wanted, so names and keys are compared with the stack's declarations.

// CheckGiven refuses names and keys that the stack does not declare, and flags that make Terraform do something else. Terraform reports what cannot be read.
func CheckGiven(ws *workspace.Workspace, env []string) error {
	declared, err := declarations(filepath.Join(ws.Stack, "variables.tf"))
	if err != nil {
		return err
	}
	files, err := GivenFiles(ws.Stack)
	if err != nil {
		return err
	}
	problems, err := checkFlags(env)
	if err != nil {
		return err
	}
	for _, file := range files {
		problems = append(problems, checkFile(ws, file, declared)...)
	}
	for _, e := range env {
		variable, value, _ := strings.Cut(e, "=")
		name, is := strings.CutPrefix(variable, "TF_VAR_")
		if !is {
			continue
		}
		problems = append(problems, checkText(variable+" in the environment", name, value, declared)...)
	}
	arguments, err := argumentsOf(ws, env)
	if err != nil {
		return err
	}
	for _, a := range arguments {
		if a.flag == "var-file" {
			problems = append(problems, checkFile(ws, a.value, declared)...)
			continue
		}
		name, value, _ := strings.Cut(a.value, "=")
		problems = append(problems, checkText(a.from+" in the environment", strings.TrimSpace(name), value, declared)...)
	}
	if len(problems) > 0 {
		return fmt.Errorf("invalid inputs; nothing was done:\n  - %s", strings.Join(problems, "\n  - "))
	}
	return nil
}

// checkText checks an input that is given as text.
func checkText(where, name, value string, declared map[string]cty.Type) []string {
	kind, known := declared[name]
	if !known {
		return []string{fmt.Sprintf("%s: the stack has no input %s%s", where, name, Instead(name, slices.Sorted(maps.Keys(declared))))}
	}
	expr, diags := hclsyntax.ParseExpression([]byte(value), where, hcl.InitialPos)
	if kind.IsPrimitiveType() || diags.HasErrors() {
		return nil
	}
	var problems []string
	unknownKeys(expr, kind, name, func(_ hcl.Range, problem string) { problems = append(problems, where+": "+problem) })
	return problems
}

// GivenFiles lists the files from which Terraform reads values by itself.
// https://developer.hashicorp.com/terraform/language/values/variables#variable-definitions-tfvars-files
func GivenFiles(dir string) (files []string, err error) {
	for _, pattern := range []string{"terraform.tfvars", "terraform.tfvars.json", "*.auto.tfvars", "*.auto.tfvars.json"} {
		found, err := workspace.Glob(dir, pattern)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}

func checkFile(ws *workspace.Workspace, file string, declared map[string]cty.Type) (problems []string) {
	parser := hclparse.NewParser()
	parse := parser.ParseHCLFile
	if strings.HasSuffix(file, ".json") {
		parse = parser.ParseJSONFile
	}
	read, diags := parse(file)
	if diags.HasErrors() {
		return nil
	}
	attributes, diags := read.Body.JustAttributes()
	if diags.HasErrors() {
		return nil
	}
	wrong := func(at hcl.Range, problem string) {
		problems = append(problems, fmt.Sprintf("%s:%d: %s", ws.Path(file), at.Start.Line, problem))
	}
	given := slices.SortedFunc(maps.Values(attributes), func(a, b *hcl.Attribute) int { return a.NameRange.Start.Byte - b.NameRange.Start.Byte })
	for _, a := range given {
		Declared(declared).Check(a, wrong)
	}
	return problems
}

// Declared are the stack's inputs by name, with their types.
type Declared map[string]cty.Type

// DeclaredInputs are what the stack's variables.tf declares.
func DeclaredInputs(ws *workspace.Workspace) (Declared, error) {
	return declarations(filepath.Join(ws.Stack, "variables.tf"))
}

// Check returns what in an attribute, in any kind of file, is not an input or a key of one.
func (d Declared) Check(a *hcl.Attribute, wrong func(at hcl.Range, problem string)) {
	kind, known := d[a.Name]
	if !known {
		wrong(a.NameRange, fmt.Sprintf("the stack has no input %s%s", a.Name, Instead(a.Name, slices.Sorted(maps.Keys(d)))))
		return
	}
	unknownKeys(a.Expr, kind, a.Name, wrong)
}

// declarations are the names and types of a file's variables.
func declarations(file string) (map[string]cty.Type, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("the stack's inputs are declared in variables.tf, but %w: the stack is the project's folder, or what STACK_DIR names", err)
	}
	blocks, _, err := variables(file)
	if err != nil {
		return nil, err
	}
	declared := map[string]cty.Type{}
	for name, b := range blocks {
		declared[name] = cty.DynamicPseudoType
		if a := b.Body.Attributes["type"]; a != nil {
			kind, _, diags := typeexpr.TypeConstraintWithDefaults(a.Expr)
			if diags.HasErrors() {
				return nil, fmt.Errorf("the stack's inputs: %w", diags)
			}
			declared[name] = kind
		}
	}
	return declared, nil
}

// variables are the declarations of a file's variables by name, and the file's text.
func variables(file string) (declared map[string]*hclsyntax.Block, text []byte, err error) {
	read, diags := hclparse.NewParser().ParseHCLFile(file)
	if diags.HasErrors() {
		return nil, nil, fmt.Errorf("the stack's inputs: %w", diags)
	}
	declared = map[string]*hclsyntax.Block{}
	for _, b := range read.Body.(*hclsyntax.Body).Blocks {
		if b.Type == "variable" && len(b.Labels) == 1 {
			declared[b.Labels[0]] = b
		}
	}
	return declared, read.Bytes, nil
}

// unknownKeys finds object keys in a value that its type lacks.
func unknownKeys(expr hcl.Expression, kind cty.Type, path string, wrong func(at hcl.Range, problem string)) {
	switch {
	case kind.IsObjectType():
		pairs, diags := hcl.ExprMap(expr)
		if diags.HasErrors() {
			return
		}
		known := kind.AttributeTypes()
		for _, p := range pairs {
			key, diags := p.Key.Value(nil)
			if diags.HasErrors() || key.Type() != cty.String || key.IsNull() {
				continue
			}
			name := key.AsString()
			if inner, is := known[name]; is {
				unknownKeys(p.Value, inner, path+"."+name, wrong)
				continue
			}
			wrong(p.Key.Range(), fmt.Sprintf("%s has no %s%s", path, name, Instead(name, slices.Sorted(maps.Keys(known)))))
		}
	case kind.IsMapType():
		pairs, _ := hcl.ExprMap(expr)
		for _, p := range pairs {
			unknownKeys(p.Value, kind.ElementType(), path, wrong)
		}
	case kind.IsListType() || kind.IsSetType():
		items, _ := hcl.ExprList(expr)
		for i, item := range items {
			unknownKeys(item, kind.ElementType(), fmt.Sprintf("%s[%d]", path, i), wrong)
		}
	}
}

// Instead is the nearest word, or all words if none is near.
func Instead(word string, words []string) string {
	if right := workspace.Nearest(word, words); right != "" {
		return fmt.Sprintf(": write %s", right)
	}
	return fmt.Sprintf(" (it has %s)", strings.Join(words, ", "))
}
