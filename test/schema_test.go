package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

type schema map[string]any

func manifestSchema(t testing.TB) schema {
	t.Helper()
	text, err := os.ReadFile("../docs/manifest.schema.json")
	require.NoError(t, err)
	var s schema
	require.NoError(t, json.Unmarshal(text, &s))
	return s
}

// violations holds a manifest against docs/manifest.schema.json.
func violations(t testing.TB, manifest []byte) []string {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(manifest, &v))
	s := manifestSchema(t)
	return check{s}.value("manifest", s, v)
}

// check understands the part of JSON Schema that the manifest's uses, and panics at any other keyword.
type check struct{ root schema }

func (c check) value(at string, s schema, v any) (bad []string) {
	wrong := func(format string, args ...any) { bad = append(bad, at+": "+fmt.Sprintf(format, args...)) }
	for _, keyword := range slices.Sorted(maps.Keys(s)) {
		want := s[keyword]
		switch keyword {
		case "$schema", "$id", "$defs", "title", "description", "properties", "additionalProperties":
		case "$ref":
			bad = append(bad, c.value(at, c.root["$defs"].(map[string]any)[strings.TrimPrefix(want.(string), "#/$defs/")].(map[string]any), v)...)
		case "type":
			if !isType(want.(string), v) {
				wrong("%v is no %s", v, want)
				return bad
			}
		case "const":
			if !reflect.DeepEqual(want, v) {
				wrong("%v is not %v", v, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), v) {
				wrong("%v is none of %v", v, want)
			}
		case "pattern":
			if text, ok := v.(string); ok && !regexp.MustCompile(want.(string)).MatchString(text) {
				wrong("%q does not match %s", text, want)
			}
		case "format":
			if text, ok := v.(string); ok && want == "date-time" {
				if _, err := time.Parse(time.RFC3339, text); err != nil {
					wrong("%v", err)
				}
			}
		case "minimum":
			if n, ok := v.(float64); ok && n < want.(float64) {
				wrong("%v is below %v", n, want)
			}
		case "required":
			for _, name := range want.([]any) {
				if object, ok := v.(map[string]any); ok && object[name.(string)] == nil {
					wrong("%s is missing", name)
				}
			}
		case "items":
			list, _ := v.([]any)
			for i, item := range list {
				bad = append(bad, c.value(fmt.Sprintf("%s[%d]", at, i), want.(map[string]any), item)...)
			}
		default:
			panic("the check of schemas does not know " + keyword)
		}
	}
	object, _ := v.(map[string]any)
	properties, _ := s["properties"].(map[string]any)
	for name, member := range object {
		if p, ok := properties[name].(map[string]any); ok {
			bad = append(bad, c.value(at+"."+name, p, member)...)
		} else if s["additionalProperties"] == false {
			wrong("%s is not in the schema", name)
		}
	}
	return bad
}

func isType(name string, v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return name == "object"
	case []any:
		return name == "array"
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case float64:
		return name == "number" || name == "integer" && v == math.Trunc(v)
	}
	return false
}

// The schema and the Go types say the same: every member, and which may be absent.
func TestManifestSchema(t *testing.T) {
	s := manifestSchema(t)
	var same func(at string, s schema, of reflect.Type)
	same = func(at string, s schema, of reflect.Type) {
		for of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if ref, ok := s["$ref"].(string); ok {
			s = manifestSchema(t)["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		}
		switch {
		case of == reflect.TypeFor[time.Time](), of == reflect.TypeFor[json.RawMessage]():
			return
		case of.Kind() == reflect.Slice:
			same(at+"[]", s["items"].(map[string]any), of.Elem())
			return
		case of.Kind() != reflect.Struct:
			return
		}
		properties, _ := s["properties"].(map[string]any)
		var want, required []string
		for i := range of.NumField() {
			name, options, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			want = append(want, name)
			if !strings.Contains(options, "omit") {
				required = append(required, name)
			}
			if p, ok := properties[name].(map[string]any); ok {
				same(at+"."+name, p, of.Field(i).Type)
			}
		}
		require.ElementsMatch(t, want, slices.Collect(maps.Keys(properties)), at)
		require.ElementsMatch(t, required, s["required"], at)
		require.Equal(t, false, s["additionalProperties"], at)
	}
	same("manifest", s, reflect.TypeFor[export.Manifest]())

	text, err := json.Marshal(export.Manifest{})
	require.NoError(t, err)
	require.NotEmpty(t, violations(t, text), "an empty manifest is none")
}
