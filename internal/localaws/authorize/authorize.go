package authorize

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ec2"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/s3"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Deps is what decisions depend on.
type Deps struct {
	IAM *iam.Service
	// Tags are those of an EC2 resource, for aws:ResourceTag.
	Tags func(id string) map[string]string
	// Documented also demands permissions that AWS's documentation lists but that AWS was not seen to ask for.
	Documented bool
	// Miss records an action that has no line in the table.
	Miss func(what string)
}

// Authorizer decides whether a call is allowed.
type Authorizer struct {
	acct *account.Account
	Deps
}

// New is for wire.Registry.Authorize: New(acct, deps).Call.
func New(acct *account.Account, deps Deps) *Authorizer { return &Authorizer{acct, deps} }

// permission is one permission that a call needs.
type permission struct {
	action, resource string
	context          map[string]string
}

// Call returns nil if the caller is allowed to make the call, and AWS's error otherwise.
func (a *Authorizer) Call(_ context.Context, call *wire.Call) error {
	if call.AccessKey == "" || call.Service == "sts" { // STS knows its callers itself
		return nil
	}
	who, ok := a.IAM.Caller(call.AccessKey)
	if !ok {
		return UnknownKey(call.Service, call.AccessKey)
	}
	r, known := rules[call.Service][call.Action]
	if !strings.HasPrefix(call.AccessKey, "ASIA") { // the account's user may do everything
		return a.link(who.ARN, r)
	}
	if !known {
		a.Miss("authorization of " + call.Service + "." + call.Action)
		return refuse(call.Service, iam.Decision{Principal: who.ARN, Action: prefix(call.Service) + ":" + call.Action, Resource: "*"})
	}
	for _, d := range a.needed(call, r) {
		if decision := a.IAM.Decide(who.ARN, d.action, d.resource, d.context); !decision.Allowed {
			return refuse(call.Service, decision)
		}
	}
	return a.link(who.ARN, r)
}

// needed returns all permissions that a call needs.
func (a *Authorizer) needed(call *wire.Call, r rule) []permission {
	if r.free {
		return nil
	}
	service, action := prefix(call.Service), r.action
	if action == "" {
		action = call.Action
	}
	keys := a.keys(call, r)
	var out []permission
	var resources []string
	for _, t := range r.resources {
		if t.only != "" && !has(call.In, t.only) {
			continue
		}
		for _, resource := range a.resources(call, t.text) {
			resources = append(resources, resource)
			out = append(out, permission{service + ":" + action, resource, a.about(call, resource, keys)})
		}
	}
	if tags := requestTags(call.In); r.tags != "" && len(tags) > 0 {
		for _, resource := range a.tagged(call, resources) {
			context := maps.Clone(keys)
			context[service+":CreateAction"] = call.Action
			out = append(out, permission{service + ":" + r.tags, resource, context})
		}
	}
	for _, member := range slices.Sorted(maps.Keys(r.pass)) {
		for _, role := range values(call.In, member) {
			out = append(out, permission{"iam:PassRole", role, map[string]string{"iam:PassedToService": r.pass[member]}})
		}
	}
	for _, other := range r.also {
		if only := other.resource.only; only != "" && !has(call.In, only) {
			continue
		}
		if other.resource.text == "" {
			out = append(out, permission{other.action, "*", other.keys})
			continue
		}
		service, _, _ := strings.Cut(other.action, ":")
		keys := map[string]string{}
		for name, value := range other.keys {
			keys[name] = strings.ReplaceAll(value, "{Region}", a.acct.Region)
		}
		found, _ := expand(other.resource.text, call.In)
		for _, resource := range found {
			if !strings.HasPrefix(resource, "arn:") {
				resource = a.acct.ARN(service, resource)
			}
			out = append(out, permission{other.action, resource, keys})
		}
	}
	if a.Documented {
		for _, action := range r.documented {
			out = append(out, permission{action, "*", nil})
		}
	}
	if target, ok := call.In.(*s3.Target); ok {
		if target.Source != "" {
			out = append(out, permission{"s3:GetObject", a.acct.ARN("s3", target.Source), nil})
		}
		if target.KMSKey != "" {
			for _, action := range r.kms {
				out = append(out, permission{action, target.KMSKey, nil})
			}
		}
	}
	return out
}

