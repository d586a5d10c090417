package apimodel

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// checker walks one message.
type checker struct {
	*Models
	md       *model
	service  string
	problems []string
}

func (c *checker) say(path, format string, args ...any) {
	c.problems = append(c.problems, path+": "+fmt.Sprintf(format, args...))
}

// Check lists what in an exchange AWS's model does not allow, and what it requires and the exchange lacks.
// Of a refused request only the error code is checked, which the action must have.
func (m *Models) Check(x wire.Exchange) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	where := x.Service + "." + x.Action
	md, err := m.model(x.Service)
	if errors.Is(err, errNoModel) && x.Service == "s3" {
		return nil
	}
	if err != nil {
		return []string{err.Error()}
	}
	c := &checker{Models: m, md: md, service: x.Service}
	op, ok := md.Operations[x.Action]
	if in, _ := c.newer(x.Action); !ok && in != nil {
		m.actions[where] = true
		c.since(where, x)
		return c.problems
	}
	if !ok {
		return []string{where + ": AWS has no such action"}
	}
	m.actions[where] = true
	if x.Status >= 300 {
		c.errorCode(where, op, x)
		return c.problems
	}
	in, out := c.newer(x.Action)
	if op.HTTP.ResponseCode != 0 && op.HTTP.ResponseCode != x.Status && op.Output.Shape != "" && !c.hasStatus(op.Output.Shape) {
		c.say(where, "status %d, AWS answers %d", x.Status, op.HTTP.ResponseCode)
	}
	if op.Input.Shape != "" {
		if t, err := c.request(op, x); err != nil {
			c.say(where+" request", "%v", err)
		} else {
			c.walk(where+" request", op.Input.Shape, t, in)
		}
	}
	if op.Output.Shape != "" {
		if t, err := c.response(op, x); err != nil {
			c.say(where+" answer", "%v", err)
		} else {
			c.walk(where+" answer", op.Output.Shape, t, out)
		}
	}
	if x.ResponseHeader.Get("x-amzn-RequestId") == "" {
		c.say(where+" answer", "no x-amzn-RequestId")
	}
	return c.problems
}

// Codes that any action may answer, and that no model lists.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html
var commonErrors = []string{"AccessDenied", "AccessDeniedException", "ExpiredTokenException", "InternalFailure", "InvalidClientTokenId",
	"InvalidParameterCombination", "InvalidParameterValue", "MissingParameter", "Throttling", "ThrottlingException", "ValidationError",
	"ValidationException", "SerializationException", "RequestLimitExceeded", "ServiceUnavailable", "UnrecognizedClientException"}

// Required members that AWS itself leaves out of its answers.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionCodeSigningConfig.html: a function without signing has no ARN to name.
var leftOut = []string{"GetFunctionCodeSigningConfigResponse.CodeSigningConfigArn"}

// Enum values that AWS spells differently from its model: the state of VPC endpoints and of internet gateways' attachments.
// https://docs.aws.amazon.com/cli/latest/reference/ec2/describe-internet-gateways.html#examples
var spelled = []string{"available"}

// Codes that AWS answers and its model does not list: a permissions boundary that does not exist, SQS's framework (Coral), and no
// permission to make ElastiCache's service-linked role.
var alsoAnswered = []string{"iam.CreateRole NoSuchEntity", "sqs.CreateQueue InvalidParameterValueException",
	"sqs.SendMessage InvalidParameterValueException", "sqs.ReceiveMessage InvalidParameterValueException",
	// https://github.com/aws-controllers-k8s/community/issues/367
	"elasticache.CreateReplicationGroup ServiceLinkedRoleNotFoundFault", "elasticache.CreateCacheSubnetGroup ServiceLinkedRoleNotFoundFault"}

func (c *checker) errorCode(where string, op operation, x wire.Exchange) {
	code := x.ErrorCode[strings.LastIndexAny(x.ErrorCode, "#")+1:]
	if x.Service == "ec2" || slices.Contains(commonErrors, code) {
		return // EC2's codes are in a document, not in the model
	}
	if slices.Contains(alsoAnswered, where+" "+code) {
		return
	}
	var known []string
	for _, e := range op.Errors {
		s := c.md.Shapes[e.Shape]
		want := or(s.Error.Code, e.Shape)
		if code == want || code == e.Shape { // SQS's JSON protocol uses the shape's name, its query protocol the code
			if s.Error.HTTPStatusCode != 0 && s.Error.HTTPStatusCode != x.Status {
				c.say(where, "%s with status %d, AWS answers %d", code, x.Status, s.Error.HTTPStatusCode)
			}
			return
		}
		known = append(known, want)
	}
	c.say(where, "error code %q is none of %v", code, known)
}

