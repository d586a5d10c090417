package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// codec is one AWS wire protocol.
type codec interface {
	protocol() string
	decode(x *exchange, in any) error
	encode(x *exchange, out any) error
	fail(x *exchange, e *Error)
}

// decodeTree fills in from a tree and refuses unknown members.
func decodeTree(x *exchange, in, tree any) error {
	var unknown []string
	if err := setTree(reflect.ValueOf(in).Elem(), tree, x.service.Lower, "", &unknown); err != nil {
		return x.service.invalid("%v", err)
	}
	return x.refuse(unknown)
}

func (x *exchange) refuse(unknown []string) error {
	for _, name := range unknown {
		x.registry.Miss(fmt.Sprintf("%s.%s member %s", x.call.Service, x.call.Action, name))
	}
	if len(unknown) > 0 {
		return x.service.invalid("localaws does not serve %s of %s", strings.Join(unknown, ", "), x.call.Action)
	}
	return nil
}

// parseJSON reads a body; an empty one is an empty object.
func parseJSON(body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var t any
	if err := d.Decode(&t); err != nil {
		return nil, err
	}
	return t, nil
}

// leaves replaces what encoding/json would spell differently from AWS.
func leaves(t any) any {
	switch v := t.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = leaves(e)
		}
	case []any:
		for i, e := range v {
			v[i] = leaves(e)
		}
	case Time: // epoch seconds with milliseconds
		return json.Number(strconv.FormatFloat(float64(v.UnixMilli())/1000, 'f', -1, 64))
	case float64:
		switch {
		case math.IsNaN(v):
			return "NaN"
		case math.IsInf(v, 1):
			return "Infinity"
		case math.IsInf(v, -1):
			return "-Infinity"
		}
	}
	return t
}

func marshalJSON(out any, lower bool) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(leaves(tree(reflect.ValueOf(out), lower)))
	return bytes.TrimSpace(b.Bytes()), err
}

// jsonCodec is awsJson1_0 and awsJson1_1: the answer's content type is the request's.
type jsonCodec struct{ contentType string }

func (jsonCodec) protocol() string { return "json" }

func (jsonCodec) decode(x *exchange, in any) error {
	t, err := parseJSON(x.body)
	if err != nil {
		return Errorf(http.StatusBadRequest, "SerializationException", "%v", err)
	}
	return decodeTree(x, in, t)
}

func (c jsonCodec) encode(x *exchange, out any) error {
	x.header.Set("Content-Type", c.contentType)
	var err error
	x.out, err = marshalJSON(out, x.service.Lower)
	return err
}

func (c jsonCodec) fail(x *exchange, e *Error) {
	x.header.Set("Content-Type", c.contentType)
	x.queryError(e)
	x.out = errorBody(x, e, map[string]string{"__type": e.Code})
}

// queryError adds an error's query-protocol code to its shape. Clients written for the query protocol, such as the Terraform provider, read it.
func (x *exchange) queryError(e *Error) {
	if x.service.Codes != nil {
		x.header.Set("x-amzn-query-error", x.service.queryCode(e)+";"+e.fault())
	}
}

func errorBody(x *exchange, e *Error, m map[string]string) []byte {
	key := x.service.Message
	if key == "" {
		key = "message"
	}
	m[key] = e.Message
	b, _ := json.Marshal(m) // a map of strings always encodes
	return b
}