// keys returns the request's condition keys that apply to all its resources.
func (a *Authorizer) keys(call *wire.Call, r rule) map[string]string {
	keys := map[string]string{}
	for name, t := range r.keys {
		found, all := expand(t, call.In)
		if !all || slices.Contains(found, "") {
			continue
		}
		if name == "ecs:cluster" {
			found = []string{a.acct.ARN("ecs", found[0])}
		}
		keys[name] = strings.Join(found, "\n")
	}
	tags := requestTags(call.In)
	for k, v := range tags {
		keys["aws:RequestTag/"+k] = v
	}
	if names := append(slices.Sorted(maps.Keys(tags)), values(call.In, "TagKeys")...); len(names) > 0 {
		keys["aws:TagKeys"] = strings.Join(names, "\n")
	}
	return keys
}

// about returns the condition keys of one resource. In EC2, a new resource has the request's tags, an existing one its own,
// and CreateTags has both.
func (a *Authorizer) about(call *wire.Call, resource string, keys map[string]string) map[string]string {
	if call.Service != "ec2" || resource == "*" || strings.HasSuffix(resource, "/*") {
		return keys
	}
	keys = maps.Clone(keys)
	if call.Action != "CreateTags" {
		maps.DeleteFunc(keys, func(k, _ string) bool { return strings.HasPrefix(k, "aws:RequestTag/") || k == "aws:TagKeys" })
	}
	for k, v := range a.Tags(resource[strings.LastIndex(resource, "/")+1:]) {
		keys["aws:ResourceTag/"+k], keys["ec2:ResourceTag/"+k] = v, v
	}
	return keys
}

// resources are the ARNs of a template.
func (a *Authorizer) resources(call *wire.Call, template string) []string {
	found, _ := expand(template, call.In)
	for i, f := range found {
		found[i] = a.arn(call, f)
	}
	return found
}

func (a *Authorizer) arn(call *wire.Call, resource string) string {
	switch {
	case resource == "*":
		return resource
	case call.Service == "sns" && has(call.In, "SubscriptionArn"): // TOPIC:ID
		return resource[:strings.LastIndex(resource, ":")]
	case strings.HasPrefix(resource, "arn:"):
		return resource
	case call.Service == "sqs": // by name, or the path of its URL
		return a.acct.ARN("sqs", resource[strings.LastIndex(resource, "/")+1:])
	case call.Service == "monitoring" && strings.HasPrefix(resource, "dashboard/"): // global
		return "arn:aws:cloudwatch::" + a.acct.ID + ":" + resource
	case call.Action == "CreateServiceLinkedRole":
		arn, _ := a.IAM.Linked(resource)
		return arn
	case call.Service == "iam" && call.Action != "CreateRole" && strings.HasPrefix(resource, "role/") && resource != "role/*":
		return a.IAM.RoleARN(strings.TrimPrefix(resource, "role/")) // requests do not name its path
	case call.Service == "lambda":
		if q := values(call.In, "Qualifier"); len(q) == 1 {
			resource += ":" + q[0]
		}
	case call.Service == "ec2" && !strings.Contains(resource, "/"): // an id alone
		resource = ec2.ResourceType(resource) + "/" + resource
	}
	return a.acct.ARN(prefix(call.Service), resource)
}

// tagged are the resources that get a request's tags.
func (a *Authorizer) tagged(call *wire.Call, resources []string) []string {
	switch call.Service {
	case "ec2": // what is created has no id yet
		var out []string
		for _, kind := range values(call.In, "TagSpecification.ResourceType") {
			out = append(out, a.acct.ARN("ec2", kind+"/*"))
		}
		return out
	case "logs":
		return []string{strings.TrimSuffix(resources[0], ":log-stream:")}
	}
	return resources[:1]
}

// link makes the service-linked role on first use, with the caller's permissions.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/using-service-linked-roles.html
func (a *Authorizer) link(who string, r rule) error {
	if r.linked == "" {
		return nil
	}
	arn, exists := a.IAM.Linked(r.linked)
	if exists {
		return nil
	}
	if a.IAM.Decide(who, "iam:CreateServiceLinkedRole", arn, map[string]string{"iam:AWSServiceName": r.linked}).Allowed {
		return a.IAM.Link(r.linked)
	}
	if strings.HasPrefix(r.linked, "ecs.") {
		return wire.Errorf(http.StatusBadRequest, "InvalidParameterException", "Unable to assume the service linked role. Please verify that the ECS service linked role exists.")
	}
	// https://github.com/aws-controllers-k8s/community/issues/367
	return wire.Errorf(http.StatusBadRequest, "ServiceLinkedRoleNotFoundFault",
		"This action cannot be completed due to insufficient permissions. (Recommended action) Please create new role using IAM API CreateServiceLinkedRole.")
}

// prefix is a service's name in IAM.
func prefix(service string) string {
	if service == "tagging" {
		return "tag"
	}
	if service == "monitoring" {
		return "cloudwatch"
	}
	return service
}
