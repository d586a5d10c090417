package test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
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

// checkManifest checks a manifest against docs/manifest.schema.json.
func checkManifest(t testing.TB, manifest []byte) error {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile("../docs/manifest.schema.json")
	require.NoError(t, err)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(manifest))
	require.NoError(t, err)
	return s.Validate(value)
}

// The schema and the Go types agree on every member, and on which members can be absent.
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
	require.Error(t, checkManifest(t, text), "an empty manifest is invalid")
}
