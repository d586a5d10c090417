package apimodel

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// since checks an exchange of an action that is newer than the models, of a service that uses JSON: every member must be in the current
// SDK's types. These do not say what is required, nor bounds or errors.
func (c *checker) since(where string, x wire.Exchange) {
	in, out := c.newer(x.Action)
	for _, m := range []struct {
		what string
		text []byte
		of   reflect.Type
	}{{"request", x.RequestBody, in}, {"answer", x.ResponseBody, out}} {
		if x.Status >= 300 {
			return
		}
		var tree any
		if err := json.Unmarshal(m.text, &tree); err != nil {
			c.say(where+" "+m.what, "%v", err)
			continue
		}
		c.typed(where+" "+m.what, tree, m.of)
	}
}

func (c *checker) typed(path string, tree any, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := tree.(type) {
	case map[string]any:
		for name, member := range v {
			switch f := fieldType(t, name); {
			case t.Kind() == reflect.Map:
				c.typed(path+"."+name, member, t.Elem())
			case f == nil:
				c.say(path, "%s has no member %s", t, name)
			default:
				c.typed(path+"."+name, member, f)
			}
		}
	case []any:
		if t.Kind() != reflect.Slice {
			c.say(path, "a list where the SDK has %s", t)
			return
		}
		for i, one := range v {
			c.typed(fmt.Sprintf("%s[%d]", path, i), one, t.Elem())
		}
	case string:
		if !newerEnum(t, v) && t.Kind() == reflect.String && t.PkgPath() != "" {
			c.say(path, "%q is no %s", v, t)
		}
	}
}
