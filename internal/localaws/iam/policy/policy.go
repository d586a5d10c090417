// Package policy is the IAM policy language: it reads a document as strictly as IAM does and decides requests by it.
//
// Grammar: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
// Evaluation: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
//
// It does not do: condition operators on dates, binary values and addresses beyond CIDR, policy variables with
// defaults, and service-specific lists of actions and condition keys (IAM accepts any well-formed name too).
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Kind says what a document is attached to: that decides which elements it must and must not have.
type Kind int

// Identity policies belong to a role, trust policies define who can assume a role, resource policies belong to a queue, topic or function.
const (
	Identity Kind = iota
	Trust
	Resource
)

// Document is a parsed policy.
type Document struct{ statements []statement }

type statement struct {
	sid                                         string
	deny                                        bool
	actions, notActions, resources, notResource []string
	principals, notPrincipals                   []string // "AWS:arn:...", "Service:lambda.amazonaws.com" or "*"
	conditions                                  []condition
}

type condition struct {
	operator, key string
	values        []string
}

// Messages here are AWS's own words, capitals and full stops included.
var (
	errSyntax   = errors.New("Syntax errors in policy.")
	errLegacy   = errors.New("The policy failed legacy parsing")
	errJSON     = errors.New("This policy contains invalid Json")
	sidPattern  = regexp.MustCompile(`^[0-9A-Za-z]*$`)
	vendor      = regexp.MustCompile(`^[a-zA-Z0-9\-.]+$`)
	accountID   = regexp.MustCompile(`^\d{12}$`)
	arnAccount  = regexp.MustCompile(`^(\d{12}|\*|aws|)$`)
	partitions  = []string{"aws", "aws-cn", "aws-us-gov", "*"}
	trustAction = []string{"sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity", "sts:tagsession", "sts:setsourceidentity", "sts:setcontext", "sts:*"}
)

// Parse reads a document. Its errors are the messages of IAM's MalformedPolicyDocument.
func Parse(kind Kind, text string) (*Document, error) {
	syntax := errSyntax
	if kind == Trust {
		syntax = errJSON
	}
	var top struct {
		Version   string
		ID        *string `json:"Id"`
		Statement json.RawMessage
	}
	if err := strict([]byte(text), &top, "Version", "Id", "Statement"); err != nil {
		return nil, syntax
	}
	if top.Version != "" && top.Version != "2008-10-17" && top.Version != "2012-10-17" {
		return nil, syntax
	}
	if kind == Identity && top.Version != "2012-10-17" {
		return nil, errors.New("Policy document must be version 2012-10-17 or greater.")
	}
	raw, err := many(top.Statement)
	if err != nil || len(raw) == 0 {
		return nil, syntax
	}
	d := &Document{}
	var sids []string
	for _, r := range raw {
		st, err := parseStatement(kind, r)
		if err != nil {
			return nil, err
		}
		if st.sid != "" && slices.Contains(sids, st.sid) {
			return nil, errors.New("Statement IDs (SID) in a single policy must be unique.")
		}
		sids = append(sids, st.sid)
		d.statements = append(d.statements, st)
	}
	return d, nil
}

// strict reads an object that has members of these names, each once and in this case, which encoding/json does not care about.
func strict(b []byte, v any, names ...string) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for left := slices.Clone(names); dec.More(); {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(left, func(n string) bool { return n == name })
		var skipped json.RawMessage
		if i < 0 || dec.Decode(&skipped) != nil {
			return errSyntax
		}
		left = slices.Delete(left, i, i+1)
	}
	dec = json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errSyntax
	}
	return nil
}

// many reads one value or a list of them.
func many(raw json.RawMessage) ([]json.RawMessage, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, nil
	}
	if raw[0] != '[' {
		return []json.RawMessage{raw}, nil
	}
	var list []json.RawMessage
	err := json.Unmarshal(raw, &list)
	return list, err
}

