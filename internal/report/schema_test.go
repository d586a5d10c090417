package report

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

func schemaFile(name string) string { return "../../docs/" + name + ".schema.json" }

// enums are the members that have a fixed set of values.
var enums = map[string][]string{
	"Verdict.outcome": {Limited, NotLimited, CannotTell}, "Finding.state": {Fired, Quiet, NoData, NotApplicable, Noted},
	"Figure.better": {"higher", "lower", ""}, "Series.stat": {"mean", "max"}, "Latency.loop": {"closed", "rate_limited", ""},
	"Event.kind":         {EventOutage, EventFailover, EventSnapshot, EventLink, EventLag, EventSync, EventSlow},
	"Gap.reason":         {GapInterrupted, GapSilent, GapNoDatapoint, GapNoCommands, GapNotPublished},
	"TaskResult.state":   {"ok", "invalid", "failed", "died", "silent"},
	"Compared.direction": {Reference, BetterThan, WorseThan, WithinNoise, Higher, Lower, NotComparable, NotTested},
	"Direction.state":    {BelowBaseline, BurstEnded, BurstToEnd, BurstSpent, BurstUnclear, BurstNone, BurstUnknown},
}

// schemas are the schema files in docs, with their types.
var schemas = map[string]struct {
	title string
	of    reflect.Type
}{
	"results":    {"results.json of elasticache-perf: one run", reflect.TypeFor[Results]()},
	"comparison": {"results.json of elasticache-perf: several runs side by side", reflect.TypeFor[Comparison]()},
	"campaign":   {"campaign.json of elasticache-perf: the answer of a campaign", reflect.TypeFor[Campaign]()},
}

// schema is generated from a type and the comments of its members, so that they cannot differ.
func schema(t *testing.T, name string) string {
	comments := map[string]string{}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			spec := g.Specs[0].(*ast.TypeSpec)
			comments[spec.Name.Name] = strings.Join(strings.Fields(g.Doc.Text()), " ")
			if s, ok := spec.Type.(*ast.StructType); ok {
				for _, f := range s.Fields.List {
					for _, n := range f.Names {
						comments[spec.Name.Name+"."+n.Name] = strings.Join(strings.Fields(f.Doc.Text()+" "+f.Comment.Text()), " ")
					}
				}
			}
		}
	}
	defs := map[string]any{}
	root := describe(schemas[name].of, defs, comments)
	text, err := json.MarshalIndent(map[string]any{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": schemas[name].title,
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
	case reflect.Array:
		return map[string]any{"type": "array", "items": describe(t.Elem(), defs, comments), "minItems": t.Len(), "maxItems": t.Len()}
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
			if !f.IsExported() {
				continue // not in the file
			}
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
	all := ""
	for name := range schemas {
		text := schema(t, name)
		if *update {
			require.NoError(t, os.WriteFile(schemaFile(name), []byte(text), 0o644))
		}
		have, err := os.ReadFile(schemaFile(name))
		require.NoError(t, err)
		require.True(t, text == string(have), "%s is made by go test -update", schemaFile(name))
		all += text
	}
	for name := range enums {
		typ, member, _ := strings.Cut(name, ".")
		require.Contains(t, all, `"`+typ+`"`)
		require.Contains(t, all, `"`+member+`"`)
	}
}

// asSchema checks a value against a schema in docs.
func asSchema(t *testing.T, name string, of any) {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(schemaFile(name))
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(marshal(t, of)))
	require.NoError(t, err)
	require.NoError(t, s.Validate(value))
}

// valid checks results against the schema in docs, and against what every section promises.
func valid(t *testing.T, r *Results) {
	t.Helper()
	asSchema(t, "results", r)
	for _, f := range r.Headline {
		require.Equal(t, f.Value == nil, f.Window == nil, "%s names its window", f.ID)
		require.NotEmpty(t, f.Note, f.ID)
	}
	for _, f := range r.Verdict.Findings {
		require.NotEmpty(t, f.Evidence, f.ID)
		require.NotEmpty(t, f.Source, f.ID)
	}
}
