package wire

import (
	"fmt"
	"math"
	"net/http"
	"reflect"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// cborCodec is Smithy's RPC v2 CBOR.
// https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
type cborCodec struct{}

func (cborCodec) protocol() string { return "cbor" }

func (cborCodec) decode(x *exchange, in any) error {
	t, err := DecodeCBOR(x.body)
	if err != nil {
		return Errorf(http.StatusBadRequest, "SerializationException", "%v", err)
	}
	return decodeTree(x, in, t)
}

func (cborCodec) encode(x *exchange, out any) error {
	x.cborHeader()
	x.out = cbor.Encode(toCBOR(tree(reflect.ValueOf(out), x.service.Lower)))
	return nil
}

func (cborCodec) fail(x *exchange, e *Error) {
	x.cborHeader()
	x.queryError(e)
	x.out = cbor.Encode(cbor.Map{"__type": cbor.String(e.Code), "message": cbor.String(e.Message)})
}

func (x *exchange) cborHeader() {
	x.header.Set("Content-Type", "application/cbor")
	x.header.Set("Smithy-Protocol", "rpc-v2-cbor")
}

func fromCBOR(v cbor.Value) (any, error) {
	switch v := v.(type) {
	case cbor.Map:
		m := make(map[string]any, len(v))
		for k, e := range v {
			sub, err := fromCBOR(e)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
			m[k] = sub
		}
		return m, nil
	case cbor.List:
		l := make([]any, len(v))
		for i, e := range v {
			sub, err := fromCBOR(e)
			if err != nil {
				return nil, err
			}
			l[i] = sub
		}
		return l, nil
	case cbor.String:
		return string(v), nil
	case cbor.Slice:
		return []byte(v), nil
	case cbor.Bool:
		return bool(v), nil
	case cbor.Uint:
		if uint64(v) > math.MaxInt64 {
			return nil, fmt.Errorf("%d is out of range", uint64(v))
		}
		return int64(v), nil
	case cbor.NegInt:
		return cbor.AsInt64(v)
	case cbor.Float32:
		return float64(v), nil
	case cbor.Float64:
		return float64(v), nil
	case *cbor.Nil, *cbor.Undefined:
		return nil, nil
	case *cbor.Tag:
		if v.ID == 1 {
			return cbor.AsTime(v)
		}
		return nil, fmt.Errorf("cbor tag %d is not served", v.ID)
	}
	return nil, fmt.Errorf("cbor %T is not served", v)
}

func toCBOR(t any) cbor.Value {
	switch v := t.(type) {
	case map[string]any:
		m := cbor.Map{}
		for k, e := range v {
			m[k] = toCBOR(e)
		}
		return m
	case []any:
		l := make(cbor.List, len(v))
		for i, e := range v {
			l[i] = toCBOR(e)
		}
		return l
	case Time:
		return &cbor.Tag{ID: 1, Value: cbor.Float64(float64(v.UnixMilli()) / 1000)}
	case time.Time:
		return toCBOR(Time{v})
	case string:
		return cbor.String(v)
	case []byte:
		return cbor.Slice(v)
	case bool:
		return cbor.Bool(v)
	case int64:
		if v < 0 {
			// RFC 8949: major type 1 with argument n means -1-n; smithy's NegInt holds the magnitude.
			return cbor.NegInt(uint64(-v))
		}
		return cbor.Uint(uint64(v))
	case float64:
		return cbor.Float64(v)
	}
	panic(fmt.Sprintf("wire: cannot encode %T as CBOR", t))
}

// DecodeCBOR reads a body as a tree of map[string]any, []any, string, []byte, bool, int64, float64 and time.Time.
func DecodeCBOR(body []byte) (any, error) {
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	v, err := cbor.Decode(body)
	if err != nil {
		return nil, err
	}
	return fromCBOR(v)
}