// words reads one string or a list of them; nil when the element is absent.
func words(raw json.RawMessage) ([]string, error) {
	list, err := many(raw)
	if err != nil || list == nil {
		return nil, err
	}
	out := make([]string, len(list))
	for i, r := range list {
		if err := json.Unmarshal(r, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func parseStatement(kind Kind, raw json.RawMessage) (statement, error) {
	var in struct {
		Sid, Effect                              string
		Principal, NotPrincipal                  json.RawMessage
		Action, NotAction, Resource, NotResource json.RawMessage
		Condition                                map[string]map[string]json.RawMessage
	}
	var st statement
	if err := strict(raw, &in, "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"); err != nil {
		return st, errSyntax
	}
	st.sid, st.deny = in.Sid, in.Effect == "Deny"
	if in.Effect != "Allow" && in.Effect != "Deny" {
		return st, errSyntax
	}
	if kind != Resource && !sidPattern.MatchString(in.Sid) {
		return st, errors.New("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")
	}
	for _, e := range []struct {
		raw  json.RawMessage
		into *[]string
	}{{in.Action, &st.actions}, {in.NotAction, &st.notActions}, {in.Resource, &st.resources}, {in.NotResource, &st.notResource}} {
		var err error
		if *e.into, err = words(e.raw); err != nil {
			return st, errSyntax
		}
	}
	var err error
	if st.principals, err = principals(in.Principal); err != nil {
		return st, err
	}
	if st.notPrincipals, err = principals(in.NotPrincipal); err != nil {
		return st, err
	}
	if st.conditions, err = conditions(in.Condition); err != nil {
		return st, err
	}
	return st, st.check(kind)
}

func (st statement) check(kind Kind) error {
	actions := append(slices.Clone(st.actions), st.notActions...)
	if len(actions) == 0 {
		return errors.New("Policy statement must contain actions.")
	}
	if st.actions != nil && st.notActions != nil || st.resources != nil && st.notResource != nil || st.principals != nil && st.notPrincipals != nil {
		return errSyntax
	}
	for _, a := range actions {
		service, _, named := strings.Cut(a, ":")
		switch {
		case a == "*":
		case !named:
			return errors.New("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
		case strings.Count(a, ":") > 1:
			return errors.New("Actions/Condition can contain only one colon.")
		case !vendor.MatchString(service):
			return fmt.Errorf("Vendor %s is not valid", service)
		case kind == Trust && !slices.Contains(trustAction, strings.ToLower(a)):
			return errors.New("AssumeRole policy may only specify STS AssumeRole actions.")
		}
	}
	resources := append(slices.Clone(st.resources), st.notResource...)
	named := st.principals != nil || st.notPrincipals != nil
	switch kind {
	case Trust:
		if len(resources) > 0 {
			return errors.New("Has prohibited field Resource")
		}
	case Identity:
		if len(resources) == 0 {
			return errors.New("Policy statement must contain resources.")
		}
		if named {
			return errors.New("Policy document should not specify a principal.")
		}
	}
	if kind != Identity && !named {
		return errors.New("Missing required field Principal")
	}
	for _, r := range resources {
		if err := checkResource(r); err != nil {
			return err
		}
	}
	return nil
}

func checkResource(r string) error {
	if r == "*" {
		return nil
	}
	if !strings.HasPrefix(r, "arn:") {
		return fmt.Errorf("Resource %s must be in ARN format or \"*\".", r)
	}
	part := strings.SplitN(r, ":", 6)
	if len(part) < 6 {
		return errLegacy
	}
	if !slices.Contains(partitions, part[1]) {
		return fmt.Errorf("Partition %q is not valid for resource %q.", part[1], r)
	}
	if strings.ContainsAny(part[2], "*?") || part[2] == "" {
		return errors.New("Resource vendor must be fully qualified and cannot contain regexes.")
	}
	if !arnAccount.MatchString(part[4]) {
		return errLegacy
	}
	return nil
}

// serviceName matches a service principal. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services
var serviceName = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.com|amazon\.com|aws\.internal)$`)

func principals(raw json.RawMessage) ([]string, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, nil
	}
	if raw[0] == '"' {
		if string(raw) != `"*"` {
			return nil, errSyntax
		}
		return []string{"*"}, nil
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, errSyntax
	}
	out := []string{}
	for kind, values := range m {
		names, err := words(values)
		if err != nil {
			return nil, errSyntax
		}
		for _, n := range names {
			invalid := fmt.Errorf("Invalid principal in policy: %q:%q", strings.ToUpper(kind), n)
			switch kind {
			case "AWS":
				switch {
				case n == "*":
					out = append(out, "*")
					continue
				case accountID.MatchString(n):
					n = "arn:aws:iam::" + n + ":root"
				case !strings.HasPrefix(n, "arn:") || strings.Contains(n, "*"):
					return nil, invalid
				}
			case "Service":
				if !serviceName.MatchString(n) {
					return nil, invalid
				}
			case "Federated", "CanonicalUser":
			default:
				return nil, errSyntax
			}
			out = append(out, kind+":"+n)
		}
	}
	slices.Sort(out)
	return out, nil
}

func conditions(in map[string]map[string]json.RawMessage) ([]condition, error) {
	var out []condition
	for op, keys := range in {
		if _, _, ok := operator(op); !ok {
			return nil, fmt.Errorf("Invalid Condition type : %s.", op)
		}
		for key, raw := range keys {
			values, err := texts(raw)
			if err != nil {
				return nil, errSyntax
			}
			if !strings.Contains(key, ":") {
				return nil, errors.New("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
			}
			out = append(out, condition{op, strings.ToLower(key), values})
		}
	}
	return out, nil
}

// texts reads condition values, which may be strings, numbers or booleans.
func texts(raw json.RawMessage) ([]string, error) {
	list, err := many(raw)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(list))
	for i, r := range list {
		if r[0] == '{' || r[0] == '[' || string(r) == "null" {
			return nil, errSyntax
		}
		if r[0] != '"' {
			out[i] = string(r)
		} else if err := json.Unmarshal(r, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Principals lists whom a document names, as "AWS:<ARN>", "Service:<name>" or "*": for a check that they exist.
func (d *Document) Principals() []string {
	var out []string
	for _, st := range d.statements {
		out = append(append(out, st.principals...), st.notPrincipals...)
	}
	return out
}
