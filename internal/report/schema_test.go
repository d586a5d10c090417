package report

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const schemaFile = "../../docs/results.schema.json"

// enums are the members that have a fixed set of values.
var enums = map[string][]string{
	"Verdict.outcome": {Limited, NotLimited, CannotTell}, "Finding.state": {Fired, Quiet, NoData, NotApplicable},
	"Figure.better": {"higher", "lower", ""}, "Series.stat": {"mean", "max"}, "Latency.loop": {"closed", "rate_limited", ""},
	"TaskResult.state": {"ok", "invalid", "failed", "died", "silent"},
	"Direction.state":  {BelowBaseline, BurstEnded, BurstToEnd, BurstUnclear, BurstNone, BurstUnknown},
}

// schema is made from the types of Results and their comments, so that the three cannot differ.
func schema(t *testing.T) string {
	comments := map[string]string{}
	file, err := parser.ParseFile(token.NewFileSet(), "results.go", nil, parser.ParseComments)
	require.NoError(t, err)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				for _, name := range f.Names {
					comments[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()+" "+f.Comment.Text()), " ")
				}
			}
		}
		return false
	})
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
			for _, s := range g.Specs {
				comments[s.(*ast.TypeSpec).Name.Name] = strings.Join(strings.Fields(g.Doc.Text()), " ")
			}
		}
	}
	defs := map[string]any{}
	root := describe(reflect.TypeFor[Results](), defs, comments)
	text, err := json.MarshalIndent(map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "results.json of elasticache-perf",
		"$ref": root["$ref"], "$defs": defs}, "", "  ")
	require.NoError(t, err)
	return string(text) + "\n"
}

func describe(t reflect.Type, defs map[string]any, comments map[string]string) map[string]any {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[Values]():
		return map[string]any{"type": "array", "items": map[string]any{"type": []string{"number", "null"}}}
	case t == reflect.TypeFor[json.RawMessage]():
		return map[string]any{"type": []string{"object", "null"}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		s := describe(t.Elem(), defs, comments)
		if name, ok := s["type"].(string); ok {
			s["type"] = []string{name, "null"}
			return s
		}
		return map[string]any{"anyOf": []any{s, map[string]any{"type": "null"}}}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": describe(t.Elem(), defs, comments)}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Struct:
		ref := map[string]any{"$ref": "#/$defs/" + t.Name()}
		if defs[t.Name()] != nil {
			return ref
		}
		members, required := map[string]any{}, []string{}
		defs[t.Name()] = map[string]any{"type": "object", "description": comments[t.Name()], "properties": members, "required": &required, "additionalProperties": false}
		for i := range t.NumField() {
			f := t.Field(i)
			name := f.Tag.Get("json")
			s := describe(f.Type, defs, comments)
			if text := comments[t.Name()+"."+f.Name]; text != "" {
				s["description"] = text
			}
			if e := enums[t.Name()+"."+name]; e != nil {
				s["enum"] = e
			}
			members[name] = s
			required = append(required, name)
		}
		return ref
	}
	panic("no schema for " + t.String())
}

func TestSchema(t *testing.T) {
	text := schema(t)
	if *update {
		require.NoError(t, os.WriteFile(schemaFile, []byte(text), 0o644))
	}
	have, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	require.Equal(t, text, string(have), "docs/results.schema.json is made by go test -update")
	for name := range enums {
		typ, member, _ := strings.Cut(name, ".")
		require.Contains(t, text, `"`+typ+`"`)
		require.Contains(t, text, `"`+member+`"`)
	}
}

// valid holds results against the schema in docs, and against what every section promises.
func valid(t *testing.T, r *Results) {
	t.Helper()
	text, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	var s, value any
	require.NoError(t, json.Unmarshal(text, &s))
	require.NoError(t, json.Unmarshal([]byte(marshal(t, r)), &value))
	require.Empty(t, violations(s.(map[string]any), s.(map[string]any), value, "results"))
	for _, f := range r.Headline {
		require.Equal(t, f.Value == nil, f.Window == nil, "%s names its window", f.ID)
		require.NotEmpty(t, f.Note, f.ID)
	}
	for _, f := range r.Verdict.Findings {
		require.NotEmpty(t, f.Evidence, f.ID)
		require.NotEmpty(t, f.Source, f.ID)
	}
}

// violations checks the keywords that the schema uses.
func violations(root, s map[string]any, v any, at string) (found []string) {
	if ref, ok := s["$ref"].(string); ok {
		return violations(root, root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any), v, at)
	}
	if options, ok := s["anyOf"].([]any); ok {
		for _, option := range options {
			if found = violations(root, option.(map[string]any), v, at); len(found) == 0 {
				return nil
			}
		}
		return found
	}
	types, _ := s["type"].([]any)
	if one, ok := s["type"].(string); ok {
		types = []any{one}
	}
	is := ""
	switch x := v.(type) {
	case nil:
		is = "null"
	case bool:
		is = "boolean"
	case string:
		is = "string"
	case float64:
		if is = "number"; x == float64(int64(x)) && slices.Contains(types, any("integer")) {
			is = "integer"
		}
	case []any:
		is = "array"
		for i, item := range x {
			found = append(found, violations(root, s["items"].(map[string]any), item, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case map[string]any:
		is = "object"
		members, known := s["properties"].(map[string]any)
		for name, member := range x {
			if m, ok := members[name].(map[string]any); ok {
				found = append(found, violations(root, m, member, at+"."+name)...)
			} else if known {
				found = append(found, at+"."+name+" is not in the schema")
			}
		}
		required, _ := s["required"].([]any)
		for _, name := range required {
			if _, ok := x[name.(string)]; !ok {
				found = append(found, at+"."+name.(string)+" is missing")
			}
		}
	}
	if !slices.Contains(types, any(is)) {
		found = append(found, fmt.Sprintf("%s is %s, not %v", at, is, types))
	}
	if values, ok := s["enum"].([]any); ok && !slices.Contains(values, v) {
		found = append(found, fmt.Sprintf("%s is %v", at, v))
	}
	return found
}
