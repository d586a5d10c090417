package authorize

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// rule is a parsed line of the table.
type rule struct {
	action     string // in IAM, without the service; "" for the API's own
	resources  []template
	keys       map[string]string // condition key -> template
	tags       string            // action that tags need
	pass       map[string]string // member -> service
	also       []alsoNeeded
	documented []string // actions on *
	kms        []string // actions on the bucket's key
	linked     string   // service whose own role is used
	free       bool
}

// template is a word with {Members}; with a member named in only, it counts when that is there.
type template struct{ text, only string }

// alsoNeeded is an action of another service that the caller needs, too: on a template's resources of that service, or on *.
type alsoNeeded struct {
	action   string // "ec2:CreateVpcEndpoint"
	resource template
	keys     map[string]string
}

var rules = map[string]map[string]rule{}

func init() {
	for service, actions := range table {
		rules[service] = map[string]rule{}
		for action, line := range actions {
			rules[service][action] = parse(line)
		}
	}
}

func parse(line string) rule {
	r := rule{keys: map[string]string{}, pass: map[string]string{}}
	for word := range strings.FieldsSeq(line) {
		kind, rest, _ := strings.Cut(word, ":")
		switch kind {
		case "free":
			r.free = true
		case "as":
			r.action = rest
		case "tags":
			r.tags = rest
		case "linked":
			r.linked = rest
		case "kms":
			r.kms = append(r.kms, word)
		case "also":
			rest, only, _ := strings.Cut(rest, "?")
			rest, key, keyed := strings.Cut(rest, ";")
			action, resource, _ := strings.Cut(rest, "=")
			a := alsoNeeded{action, template{resource, only}, nil}
			if name, value, _ := strings.Cut(key, "="); keyed {
				a.keys = map[string]string{name: value}
			}
			r.also = append(r.also, a)
		case "documented":
			r.documented = append(r.documented, rest)
		case "key":
			key, value, _ := strings.Cut(rest, "=")
			r.keys[key] = value
		case "pass":
			member, service, _ := strings.Cut(rest, "=")
			r.pass[member] = service
		default:
			text, only, _ := strings.Cut(word, "?")
			r.resources = append(r.resources, template{text, only})
		}
	}
	return r
}

// placeholder is {Member}, {A,B} or {Member|otherwise}.
var placeholder = regexp.MustCompile(`\{([A-Za-z0-9.,]+)(?:\|([^}]*))?\}`)

// members are those that a line reads.
func (r rule) members() []string {
	var out []string
	texts := []string{}
	for _, t := range r.resources {
		texts = append(texts, t.text)
		if t.only != "" {
			out = append(out, t.only)
		}
	}
	for _, a := range r.also {
		texts = append(texts, a.resource.text)
		if a.resource.only != "" {
			out = append(out, a.resource.only)
		}
	}
	for _, k := range r.keys {
		texts = append(texts, k)
	}
	for m := range r.pass {
		out = append(out, m)
	}
	for _, text := range texts {
		for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
			out = append(out, strings.Split(m[1], ",")...)
		}
	}
	return out
}

// expand fills a template in, once for every value of a member that is a list. all says whether every member was there.
func expand(text string, in any) (found []string, all bool) {
	found, all = []string{""}, true
	at := 0
	each := func(values []string) {
		var next []string
		for _, f := range found {
			for _, v := range values {
				next = append(next, f+v)
			}
		}
		found = next
	}
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		literal := text[at:m[0]]
		each([]string{literal})
		at = m[1]
		var got []string
		for name := range strings.SplitSeq(text[m[2]:m[3]], ",") {
			if got = values(in, name); len(got) > 0 {
				break
			}
		}
		switch {
		case len(got) > 0 && text != text[m[0]:m[1]]:
			for i := range got {
				got[i] = short(got[i], literal)
			}
		case len(got) > 0:
		case m[4] >= 0:
			got = []string{text[m[4]:m[5]]}
		default:
			got, all = []string{"*"}, false
		}
		each(got)
	}
	each([]string{text[at:]})
	return found, all
}

// short is the name in an ARN or a path: what follows literal in the resource's ARN.
func short(value, literal string) string {
	if !strings.HasPrefix(value, "arn:") {
		if strings.HasSuffix(literal, "/") { // parameter names begin with a slash that ARNs do not repeat
			value = strings.TrimPrefix(value, "/")
		}
		return value
	}
	part := strings.SplitN(value, ":", 6)
	if len(part) < 6 {
		return value
	}
	if name, ok := strings.CutPrefix(part[5], literal); ok && literal != "/" {
		return strings.TrimSuffix(name, ":*")
	}
	return part[5][strings.LastIndex(part[5], "/")+1:]
}

// values returns the texts of a member, which may be nested (Target.RoleArn), also in a list.
func values(in any, path string) []string {
	found := []reflect.Value{reflect.ValueOf(in)}
	for name := range strings.SplitSeq(path, ".") {
		var next []reflect.Value
		for _, v := range found {
			if f := plain(v).FieldByName(name); f.IsValid() {
				next = append(next, flat(f)...)
			}
		}
		found = next
	}
	var out []string
	for _, v := range found {
		if s := fmt.Sprint(v); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// flat is a value, what it points to, or a list's elements.
func flat(v reflect.Value) []reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return flat(v.Elem())
	case reflect.Slice:
		var out []reflect.Value
		for i := range v.Len() {
			out = append(out, flat(v.Index(i))...)
		}
		return out
	}
	return []reflect.Value{v}
}

// plain is the struct behind pointers; the empty one where there is none.
func plain(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return reflect.ValueOf(struct{}{})
	}
	return v
}

// has reports whether a member was sent, which may be nested (Code.S3Bucket).
func has(in any, member string) bool {
	if outer, inner, nested := strings.Cut(member, "."); nested {
		f := plain(reflect.ValueOf(in)).FieldByName(outer)
		return f.IsValid() && f.CanInterface() && has(f.Interface(), inner)
	}
	f := plain(reflect.ValueOf(in)).FieldByName(member)
	if !f.IsValid() {
		return false
	}
	if f.Kind() == reflect.Slice || f.Kind() == reflect.Map {
		return f.Len() > 0
	}
	return !f.IsZero()
}

// requestTags returns a request's tags: a map, a list of keys and values, or EC2's specifications.
func requestTags(in any) map[string]string {
	tags := map[string]string{}
	for _, member := range []string{"Tags", "Tag", "TagSpecification"} {
		if f := plain(reflect.ValueOf(in)).FieldByName(member); f.IsValid() {
			collect(f, tags)
		}
	}
	return tags
}

func collect(v reflect.Value, tags map[string]string) {
	switch v.Kind() {
	case reflect.Map:
		for _, k := range v.MapKeys() {
			tags[k.String()] = v.MapIndex(k).String()
		}
	case reflect.Pointer, reflect.Slice:
		for _, one := range flat(v) {
			collect(one, tags)
		}
	case reflect.Struct:
		if key := v.FieldByName("Key"); key.IsValid() {
			tags[text(key)] = text(v.FieldByName("Value"))
		} else if more := v.FieldByName("Tag"); more.IsValid() {
			collect(more, tags)
		}
	}
}

func text(v reflect.Value) string {
	if found := flat(v); len(found) == 1 {
		return found[0].String()
	}
	return ""
}
