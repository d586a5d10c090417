package wire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Time is a timestamp: epoch seconds in JSON, tag 1 in CBOR, RFC 3339 in XML and forms; millisecond precision.
type Time struct{ time.Time }

// At is a pointer to t as a Time, nil for the zero time.
func At(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{t.UTC()}
}

var (
	timeType  = reflect.TypeFor[Time]()
	bytesType = reflect.TypeFor[[]byte]()
)

// field is a struct field as the wire sees it.
type field struct {
	index               []int
	name, element       string // element: name of a list's XML elements
	at, param           string // REST-JSON location: uri, query, header, body, status, and its name there
	required, omitempty bool
}

var fieldCache sync.Map // of fieldKey to []field

type fieldKey struct {
	t     reflect.Type
	lower bool
}

// fields lists the members of a struct type, with embedded structs flattened.
func fields(t reflect.Type, lower bool) []field {
	key := fieldKey{t, lower}
	if fs, ok := fieldCache.Load(key); ok {
		return fs.([]field)
	}
	var fs []field
	for _, sf := range reflect.VisibleFields(t) {
		if sf.Anonymous || !sf.IsExported() {
			continue
		}
		name, opts, _ := strings.Cut(sf.Tag.Get("wire"), ",")
		f := field{index: sf.Index, required: strings.Contains(opts, "required"), omitempty: strings.Contains(opts, "omitempty")}
		f.name, f.element, _ = strings.Cut(name, ">")
		if f.name == "" {
			f.name = sf.Name
			if lower {
				f.name = strings.ToLower(sf.Name[:1]) + sf.Name[1:]
			}
		}
		f.at, f.param, _ = strings.Cut(sf.Tag.Get("at"), "=")
		if f.param == "" {
			f.param = f.name
			if f.at == "uri" {
				f.param = sf.Name
			}
		}
		fs = append(fs, f)
	}
	fieldCache.Store(key, fs)
	return fs
}

// absent says that a value is not sent.
func absent(v reflect.Value, f field) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return v.IsNil()
	}
	return f.omitempty && v.IsZero()
}

// setTree fills v from a decoded JSON or CBOR tree. path names the place in errors; unknown collects members
// that v has no field for.
func setTree(v reflect.Value, tree any, lower bool, path string, unknown *[]string) error {
	if tree == nil {
		return nil
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return setTree(v.Elem(), tree, lower, path, unknown)
	}
	switch {
	case v.Type() == timeType:
		t, err := treeTime(tree)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		v.Set(reflect.ValueOf(Time{t}))
		return nil
	case v.Type() == bytesType:
		switch b := tree.(type) {
		case []byte:
			v.SetBytes(b)
			return nil
		case string:
			raw, err := base64.StdEncoding.DecodeString(b)
			if err != nil {
				return fmt.Errorf("%s: not base64: %w", path, err)
			}
			v.SetBytes(raw)
			return nil
		}
		return mismatch(path, tree, v)
	case v.Kind() == reflect.Interface:
		v.Set(reflect.ValueOf(tree))
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		m, ok := tree.(map[string]any)
		if !ok {
			return mismatch(path, tree, v)
		}
		known := 0
		for _, f := range fields(v.Type(), lower) {
			if f.at != "" {
				continue
			}
			sub, ok := m[f.name]
			if !ok || sub == nil {
				if f.required {
					return fmt.Errorf("%s is required", join(path, f.name))
				}
				if ok {
					known++
				}
				continue
			}
			known++
			if err := setTree(v.FieldByIndex(f.index), sub, lower, join(path, f.name), unknown); err != nil {
				return err
			}
		}
		if known < len(m) {
			for name := range m {
				if !has(fields(v.Type(), lower), name) {
					*unknown = append(*unknown, join(path, name))
				}
			}
		}
	case reflect.Slice:
		l, ok := tree.([]any)
		if !ok {
			return mismatch(path, tree, v)
		}
		v.Set(reflect.MakeSlice(v.Type(), len(l), len(l)))
		for i, e := range l {
			if err := setTree(v.Index(i), e, lower, fmt.Sprintf("%s.%d", path, i+1), unknown); err != nil {
				return err
			}
		}
	case reflect.Map:
		m, ok := tree.(map[string]any)
		if !ok {
			return mismatch(path, tree, v)
		}
		v.Set(reflect.MakeMapWithSize(v.Type(), len(m)))
		for k, e := range m {
			ev := reflect.New(v.Type().Elem()).Elem()
			if err := setTree(ev, e, lower, join(path, k), unknown); err != nil {
				return err
			}
			v.SetMapIndex(reflect.ValueOf(k).Convert(v.Type().Key()), ev)
		}
	case reflect.String:
		s, ok := tree.(string)
		if !ok {
			return mismatch(path, tree, v)
		}
		v.SetString(s)
	case reflect.Bool:
		b, ok := tree.(bool)
		if !ok {
			return mismatch(path, tree, v)
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, ok := treeFloat(tree)
		if i, isInt := treeInt(tree); isInt {
			v.SetInt(i)
			return nil
		}
		if !ok || n != math.Trunc(n) {
			return mismatch(path, tree, v)
		}
		v.SetInt(int64(n))
	case reflect.Float64:
		n, ok := treeFloat(tree)
		if !ok {
			return mismatch(path, tree, v)
		}
		v.SetFloat(n)
	default:
		return fmt.Errorf("%s: cannot decode into %s", path, v.Type())
	}
	return nil
}

func has(fs []field, name string) bool {
	for _, f := range fs {
		if f.name == name {
			return true
		}
	}
	return false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func mismatch(path string, tree any, v reflect.Value) error {
	return fmt.Errorf("%s: cannot read %T as %s", path, tree, v.Kind())
}

func treeInt(tree any) (int64, bool) {
	switch n := tree.(type) {
	case int64:
		return n, true
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}

func treeFloat(tree any) (float64, bool) {
	switch n := tree.(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	case string: // JSON spells these as strings
		switch n {
		case "NaN", "Infinity", "-Infinity":
			f, err := strconv.ParseFloat(n, 64)
			return f, err == nil
		}
	}
	return 0, false
}

func treeTime(tree any) (time.Time, error) {
	switch t := tree.(type) {
	case time.Time:
		return t.UTC(), nil
	case string:
		return time.Parse(time.RFC3339, t)
	}
	if f, ok := treeFloat(tree); ok {
		return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("cannot read %T as a timestamp", tree)
}

// tree turns a Go value into what encoding/json and the CBOR encoder take: leaves stay Time, []byte, string,
// bool, int64, float64 or any.
func tree(v reflect.Value, lower bool) any {
	if v.Type() == timeType || v.Type() == bytesType {
		return v.Interface()
	}
	switch v.Kind() {
	case reflect.Pointer:
		return tree(v.Elem(), lower)
	case reflect.Struct:
		m := map[string]any{}
		for _, f := range fields(v.Type(), lower) {
			if fv := v.FieldByIndex(f.index); f.at == "" && !absent(fv, f) {
				m[f.name] = tree(fv, lower)
			}
		}
		return m
	case reflect.Slice:
		l := make([]any, v.Len())
		for i := range l {
			l[i] = tree(v.Index(i), lower)
		}
		return l
	case reflect.Map:
		m := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = tree(it.Value(), lower)
		}
		return m
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Float64:
		return v.Float()
	case reflect.Interface:
		return v.Interface()
	}
	panic("wire: cannot encode " + v.Type().String())
}
