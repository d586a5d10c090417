package terraform_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// input is a declared variable: its type, and its default with those of its keys.
type input struct {
	kind     cty.Type
	value    cty.Value // cty.NilVal: it is required
	defaults *typeexpr.Defaults
	secret   bool
}

// inputs reads the variables of a root or a module.
func inputs(t *testing.T, dir string) map[string]input {
	t.Helper()
	file, diags := hclparse.NewParser().ParseHCLFile(filepath.Join("../..", dir, "variables.tf"))
	require.False(t, diags.HasErrors(), diags)
	all := map[string]input{}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		attributes := block.Body.Attributes
		kind, defaults, diags := typeexpr.TypeConstraintWithDefaults(attributes["type"].Expr)
		require.False(t, diags.HasErrors(), diags)
		in := input{kind: kind, defaults: defaults, secret: attributes["sensitive"] != nil}
		if d := attributes["default"]; d != nil {
			in.value = in.complete(t, d.Expr)
		}
		all[block.Labels[0]] = in
	}
	return all
}

// complete is a value as Terraform gives it to the module: with the keys that it leaves out.
func (in input) complete(t *testing.T, expr hcl.Expression) cty.Value {
	t.Helper()
	value, diags := expr.Value(nil)
	require.False(t, diags.HasErrors(), diags)
	if in.defaults != nil && !value.IsNull() {
		value = in.defaults.Apply(value)
	}
	value, err := convert.Convert(value, in.kind)
	require.NoError(t, err)
	return value
}

var (
	assignment  = regexp.MustCompile(`(?m)^# ?( *[a-z0-9_]+ += .*|\})$`)
	illustrated = regexp.MustCompile(`(?m)^#? *([a-z0-9_]+) += null # (\{.*\})$`)
)

// terraform.tfvars.example shows every input and every key of an object with its true default. The stack's cache and load leave theirs to the modules.
func TestExampleShowsTheDefaults(t *testing.T) {
	text, err := os.ReadFile("../../terraform.tfvars.example")
	require.NoError(t, err)
	file, diags := hclparse.NewParser().ParseHCL(assignment.ReplaceAll(text, []byte("$1")), "terraform.tfvars.example")
	require.False(t, diags.HasErrors(), diags)
	shown := file.Body.(*hclsyntax.Body).Attributes
	root := inputs(t, ".")
	of := map[string]input{"cache": inputs(t, "modules/cache")["cache"], "load": inputs(t, "modules/ecs-load")["load"]}
	objects := map[string]cty.Type{} // that are null, by name or key
	for name, in := range root {
		if in.secret {
			require.NotContains(t, shown, name, "a secret stands in no file")
			continue
		}
		if name == "campaign" {
			require.NotContains(t, shown, name, "a campaign sets it, and nobody else")
			continue
		}
		require.Contains(t, shown, name, "the example leaves out an input")
		if in.value == cty.NilVal {
			continue
		}
		value, diags := shown[name].Expr.Value(nil)
		require.False(t, diags.HasErrors(), diags)
		if in.value.IsNull() {
			require.True(t, value.IsNull(), name)
			if in.kind.IsObjectType() {
				objects[name] = in.kind
			}
			continue
		}
		if !in.kind.IsObjectType() {
			got, err := convert.Convert(value, in.kind)
			require.NoError(t, err)
			require.True(t, got.RawEquals(in.value), "%s is %#v, its default %#v", name, got, in.value)
			continue
		}
		truth := in.value
		if module, is := of[name]; is {
			truth = module.value
		}
		keys := slices.Sorted(maps.Keys(in.kind.AttributeTypes()))
		require.Equal(t, keys, slices.Sorted(maps.Keys(value.Type().AttributeTypes())), "the keys of %s", name)
		for _, key := range keys {
			want := truth.GetAttr(key)
			got, err := convert.Convert(value.GetAttr(key), want.Type())
			require.NoError(t, err, "%s.%s", name, key)
			require.True(t, got.RawEquals(want), "%s.%s is %#v, its default %#v", name, key, got, want)
			if kind := in.kind.AttributeType(key); want.IsNull() && kind.IsObjectType() {
				objects[key] = kind
			}
		}
	}
	require.Len(t, shown, len(root)-2, "the example shows what is no input") // the auth_token and campaign are not in it

	// What is null and would be an object stands behind it, with all of its keys.
	for _, m := range illustrated.FindAllStringSubmatch(string(text), -1) {
		expr, diags := hclsyntax.ParseExpression([]byte(m[2]), m[1], hcl.InitialPos)
		require.False(t, diags.HasErrors(), diags)
		value, diags := expr.Value(nil)
		require.False(t, diags.HasErrors(), diags)
		require.Contains(t, objects, m[1])
		keys := strings.Join(slices.Sorted(maps.Keys(objects[m[1]].AttributeTypes())), " ")
		require.Equal(t, keys, strings.Join(slices.Sorted(maps.Keys(value.Type().AttributeTypes())), " "), "the keys of %s", m[1])
		_, err := convert.Convert(value, objects[m[1]])
		require.NoError(t, err)
		delete(objects, m[1])
	}
	require.Empty(t, objects, "no example stands behind these")
}
