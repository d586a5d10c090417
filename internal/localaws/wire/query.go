package wire

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/url"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// queryCodec is awsQuery, and EC2's flavour of it.
type queryCodec struct {
	form      url.Values
	malformed error
}

func (queryCodec) protocol() string { return "query" }

// node is a form as a tree: "A.member.1.B=x" is A -> member -> 1 -> B = x.
type node struct {
	text *string
	subs map[string]*node
}

func (n *node) at(key string) *node {
	if n.subs == nil {
		n.subs = map[string]*node{}
	}
	if n.subs[key] == nil {
		n.subs[key] = &node{}
	}
	return n.subs[key]
}

func (c queryCodec) decode(x *exchange, in any) error {
	if c.malformed != nil {
		return x.service.invalid("malformed form body: %v", c.malformed)
	}
	root := &node{}
	for key, values := range c.form {
		if key == "Action" || key == "Version" {
			continue
		}
		n := root
		for _, part := range strings.Split(key, ".") {
			n = n.at(part)
		}
		n.text = &values[0]
	}
	var unknown []string
	if err := setForm(reflect.ValueOf(in).Elem(), root, "", &unknown); err != nil {
		return x.service.invalid("%v", err)
	}
	return x.refuse(unknown)
}

func setForm(v reflect.Value, n *node, path string, unknown *[]string) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		return setForm(v.Elem(), n, path, unknown)
	}
	switch {
	case v.Type() == timeType:
		return setLeaf(v, n, path)
	case v.Type() == bytesType:
		if n.text == nil {
			return fmt.Errorf("%s is not a value", path)
		}
		b, err := base64.StdEncoding.DecodeString(*n.text)
		v.SetBytes(b)
		return err
	}
	switch v.Kind() {
	case reflect.Struct:
		fs := fields(v.Type(), false)
		for _, f := range fs {
			sub, ok := n.subs[f.name]
			if !ok {
				if f.required {
					return fmt.Errorf("%s is required", join(path, f.name))
				}
				continue
			}
			if err := setForm(v.FieldByIndex(f.index), sub, join(path, f.name), unknown); err != nil {
				return err
			}
		}
		for name := range n.subs {
			if !has(fs, name) {
				*unknown = append(*unknown, join(path, name))
			}
		}
		return nil
	case reflect.Slice:
		elements := list(n)
		v.Set(reflect.MakeSlice(v.Type(), len(elements), len(elements)))
		for i, e := range elements {
			if err := setForm(v.Index(i), e, fmt.Sprintf("%s.%d", path, i+1), unknown); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, e := range list(n) {
			key, value := e.at("key"), e.at("value")
			if key.text == nil || value.text == nil {
				return fmt.Errorf("%s: an entry needs key and value", path)
			}
			v.SetMapIndex(reflect.ValueOf(*key.text), reflect.ValueOf(*value.text))
		}
		return nil
	}
	return setLeaf(v, n, path)
}

func setLeaf(v reflect.Value, n *node, path string) error {
	if n.text == nil {
		return fmt.Errorf("%s is not a value", path)
	}
	if err := setText(v, *n.text); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// list gives the elements of A.1, A.member.1 or A.AnyName.1 in the order of their numbers: the middle name
// carries nothing. "A=" alone is an empty list.
func list(n *node) []*node {
	if len(n.subs) == 1 {
		for name, sub := range n.subs {
			if _, err := strconv.Atoi(name); err != nil {
				n = sub
			}
		}
	}
	type numbered struct {
		number int
		node   *node
	}
	var found []numbered
	for name, sub := range n.subs {
		if i, err := strconv.Atoi(name); err == nil {
			found = append(found, numbered{i, sub})
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].number < found[j].number })
	out := make([]*node, len(found))
	for i, f := range found {
		out[i] = f.node
	}
	return out
}

func (queryCodec) encode(x *exchange, out any) error {
	x.header.Set("Content-Type", "text/xml")
	w := &xmlWriter{lower: x.service.Lower || x.service.EC2, item: "member"}
	action := x.call.Action
	if x.service.EC2 {
		w.item = "item"
		fmt.Fprintf(w, `<%sResponse xmlns=%q><requestId>%s</requestId>`, action, x.service.XMLNS, x.call.RequestID)
		w.members(reflect.ValueOf(out).Elem())
		fmt.Fprintf(w, "</%sResponse>", action)
	} else {
		// Result is there even when it is empty: the provider needs it.
		fmt.Fprintf(w, `<%sResponse xmlns=%q><%sResult>`, action, x.service.XMLNS, action)
		w.members(reflect.ValueOf(out).Elem())
		fmt.Fprintf(w, "</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>", action, x.call.RequestID, action)
	}
	x.out = []byte(w.String())
	return nil
}

func (queryCodec) fail(x *exchange, e *Error) {
	x.header.Set("Content-Type", "text/xml")
	w := &xmlWriter{}
	if x.service.EC2 {
		fmt.Fprintf(w, "<Response><Errors><Error><Code>%s</Code><Message>", e.Code)
		w.text(e.Message)
		fmt.Fprintf(w, "</Message></Error></Errors><RequestID>%s</RequestID></Response>", x.call.RequestID)
	} else {
		fmt.Fprintf(w, "<ErrorResponse xmlns=%q><Error><Type>%s</Type><Code>%s</Code><Message>", x.service.XMLNS, e.fault(), x.service.queryCode(e))
		w.text(e.Message)
		fmt.Fprintf(w, "</Message></Error><RequestId>%s</RequestId></ErrorResponse>", x.call.RequestID)
	}
	x.out = []byte(w.String())
}

// xmlWriter writes members as elements.
type xmlWriter struct {
	strings.Builder
	lower bool
	item  string // name of a list's elements unless its tag gives one
}

func (w *xmlWriter) text(s string) { _ = xml.EscapeText(w, []byte(s)) } // a Builder never fails

func (w *xmlWriter) members(v reflect.Value) {
	for _, f := range fields(v.Type(), w.lower) {
		if fv := v.FieldByIndex(f.index); !absent(fv, f) {
			w.element(f.name, f.element, fv)
		}
	}
}

func (w *xmlWriter) element(name, item string, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	fmt.Fprintf(w, "<%s>", name)
	defer fmt.Fprintf(w, "</%s>", name)
	switch {
	case v.Type() == timeType:
		w.text(v.Interface().(Time).UTC().Format("2006-01-02T15:04:05.000Z"))
		return
	case v.Type() == bytesType:
		w.text(base64.StdEncoding.EncodeToString(v.Bytes()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		w.members(v)
	case reflect.Slice:
		if item == "" {
			item = w.item
		}
		for i := range v.Len() {
			w.element(item, "", v.Index(i))
		}
	case reflect.Map:
		keys := v.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
		for _, k := range keys {
			w.WriteString("<entry>")
			w.element("key", "", k)
			w.element("value", "", v.MapIndex(k))
			w.WriteString("</entry>")
		}
	case reflect.Float64:
		w.WriteString(strconv.FormatFloat(v.Float(), 'f', -1, 64))
	default:
		w.text(fmt.Sprint(v.Interface()))
	}
}
