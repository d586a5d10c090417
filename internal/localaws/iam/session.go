package iam

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam/policy"
)

// Deployer is the account's one user. It may do everything; a deployer with AWS's limits is a role's session.
const Deployer = "deployer"

const userID = "AIDACKCEVSQ6C2EXAMPLE"

func (s *Service) user() string { return s.acct.ARN("iam", "user/"+Deployer) }

// Role is a role as other services see it.
type Role struct{ Name, ARN, TrustPolicy string }

// Role finds a role by its ARN.
func (s *Service) Role(arn string) (Role, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.byARN(arn)
	if !ok {
		return Role{}, false
	}
	return Role{r.name, r.arn, r.trust}, true
}

// RoleARN is the ARN of a role, with its path; a role that does not exist has no path.
func (s *Service) RoleARN(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.roles[strings.ToLower(name)]; ok {
		return r.arn
	}
	return s.acct.ARN("iam", "role/"+name)
}

// Credentials are those of a role's session or, without a token and an end, of the user.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}

type session struct {
	Credentials
	roleARN, roleID, name string
}

// User is the access key of the account's user.
func (s *Service) User() Credentials { return s.key }

// Credentials returns the credentials of an access key that this account issued and that still exists.
func (s *Service) Credentials(accessKeyID string) (Credentials, bool) {
	if accessKeyID == s.key.AccessKeyID {
		return s.key, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.sessions[accessKeyID]
	return o.Credentials, ok
}

// Session starts a session of a role that lasts as long as the role allows. Whether the caller may do so is asked
// beforehand: Trusts, or Assumable.
func (s *Service) Session(roleARN, name string) Credentials { return s.session(roleARN, name, 0) }

// ShortSession is Session for the given time.
func (s *Service) ShortSession(roleARN, name string, d time.Duration) Credentials {
	return s.session(roleARN, name, d)
}

func (s *Service) session(roleARN, name string, d time.Duration) Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.acct.Clock.Now()
	maps.DeleteFunc(s.sessions, func(_ string, o session) bool { return o.Expires.Before(now.Add(-24 * time.Hour)) }) // until then its caller is told why
	r, ok := s.byARN(roleARN)
	if !ok {
		return Credentials{}
	}
	if d == 0 {
		d = time.Duration(r.maxSession) * time.Second
	}
	c := Credentials{"ASIA" + strings.ToUpper(account.NewID(16)), account.NewID(40), account.NewID(64), now.Add(d)}
	s.sessions[c.AccessKeyID] = session{c, r.arn, r.id, name}
	return c
}

// Expire ends the session of an access key now, as if its time were over.
func (s *Service) Expire(accessKeyID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.sessions[accessKeyID]; ok {
		o.Expires = s.acct.Clock.Now().Add(-time.Second)
		s.sessions[accessKeyID] = o
	}
}

// Identity is who a caller is.
type Identity struct{ ARN, UserID string }

// Caller is the owner of an access key; false if this account did not issue it, or if its session has expired or its role is gone.
func (s *Service) Caller(accessKeyID string) (Identity, bool) {
	if accessKeyID == s.key.AccessKeyID {
		return Identity{s.user(), userID}, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.sessions[accessKeyID]
	r, exists := s.byARN(o.roleARN)
	if !ok || !exists || r.id != o.roleID || o.Expires.Before(s.acct.Clock.Now()) {
		return Identity{}, false
	}
	return Identity{s.acct.ARN("sts", "assumed-role/"+r.name+"/"+o.name), r.id + ":" + o.name}, true
}

// Principal is the ARN of an access key's owner.
func (s *Service) Principal(accessKeyID string) (arn string, ok bool) {
	c, ok := s.Caller(accessKeyID)
	return c.ARN, ok
}

// Trusts reports whether a role lets a service assume it, such as "lambda.amazonaws.com". A condition on
// aws:SourceArn counts as met for one resource of this account or another: TrustsFor checks it.
// A role is not trusted before Delays.RoleReady: IAM is eventually consistent.
func (s *Service) Trusts(roleARN, service string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.byARN(roleARN)
	if !ok || !s.ready(r) {
		return false
	}
	return r.document.Ignoring("aws:SourceArn").Decide(s.assume(service, "")) == policy.Allow
}

// TrustsFor is Trusts on behalf of a resource: a schedule group, a function.
func (s *Service) TrustsFor(roleARN, service, sourceARN string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.byARN(roleARN)
	return ok && s.ready(r) && r.document.Decide(s.assume(service, sourceARN)) == policy.Allow
}

func (s *Service) ready(r *role) bool {
	return !s.acct.Clock.Now().Before(r.created.Add(s.acct.Delays.RoleReady))
}

func (s *Service) assume(service, sourceARN string) policy.Request {
	r := policy.Request{Principals: []string{"Service:" + service}, Action: "sts:AssumeRole", Resource: "*",
		Context: map[string]string{"aws:SourceAccount": s.acct.ID}}
	if sourceARN != "" {
		r.Context["aws:SourceArn"] = sourceARN
	}
	return r
}

// Assumable reports whether a principal of this account may assume a role, and for how long at most. A trust policy
// that names the principal is enough; one that names the account leaves it to the principal's own policies.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func (s *Service) Assumable(roleARN, principalARN string, context map[string]string) (longest time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.byARN(roleARN)
	if !ok || !s.ready(r) {
		return 0, false
	}
	ask := policy.Request{Action: "sts:AssumeRole", Resource: "*", Context: s.context(principalARN, context)}
	names := []string{"AWS:" + principalARN}
	if caller, ok := s.roleOf(principalARN); ok { // a session counts as its role too
		names = append(names, "AWS:"+caller.arn)
	}
	ask.Principals = append(names, "AWS:"+s.acct.ARN("iam", "root"))
	if r.document.Decide(ask) != policy.Allow {
		return 0, false
	}
	ask.Principals = names
	if r.document.Decide(ask) != policy.Allow && !s.allowed(principalARN, "sts:AssumeRole", roleARN, context) {
		return 0, false
	}
	return time.Duration(r.maxSession) * time.Second, true
}

