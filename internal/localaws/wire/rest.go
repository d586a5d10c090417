package wire

import (
	"fmt"
	"net/http"
	"reflect"
	"strconv"
)

// restCodec is restJson1.
type restCodec struct{}

func (restCodec) protocol() string { return "rest-json" }

func (restCodec) decode(x *exchange, in any) error {
	v := reflect.ValueOf(in).Elem()
	whole := false // one member is the whole body
	for _, f := range fields(v.Type(), x.service.Lower) {
		var s string
		query := x.r.URL.Query()
		switch f.at {
		case "":
			continue
		case "body":
			whole = true
			v.FieldByIndex(f.index).SetBytes(x.body)
			continue
		case "uri":
			s = x.r.PathValue(f.param)
		case "query":
			if !query.Has(f.param) {
				continue
			}
			s = query.Get(f.param)
		case "header":
			s = x.r.Header.Get(f.param)
		}
		if s == "" && f.required {
			return x.service.invalid("%s is required", f.name)
		}
		if s == "" {
			continue
		}
		fv := v.FieldByIndex(f.index)
		if fv.Kind() == reflect.Slice && f.at == "query" { // ?tagKeys=a&tagKeys=b
			fv.Set(reflect.ValueOf(query[f.param]))
			continue
		}
		if err := setText(fv, s); err != nil {
			return x.service.invalid("%s: %v", f.name, err)
		}
	}
	if whole {
		return nil
	}
	t, err := parseJSON(x.body)
	if err != nil {
		return Errorf(http.StatusBadRequest, "SerializationException", "%v", err)
	}
	return decodeTree(x, in, t)
}

func (restCodec) encode(x *exchange, out any) error {
	x.header.Set("Content-Type", "application/json")
	v := reflect.ValueOf(out).Elem()
	for _, f := range fields(v.Type(), x.service.Lower) {
		fv := v.FieldByIndex(f.index)
		if f.at == "" || absent(fv, f) {
			continue
		}
		switch f.at {
		case "status":
			x.status = int(fv.Int())
		case "header":
			x.header.Set(f.param, fmt.Sprint(reflect.Indirect(fv).Interface()))
		case "body":
			x.out = fv.Bytes()
		}
	}
	if x.out != nil || x.status == http.StatusNoContent {
		return nil
	}
	var err error
	x.out, err = marshalJSON(out, x.service.Lower)
	return err
}

func (restCodec) fail(x *exchange, e *Error) {
	x.header.Set("Content-Type", "application/json")
	x.header.Set("x-amzn-ErrorType", e.Code)
	x.out = errorBody(x, e, map[string]string{})
}

// setText fills a leaf from its text in a form, a path or a header.
func setText(v reflect.Value, s string) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return setText(v.Elem(), s)
	}
	switch {
	case v.Type() == timeType:
		t, err := treeTime(s)
		v.Set(reflect.ValueOf(Time{t}))
		return err
	case v.Kind() == reflect.String:
		v.SetString(s)
		return nil
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(s)
		v.SetBool(b)
		return err
	case v.CanInt():
		n, err := strconv.ParseInt(s, 10, 64)
		v.SetInt(n)
		return err
	case v.CanFloat():
		n, err := strconv.ParseFloat(s, 64)
		v.SetFloat(n)
		return err
	}
	return fmt.Errorf("cannot read %q as %s", s, v.Type())
}
