// Package tagset holds the tags of resources, and AWS's rules for them.
// https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html#id_tags_naming_best_practices
package tagset

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Tag is a tag as it is sent.
type Tag struct{ Key, Value string }

// Pair is a Tag of a service that refuses a request without either member.
type Pair struct {
	Key   string `wire:",required"`
	Value string `wire:",required"`
}

// Set is the tags of a resource.
type Set map[string]string

// List is a set as it is sent, sorted by key; without tags it is empty, not absent.
func List[T Tag | Pair](s Set) []T {
	out := []T{}
	for _, key := range slices.Sorted(maps.Keys(s)) {
		out = append(out, T(Tag{key, s[key]}))
	}
	return out
}

// Clone returns a copy, which is never nil.
func (s Set) Clone() Set {
	out := Set{}
	maps.Copy(out, s)
	return out
}

// Problem is what is wrong with a tag.
type Problem int

const (
	Form     Problem = iota // characters or length of key or value
	Reserved                // the key starts with aws:
	Twice                   // a request has the key twice
	TooMany                 // a resource would have more than 50 tags
)

// Rules is a service's rules for tags.
type Rules struct {
	Chars      bool // keys and values are letters, digits, spaces and _.:/=+-@
	Value      bool // a value is not empty
	Once       bool // a request has a key once
	IgnoreCase bool // keys that differ in case are the same
	Refuse     func(Problem, Tag) error
}

var chars = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

func (r Rules) check(t Tag) error {
	key, value := utf8.RuneCountInString(t.Key), utf8.RuneCountInString(t.Value)
	switch {
	case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
		return r.Refuse(Reserved, t)
	case key < 1, key > 128, value > 256, r.Value && value == 0, r.Chars && (!chars.MatchString(t.Key) || !chars.MatchString(t.Value)):
		return r.Refuse(Form, t)
	}
	return nil
}

// Add returns a set with more tags. An existing key gets the new value.
func Add[T Tag | Pair](r Rules, have Set, more []T) (Set, error) {
	out, added := have.Clone(), Set{}
	for _, m := range more {
		t := Tag(m)
		if err := r.check(t); err != nil {
			return nil, err
		}
		if r.has(added, t.Key) != "" && r.Once {
			return nil, r.Refuse(Twice, t)
		}
		delete(out, r.has(out, t.Key))
		out[t.Key], added[t.Key] = t.Value, t.Value
	}
	own := 0
	for key := range out {
		if !strings.HasPrefix(key, "aws:") { // AWS's own tags do not count
			own++
		}
	}
	if own > 50 {
		return nil, r.Refuse(TooMany, Tag{})
	}
	return out, nil
}

// Put adds tags to a resource's set, or leaves the set as it is and returns why.
func Put[T Tag | Pair](r Rules, set *Set, more []T) error {
	all, err := Add(r, *set, more)
	if err == nil {
		*set = all
	}
	return err
}

// Merge is Add for a service that sends tags as a map.
func (r Rules) Merge(have, more map[string]string) (Set, error) {
	return Add(r, have, List[Tag](more))
}

// Remove returns a set without some keys.
func (r Rules) Remove(have Set, keys []string) Set {
	out := have.Clone()
	for _, key := range keys {
		delete(out, r.has(out, key))
	}
	return out
}

// has returns a set's spelling of a key, "" if it does not have the key.
func (r Rules) has(s Set, key string) string {
	for k := range s {
		if k == key || r.IgnoreCase && strings.EqualFold(k, key) {
			return k
		}
	}
	return ""
}