// roleOf is the role behind a role's or a session's ARN.
func (s *Service) roleOf(principalARN string) (*role, bool) {
	if rest, ok := strings.CutPrefix(principalARN, s.acct.ARN("sts", "assumed-role/")); ok {
		name, _, _ := strings.Cut(rest, "/")
		r, ok := s.roles[strings.ToLower(name)]
		return r, ok
	}
	return s.byARN(principalARN)
}

// Decision is what a principal's policies decide about one action on one resource.
type Decision struct {
	Principal, Action, Resource string
	Context                     map[string]string // the request's condition keys, those about the principal included
	Allowed                     bool
	Denied                      bool     // explicitly
	Statements                  []string // those that apply: "policy/Sid"
}

// Refusal is AWS's text for a denied action.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func (d Decision) Refusal() string { return d.RefusalOf(d.Action, d.Resource) }

// RefusalOf is Refusal with the action and the resource as a service spells them.
func (d Decision) RefusalOf(action, resource string) string {
	why := fmt.Sprintf("because no identity-based policy allows the %s action", action)
	switch {
	case d.Denied:
		why = "with an explicit deny in an identity-based policy"
	case len(d.Statements) > 0: // a policy allows it, so it is the boundary that does not
		why = fmt.Sprintf("because no permissions boundary allows the %s action", action)
	}
	return fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", d.Principal, action, resource, why)
}

// Allowed decides by the policies of the principal - a role, a session of one, or the user - whether it may do
// action ("ecs:UpdateService") on resource (an ARN, "*" for actions without resource-level permissions). context
// are condition keys of the request; those about the principal are known here. Several values of one key are
// separated by line breaks.
func (s *Service) Allowed(principalARN, action, resource string, context map[string]string) bool {
	return s.Decide(principalARN, action, resource, context).Allowed
}

// Decide is Allowed with its reasons.
func (s *Service) Decide(principalARN, action, resource string, context map[string]string) Decision {
	s.mu.Lock()
	d := s.decide(principalARN, action, resource, context)
	s.mu.Unlock()
	if s.Decided != nil {
		s.Decided(d)
	}
	return d
}

func (s *Service) allowed(principalARN, action, resource string, context map[string]string) bool {
	return s.decide(principalARN, action, resource, context).Allowed
}

func (s *Service) decide(principalARN, action, resource string, context map[string]string) Decision {
	d := Decision{Principal: principalARN, Action: action, Resource: resource, Context: s.context(principalARN, context)}
	if principalARN == s.user() {
		d.Allowed = true
		return d
	}
	r, ok := s.roleOf(principalARN)
	if !ok {
		return d
	}
	ask := policy.Request{Action: action, Resource: resource, Context: d.Context}
	ruling := policy.None
	weigh := func(name string, document *policy.Document) {
		one, statements := document.Explain(ask)
		ruling = max(ruling, one) // Deny is above Allow, Allow above None
		for _, sid := range statements {
			d.Statements = append(d.Statements, name+"/"+sid)
		}
	}
	acting := s.acting(r)
	for name, p := range acting.inline {
		weigh(name, p.document)
	}
	for _, arn := range acting.attached {
		if p, ok := s.policy(arn); ok {
			weigh(p.name, p.document())
		}
	}
	d.Allowed, d.Denied = ruling == policy.Allow, ruling == policy.Deny
	if acting.boundary != "" && d.Allowed { // what both allow: https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
		p, ok := s.policy(acting.boundary)
		d.Allowed = ok && p.document().Decide(ask) == policy.Allow
	}
	return d
}

// context adds the condition keys about the principal and the Region to a request's.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (s *Service) context(principalARN string, more map[string]string) map[string]string {
	c := map[string]string{"aws:PrincipalAccount": s.acct.ID, "aws:PrincipalArn": principalARN, "aws:RequestedRegion": s.acct.Region,
		"aws:SecureTransport": "true"} // loopback counts as TLS
	if r, ok := s.roleOf(principalARN); ok {
		c["aws:PrincipalArn"] = r.arn
		for key, value := range r.tags {
			c["aws:PrincipalTag/"+key] = value
		}
	}
	maps.Copy(c, more)
	return c
}