func (c *checker) hasStatus(shape string) bool {
	for _, r := range c.md.Shapes[shape].Members {
		if r.Location == "statusCode" {
			return true
		}
	}
	return false
}

// newer gives the current SDK's types of an action's input and output.
func (c *checker) newer(action string) (in, out reflect.Type) {
	m, ok := c.md.client.MethodByName(action)
	if !ok {
		return nil, nil
	}
	return m.Type.In(2).Elem(), m.Type.Out(0).Elem()
}

func (c *checker) request(op operation, x wire.Exchange) (any, error) {
	switch {
	case x.Protocol == "query":
		form, err := url.ParseQuery(string(x.RequestBody))
		if err != nil {
			return nil, err
		}
		form.Del("Action")
		form.Del("Version")
		return c.fromForm(op.Input.Shape, formTree(form)), nil
	case x.Protocol == "cbor":
		return wire.DecodeCBOR(x.RequestBody)
	case x.Protocol == "rest-json":
		return c.rest(op.Input.Shape, x.RequestBody, func(name string, r ref) (any, bool) {
			u, err := url.Parse(x.URL)
			if err != nil {
				return nil, false
			}
			switch r.Location {
			case "uri":
				v := pathValue(op.HTTP.RequestURI, u.EscapedPath(), r.LocationName)
				return v, v != ""
			case "querystring":
				if values := u.Query()[r.LocationName]; c.md.Shapes[r.Shape].Type == "list" {
					l := make([]any, len(values))
					for i, v := range values {
						l[i] = v
					}
					return l, len(l) > 0
				}
				return u.Query().Get(r.LocationName), u.Query().Has(r.LocationName)
			}
			v := x.RequestHeader.Get(r.LocationName)
			return v, v != ""
		})
	}
	return jsonTree(x.RequestBody)
}

func (c *checker) response(op operation, x wire.Exchange) (any, error) {
	switch {
	case x.Protocol == "query":
		var root element
		if err := xml.Unmarshal(x.ResponseBody, &root); err != nil {
			return nil, err
		}
		if x.Service != "ec2" {
			result := slices.IndexFunc(root.Children, func(e element) bool { return e.XMLName.Local == x.Action+"Result" })
			if result < 0 {
				return nil, fmt.Errorf("no <%sResult>", x.Action)
			}
			root = root.Children[result]
		} else {
			root.Children = slices.DeleteFunc(root.Children, func(e element) bool { return e.XMLName.Local == "requestId" })
		}
		return c.fromXML(op.Output.Shape, root), nil
	case x.Protocol == "cbor":
		return wire.DecodeCBOR(x.ResponseBody)
	case x.Protocol == "rest-json":
		return c.rest(op.Output.Shape, x.ResponseBody, func(_ string, r ref) (any, bool) {
			if r.Location == "statusCode" {
				return strconv.Itoa(x.Status), true
			}
			v := x.ResponseHeader.Get(r.LocationName)
			return v, v != ""
		})
	}
	return jsonTree(x.ResponseBody)
}

// rest merges a body with the members that are elsewhere.
func (c *checker) rest(name string, body []byte, at func(string, ref) (any, bool)) (any, error) {
	s := c.md.Shapes[name]
	var t any = map[string]any{}
	if s.Payload == "" {
		var err error
		if t, err = jsonTree(body); err != nil {
			return nil, err
		}
	}
	m, ok := t.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the body is %T, not an object", t)
	}
	for member, r := range s.Members {
		if r.Location == "" {
			continue
		}
		if v, ok := at(member, r); ok {
			m[wireName(member, r)] = v
		}
	}
	return m, nil
}

func pathValue(template, path, label string) string {
	t, _, _ := strings.Cut(template, "?")
	ts, ps := strings.Split(t, "/"), strings.Split(path, "/")
	for i := range ts {
		if i < len(ps) && strings.Trim(ts[i], "{+}") == label && ts[i] != label {
			v, _ := url.PathUnescape(ps[i])
			return v
		}
	}
	return ""
}

func jsonTree(b []byte) (any, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return map[string]any{}, nil
	}
	var t any
	err := json.Unmarshal(b, &t)
	return t, err
}

func wireName(member string, r ref) string {
	if r.LocationName != "" {
		return r.LocationName
	}
	return member
}

