package apimodel

import (
	"encoding/xml"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"unicode"
)

// form is a query request as a tree: "A.member.1=x" is A -> member -> 1 = x.
type form struct {
	text string
	leaf bool
	subs map[string]*form
}

func formTree(values url.Values) *form {
	root := &form{subs: map[string]*form{}}
	for key, v := range values {
		n := root
		for _, part := range strings.Split(key, ".") {
			if n.subs[part] == nil {
				n.subs[part] = &form{subs: map[string]*form{}}
			}
			n = n.subs[part]
		}
		n.text, n.leaf = v[0], true
	}
	return root
}

// fromForm gives the tree that a shape reads from a form, under the model's wire names of the members. What the
// shape does not know stays, so that it is found.
func (c *checker) fromForm(name string, f *form) any {
	s := c.md.Shapes[name]
	switch s.Type {
	case "structure":
		m := map[string]any{}
		left := map[string]*form{}
		for k, v := range f.subs {
			left[k] = v
		}
		for member, r := range s.Members {
			key := c.formName(member, r)
			if sub, ok := left[key]; ok {
				m[wireName(member, r)] = c.fromForm(r.Shape, sub)
				delete(left, key)
			}
		}
		for k, v := range left {
			m[k] = v.text
		}
		return m
	case "list":
		if c.service != "ec2" && !s.Flattened && len(f.subs) == 1 {
			for _, sub := range f.subs { // .member. or the element's own name
				f = sub
			}
		}
		l := []any{}
		for _, e := range numbered(f) {
			l = append(l, c.fromForm(s.Member.Shape, e))
		}
		return l
	case "map":
		if entry, ok := f.subs["entry"]; ok {
			f = entry
		}
		m := map[string]any{}
		for _, e := range numbered(f) {
			m[e.subs[or(s.Key.LocationName, "key")].text] = c.fromForm(s.Value.Shape, e.subs[or(s.Value.LocationName, "value")])
		}
		return m
	}
	return f.text
}

// formName is a member's name in a request: EC2 writes locationName with a capital, unless queryName says otherwise.
func (c *checker) formName(member string, r ref) string {
	if c.service != "ec2" {
		return wireName(member, r)
	}
	if r.QueryName != "" {
		return r.QueryName
	}
	n := []rune(wireName(member, r))
	n[0] = unicode.ToUpper(n[0])
	return string(n)
}

func numbered(f *form) []*form {
	var numbers []int
	for k := range f.subs {
		if n, err := strconv.Atoi(k); err == nil {
			numbers = append(numbers, n)
		}
	}
	sort.Ints(numbers)
	out := make([]*form, len(numbers))
	for i, n := range numbers {
		out[i] = f.subs[strconv.Itoa(n)]
	}
	return out
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// element is any XML.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

func (e element) child(name string) (element, bool) {
	for _, c := range e.Children {
		if c.XMLName.Local == name {
			return c, true
		}
	}
	return element{}, false
}

// fromXML gives the tree that a shape reads from an answer.
func (c *checker) fromXML(name string, e element) any {
	s := c.md.Shapes[name]
	switch s.Type {
	case "structure":
		m := map[string]any{}
		known := map[string]bool{}
		for member, r := range s.Members {
			w := wireName(member, r)
			if c.md.Shapes[r.Shape].Flattened { // its elements are directly in the structure
				w = or(c.md.Shapes[r.Shape].Member.LocationName, w)
			}
			known[w] = true
			if sub, ok := e.child(w); ok {
				m[wireName(member, r)] = c.fromXML(r.Shape, sub)
			}
		}
		for _, sub := range e.Children {
			if !known[sub.XMLName.Local] {
				m[sub.XMLName.Local] = sub.Text
			}
		}
		return m
	case "list":
		item := or(s.Member.LocationName, "member")
		l := []any{}
		for _, sub := range e.Children {
			if sub.XMLName.Local != item {
				c.say(e.XMLName.Local, "<%s> in a list of <%s>", sub.XMLName.Local, item)
			}
			l = append(l, c.fromXML(s.Member.Shape, sub))
		}
		return l
	case "map":
		m := map[string]any{}
		for _, entry := range e.Children {
			k, okKey := entry.child(or(s.Key.LocationName, "key"))
			v, okValue := entry.child(or(s.Value.LocationName, "value"))
			if !okKey || !okValue {
				c.say(e.XMLName.Local, "an entry without key or value")
				continue
			}
			m[k.Text] = c.fromXML(s.Value.Shape, v)
		}
		return m
	}
	return e.Text
}
