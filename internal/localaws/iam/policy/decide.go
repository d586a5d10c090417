package policy

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Decision is what a document says of a request.
type Decision int

// None is silence: the request is denied unless another document allows it.
const (
	None Decision = iota
	Allow
	Deny
)

// Request is an action on a resource. Resource is "*" for actions without resource-level permissions.
type Request struct {
	Principals []string // whom the caller counts as: "AWS:<ARN>" (session, role, account root) or "Service:<name>"
	Action     string   // "ecs:UpdateService"
	Resource   string
	Context    map[string]string // condition keys: "ecs:cluster"; several values are separated by line breaks
}

// Decide is the document's answer. A statement without Principal (identity) or Resource (trust) holds for any.
func (d *Document) Decide(r Request) Decision {
	decision, _ := d.Explain(r)
	return decision
}

// Explain is Decide with the statements that apply, by their Sid, or their position where they have none.
func (d *Document) Explain(r Request) (decision Decision, statements []string) {
	for i, st := range d.statements {
		if !st.applies(r) {
			continue
		}
		statements = append(statements, cmp.Or(st.sid, strconv.Itoa(i)))
		if decision = max(decision, Allow); st.deny {
			decision = Deny
		}
	}
	return decision, statements
}

func (st statement) applies(r Request) bool {
	action := func(p string) bool { return glob(strings.ToLower(p), strings.ToLower(r.Action)) }
	resource := func(p string) bool { return matchARN(expand(p, r.Context), r.Resource) }
	who := func(p string) bool { return p == "*" || slices.Contains(r.Principals, p) }
	if !picks(st.actions, st.notActions, action) || !picks(st.resources, st.notResource, resource) || !picks(st.principals, st.notPrincipals, who) {
		return false
	}
	for _, c := range st.conditions {
		if !c.holds(r.Context) {
			return false
		}
	}
	return true
}

// picks tells whether an element selects the request; both lists absent select everything.
func picks(yes, no []string, match func(string) bool) bool {
	if no != nil {
		return !slices.ContainsFunc(no, match)
	}
	return yes == nil || slices.ContainsFunc(yes, match)
}

// holds tells whether one condition is met. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func (c condition) holds(context map[string]string) bool {
	test, opts, _ := operator(c.operator)
	text, present := lookup(context, c.key)
	if test == nil { // Null: true when the key is absent
		return slices.Contains(c.values, strconv.FormatBool(!present))
	}
	if !present {
		// A negated operator holds for an absent key, but ForAnyValue never does:
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
		return opts.ifExists || opts.negated && !opts.any || opts.all
	}
	one := func(value string) bool {
		met := slices.ContainsFunc(c.values, func(want string) bool { return test(expand(want, context), value) })
		return met != opts.negated
	}
	values := strings.Split(text, "\n")
	if opts.all {
		return !slices.ContainsFunc(values, func(v string) bool { return !one(v) })
	}
	return slices.ContainsFunc(values, one)
}

type options struct{ negated, ifExists, all, any bool }

// operator finds a condition operator's test by its name; Null has none.
func operator(name string) (test func(want, value string) bool, o options, ok bool) {
	name, o.all = strings.CutPrefix(name, "ForAllValues:")
	name, o.any = strings.CutPrefix(name, "ForAnyValue:")
	name, o.ifExists = strings.CutSuffix(name, "IfExists")
	switch name {
	case "StringNotEquals", "StringNotEqualsIgnoreCase", "StringNotLike", "ArnNotEquals", "ArnNotLike", "NumericNotEquals":
		o.negated, name = true, strings.Replace(name, "Not", "", 1)
	case "NotIpAddress":
		o.negated, name = true, "IpAddress"
	}
	switch name {
	case "StringEquals":
		test = func(want, value string) bool { return want == value }
	case "StringEqualsIgnoreCase", "Bool":
		test = strings.EqualFold
	case "StringLike":
		test = glob
	case "ArnEquals", "ArnLike": // they behave identically
		test = matchARN
	case "NumericEquals":
		test = numeric(func(c int) bool { return c == 0 })
	case "NumericLessThan":
		test = numeric(func(c int) bool { return c < 0 })
	case "NumericLessThanEquals":
		test = numeric(func(c int) bool { return c <= 0 })
	case "NumericGreaterThan":
		test = numeric(func(c int) bool { return c > 0 })
	case "NumericGreaterThanEquals":
		test = numeric(func(c int) bool { return c >= 0 })
	case "IpAddress":
		test = func(want, value string) bool {
			if !strings.Contains(want, "/") {
				return want == value
			}
			prefix, err := netip.ParsePrefix(want)
			addr, err2 := netip.ParseAddr(value)
			return err == nil && err2 == nil && prefix.Contains(addr)
		}
	case "Null":
		return nil, o, !o.ifExists
	default:
		return nil, o, false
	}
	return test, o, true
}

func numeric(holds func(comparison int) bool) func(want, value string) bool {
	return func(want, value string) bool {
		w, err := strconv.ParseFloat(want, 64)
		v, err2 := strconv.ParseFloat(value, 64)
		if err != nil || err2 != nil {
			return false
		}
		switch {
		case v < w:
			return holds(-1)
		case v > w:
			return holds(1)
		}
		return holds(0)
	}
}

// lookup finds a condition key: their case does not matter.
func lookup(context map[string]string, key string) (string, bool) {
	for k, v := range context {
		if strings.EqualFold(k, key) {
			return v, true
		}
	}
	return "", false
}

// expand replaces policy variables: ${aws:PrincipalAccount}, and ${*}, ${?}, ${$} as they stand.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func expand(s string, context map[string]string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		b.WriteString(before)
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return b.String()
		}
		if value, ok := lookup(context, name); ok {
			b.WriteString(value)
		} else {
			b.WriteString(name)
		}
		s = after
	}
}

// matchARN compares the six parts of ARNs one by one, each with wildcards; "*" matches anything.
func matchARN(pattern, arn string) bool {
	if pattern == "*" {
		return true
	}
	p, a := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	if len(p) != 6 || len(a) != 6 {
		return pattern == arn
	}
	for i := range p {
		if !glob(p[i], a[i]) {
			return false
		}
	}
	return true
}

// glob matches * (any text) and ? (any one byte).
func glob(pattern, s string) bool {
	for pattern != "" {
		switch {
		case pattern[0] == '*':
			for i := 0; i <= len(s); i++ {
				if glob(pattern[1:], s[i:]) {
					return true
				}
			}
			return false
		case s == "" || pattern[0] != '?' && pattern[0] != s[0]:
			return false
		}
		pattern, s = pattern[1:], s[1:]
	}
	return s == ""
}

// Ignoring is the document without its conditions on one key.
func (d *Document) Ignoring(key string) *Document {
	out := &Document{statements: slices.Clone(d.statements)}
	for i, st := range out.statements {
		out.statements[i].conditions = slices.DeleteFunc(slices.Clone(st.conditions), func(c condition) bool { return strings.EqualFold(c.key, key) })
	}
	return out
}