// walk checks a tree against a shape. newer is the current SDK's type of the same thing, or nil.
func (c *checker) walk(path, name string, t any, newer reflect.Type) {
	s := c.md.Shapes[name]
	for newer != nil && newer.Kind() == reflect.Pointer {
		newer = newer.Elem()
	}
	if t == nil {
		return
	}
	switch s.Type {
	case "structure":
		m, ok := t.(map[string]any)
		if !ok {
			c.say(path, "%T where %s is a structure", t, name)
			return
		}
		c.checked[c.service+"/"+name] = true
		c.structure(path, name, s, m, newer)
	case "list":
		l, ok := t.([]any)
		if !ok {
			c.say(path, "%T where %s is a list", t, name)
			return
		}
		c.bounds(path, s, float64(len(l)), "elements")
		for i, e := range l {
			c.walk(fmt.Sprintf("%s[%d]", path, i), s.Member.Shape, e, elem(newer))
		}
	case "map":
		m, ok := t.(map[string]any)
		if !ok {
			c.say(path, "%T where %s is a map", t, name)
			return
		}
		c.bounds(path, s, float64(len(m)), "entries")
		for k, e := range m {
			c.walk(path+" key", s.Key.Shape, k, nil)
			c.walk(path+"."+k, s.Value.Shape, e, elem(newer))
		}
	default:
		c.leaf(path, s, t, newer)
	}
}

func (c *checker) structure(path, name string, s shape, m map[string]any, newer reflect.Type) {
	known := map[string]bool{}
	for member, r := range s.Members {
		w := wireName(member, r)
		known[w] = true
		v, ok := m[w]
		if !ok || v == nil {
			if slices.Contains(s.Required, member) && !slices.Contains(leftOut, name+"."+member) {
				c.say(path, "%s lacks the required %s", name, w)
			}
			continue
		}
		c.walk(path+"."+w, r.Shape, v, fieldType(newer, member))
	}
	for w := range m {
		if !known[w] && fieldType(newer, w) == nil {
			c.say(path, "%s has no member %s", name, w)
		}
	}
}

// leaf takes text (from a form or XML) or a typed value.
func (c *checker) leaf(path string, s shape, t any, newer reflect.Type) {
	text, isText := t.(string)
	switch s.Type {
	case "string", "character":
		if !isText {
			c.say(path, "%T where AWS has a string", t)
			return
		}
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) && !newerEnum(newer, text) && !slices.Contains(spelled, text) {
			c.say(path, "%q is none of %v", text, s.Enum)
		}
		c.bounds(path, s, float64(len([]rune(text))), "characters")
		if s.Pattern != "" {
			if re, err := regexp.Compile("^(?:" + s.Pattern + ")$"); err == nil && !re.MatchString(text) {
				c.say(path, "%q does not match %s", text, s.Pattern)
			}
		}
	case "integer", "long", "float", "double":
		var n float64
		switch v := t.(type) {
		case string:
			var err error
			if n, err = strconv.ParseFloat(v, 64); err != nil {
				c.say(path, "%q is not a number", v)
				return
			}
		case float64:
			n = v
		case int64:
			n = float64(v)
		default:
			c.say(path, "%T where AWS has a number", t)
			return
		}
		if (s.Type == "integer" || s.Type == "long") && n != float64(int64(n)) {
			c.say(path, "%v is not whole", n)
		}
		c.bounds(path, s, n, "")
	case "boolean":
		if _, ok := t.(bool); !ok && text != "true" && text != "false" {
			c.say(path, "%v is not a boolean", t)
		}
	case "timestamp":
		switch v := t.(type) {
		case float64, int64, time.Time:
		case string:
			if _, err := time.Parse(time.RFC3339, v); err != nil {
				c.say(path, "%q is not a timestamp", v)
			}
		default:
			c.say(path, "%T where AWS has a timestamp", t)
		}
	}
}

func (c *checker) bounds(path string, s shape, n float64, what string) {
	if s.Min != nil && n < *s.Min {
		c.say(path, "%v %s, at least %v", n, what, *s.Min)
	}
	if s.Max != nil && n > *s.Max {
		c.say(path, "%v %s, at most %v", n, what, *s.Max)
	}
}

func elem(t reflect.Type) reflect.Type {
	if t == nil || (t.Kind() != reflect.Slice && t.Kind() != reflect.Map) {
		return nil
	}
	return t.Elem()
}

// fieldType finds a member in an SDK v2 struct; its field may differ in the first letter's case.
func fieldType(t reflect.Type, member string) reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	if f, ok := t.FieldByNameFunc(func(n string) bool { return strings.EqualFold(n, member) }); ok {
		return f.Type
	}
	return nil
}

// newerEnum asks an SDK v2 enum type for its Values.
func newerEnum(t reflect.Type, value string) bool {
	if t == nil || t.Kind() != reflect.String {
		return false
	}
	values := reflect.Zero(t).MethodByName("Values")
	if !values.IsValid() {
		return false
	}
	list := values.Call(nil)[0]
	for i := range list.Len() {
		if list.Index(i).String() == value {
			return true
		}
	}
	return false
}
