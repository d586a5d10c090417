package iam

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam/policy"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// inline is a policy that lives in its role.
type inline struct {
	text     string
	document *policy.Document
}

// Quotas on size, in characters without white space, and number.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	inlineSize      = 10240 // all of a role's inline policies together
	managedSize     = 6144
	trustSize       = 2048
	attachedPerRole = 10
	versionsKept    = 5
)

func size(text string) int {
	n := 0
	for _, r := range text {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

type rolePolicyIn struct {
	RoleName   string `wire:",required"`
	PolicyName string `wire:",required"`
}

type putRolePolicyIn struct {
	rolePolicyIn
	PolicyDocument string `wire:",required"`
}

func (s *Service) putRolePolicy(_ context.Context, in *putRolePolicyIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := checkName("policyName", in.PolicyName, 128); err != nil {
		return nil, err
	}
	r, err := s.change(in.RoleName)
	if err != nil {
		return nil, err
	}
	d, err := policy.Parse(policy.Identity, in.PolicyDocument)
	if err != nil {
		return nil, malformed(err)
	}
	total := size(in.PolicyDocument)
	for name, p := range r.inline {
		if name != in.PolicyName {
			total += size(p.text)
		}
	}
	if total > inlineSize {
		return nil, limit("Maximum policy size of %d bytes exceeded for role %s", inlineSize, r.name)
	}
	s.write(r)
	r.inline[in.PolicyName] = inline{in.PolicyDocument, d}
	return &none{}, nil
}

type rolePolicyOut struct{ RoleName, PolicyName, PolicyDocument string }

func (s *Service) getRolePolicy(_ context.Context, in *rolePolicyIn) (*rolePolicyOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.RoleName)
	if err != nil {
		return nil, err
	}
	p, ok := r.inline[in.PolicyName]
	if !ok {
		return nil, noSuch("The role policy with name %s cannot be found.", in.PolicyName)
	}
	return &rolePolicyOut{r.name, in.PolicyName, encoded(p.text)}, nil
}

func (s *Service) deleteRolePolicy(_ context.Context, in *rolePolicyIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.change(in.RoleName)
	if err != nil {
		return nil, err
	}
	if _, ok := r.inline[in.PolicyName]; !ok {
		return nil, noSuch("The role policy with name %s cannot be found.", in.PolicyName)
	}
	s.write(r)
	delete(r.inline, in.PolicyName)
	return &none{}, nil
}

type policyNamesOut struct {
	PolicyNames []string
	pageOut
}

func (s *Service) listRolePolicies(_ context.Context, in *roleListIn) (*policyNamesOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.RoleName)
	if err != nil {
		return nil, err
	}
	var all []string
	for name := range r.inline {
		all = append(all, name)
	}
	slices.Sort(all)
	names, next, err := cut(all, strings.Clone, in.page)
	return &policyNamesOut{names, next}, err
}

type attachIn struct {
	RoleName  string `wire:",required"`
	PolicyArn string `wire:",required"`
}

func (s *Service) attachRolePolicy(_ context.Context, in *attachIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.change(in.RoleName)
	if err != nil {
		return nil, err
	}
	if err := s.attachable(in.PolicyArn, "Policy %s does not exist or is not attachable."); err != nil {
		return nil, err
	}
	if slices.Contains(r.attached, in.PolicyArn) {
		return &none{}, nil
	}
	if len(r.attached) == attachedPerRole {
		return nil, limit("Cannot exceed quota for PoliciesPerRole: %d", attachedPerRole)
	}
	s.write(r)
	r.attached = append(r.attached, in.PolicyArn)
	return &none{}, nil
}

func (s *Service) detachRolePolicy(_ context.Context, in *attachIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.change(in.RoleName)
	if err != nil {
		return nil, err
	}
	i := slices.Index(r.attached, in.PolicyArn)
	if i < 0 {
		return nil, noSuch("Policy %s was not found.", in.PolicyArn)
	}
	s.write(r)
	r.attached = slices.Delete(r.attached, i, i+1)
	return &none{}, nil
}

type listAttachedIn struct {
	RoleName   string `wire:",required"`
	PathPrefix string
	page
}

type attachedPolicy struct{ PolicyName, PolicyArn string }

type listAttachedOut struct {
	AttachedPolicies []attachedPolicy
	pageOut
}

func (s *Service) listAttachedRolePolicies(_ context.Context, in *listAttachedIn) (*listAttachedOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.RoleName)
	if err != nil {
		return nil, err
	}
	var all []attachedPolicy
	for _, arn := range r.attached {
		if p, ok := s.policy(arn); ok && strings.HasPrefix(p.path, in.PathPrefix) {
			all = append(all, attachedPolicy{p.name, arn})
		}
	}
	policies, next, err := cut(all, func(p attachedPolicy) string { return p.PolicyArn }, in.page)
	return &listAttachedOut{policies, next}, err
}

// attachable returns the given error of AWS if a managed policy does not exist.
func (s *Service) attachable(arn, message string) error {
	if !strings.HasPrefix(arn, "arn:") || strings.Count(arn, ":") < 5 {
		return wire.Errorf(http.StatusBadRequest, "InvalidInput", "ARN %s is not valid.", arn)
	}
	if _, ok := s.policy(arn); !ok {
		return wire.Errorf(http.StatusNotFound, "NoSuchEntity", message, arn)
	}
	return nil
}

// policy finds a managed policy, the customer's or AWS's; the caller holds the lock.
func (s *Service) policy(arn string) (*managed, bool) {
	if p, ok := s.policies[arn]; ok {
		return p, true
	}
	p, ok := awsManaged[arn]
	return p, ok
}

type createPolicyIn struct {
	PolicyName        string `wire:",required"`
	PolicyDocument    string `wire:",required"`
	Path, Description string
	Tags              []tagset.Pair
}

type policyResult struct{ Policy policyOut }

func (s *Service) createPolicy(_ context.Context, in *createPolicyIn) (*policyResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := checkName("policyName", in.PolicyName, 128); err != nil {
		return nil, err
	}
	path, err := checkPath(in.Path)
	if err != nil {
		return nil, err
	}
	if err := checkText(in.Description); err != nil {
		return nil, err
	}
	tags, err := tagset.Add(rules, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	for _, p := range s.policies { // unique whatever the path
		if strings.EqualFold(p.name, in.PolicyName) {
			return nil, wire.Errorf(http.StatusConflict, "EntityAlreadyExists", "A policy called %s already exists. Duplicate names are not allowed.", in.PolicyName)
		}
	}
	p := &managed{name: in.PolicyName, id: id("ANPA"), path: path, arn: s.acct.ARN("iam", "policy"+path+in.PolicyName),
		description: in.Description, created: s.acct.Clock.Now(), tags: tags}
	if err := p.add(in.PolicyDocument, true, p.created); err != nil {
		return nil, err
	}
	s.policies[p.arn] = p
	o := s.policyOut(p)
	o.Description = nil // CreatePolicy answers without it
	return &policyResult{o}, nil
}

type policyIn struct {
	PolicyArn string `wire:",required"`
}

func (s *Service) findPolicy(arn string) (*managed, error) {
	p, ok := s.policy(arn)
	if !ok {
		return nil, noSuch("Policy %s was not found.", arn)
	}
	return p, nil
}

// own finds a policy that the customer may change.
func (s *Service) own(arn string) (*managed, error) {
	p, err := s.findPolicy(arn)
	if err == nil && s.policies[arn] == nil {
		return nil, wire.Errorf(http.StatusForbidden, "AccessDenied", "%s is an AWS managed policy: it cannot be changed", arn)
	}
	return p, err
}

func (s *Service) getPolicy(_ context.Context, in *policyIn) (*policyResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.findPolicy(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return &policyResult{s.policyOut(p)}, nil
}

func (s *Service) deletePolicy(_ context.Context, in *policyIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.own(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	o := s.policyOut(p)
	conflict := func(why string) error { return wire.Errorf(http.StatusConflict, "DeleteConflict", "%s", why) }
	switch {
	case o.AttachmentCount > 0:
		return nil, conflict("Cannot delete a policy attached to entities.")
	case o.PermissionsBoundaryUsageCount > 0:
		return nil, conflict("Cannot delete a policy that is in use as a permissions boundary.")
	case len(p.versions) > 1:
		return nil, conflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
	}
	delete(s.policies, p.arn)
	return &none{}, nil
}

type createVersionIn struct {
	PolicyArn      string `wire:",required"`
	PolicyDocument string `wire:",required"`
	SetAsDefault   bool
}

type versionResult struct{ PolicyVersion versionOut }

func (s *Service) createPolicyVersion(_ context.Context, in *createVersionIn) (*versionResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.own(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	if len(p.versions) == versionsKept {
		return nil, limit("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", versionsKept)
	}
	if err := p.add(in.PolicyDocument, in.SetAsDefault, s.acct.Clock.Now()); err != nil {
		return nil, err
	}
	o := p.versionOut(p.versions[len(p.versions)-1])
	o.Document = nil
	return &versionResult{o}, nil
}

type versionIn struct {
	PolicyArn string `wire:",required"`
	VersionId string `wire:",required"`
}

func (s *Service) getPolicyVersion(_ context.Context, in *versionIn) (*versionResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.findPolicy(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	v, ok := p.version(in.VersionId)
	if !ok {
		return nil, noSuch("Policy %s version %s does not exist or is not attachable.", in.PolicyArn, in.VersionId)
	}
	return &versionResult{p.versionOut(v)}, nil
}

type policyListIn struct {
	PolicyArn string `wire:",required"`
	page
}

type versionsOut struct {
	Versions []versionOut
	pageOut
}

func (s *Service) listPolicyVersions(_ context.Context, in *policyListIn) (*versionsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.findPolicy(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	var all []versionOut
	for _, v := range slices.Backward(p.versions) {
		o := p.versionOut(v)
		o.Document = nil
		all = append(all, o)
	}
	versions, next, err := cut(all, func(v versionOut) string { return v.VersionId }, in.page)
	return &versionsOut{versions, next}, err
}

func (s *Service) deletePolicyVersion(_ context.Context, in *versionIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.own(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	v, ok := p.version(in.VersionId)
	if !ok {
		return nil, noSuch("Policy %s version %s does not exist or is not attachable.", in.PolicyArn, in.VersionId)
	}
	if v.id == p.current {
		return nil, wire.Errorf(http.StatusConflict, "DeleteConflict", "Cannot delete the default version of a policy.")
	}
	p.versions = slices.DeleteFunc(p.versions, func(o version) bool { return o.id == v.id })
	return &none{}, nil
}

func (s *Service) tagPolicy(_ context.Context, in *struct {
	PolicyArn string        `wire:",required"`
	Tags      []tagset.Pair `wire:",required"`
}) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.own(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return &none{}, tagset.Put(rules, &p.tags, in.Tags)
}

func (s *Service) untagPolicy(_ context.Context, in *struct {
	PolicyArn string   `wire:",required"`
	TagKeys   []string `wire:",required"`
}) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.own(in.PolicyArn)
	if err == nil {
		p.tags = rules.Remove(p.tags, in.TagKeys)
	}
	return &none{}, err
}

func (s *Service) listPolicyTags(_ context.Context, in *policyListIn) (*tagsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.findPolicy(in.PolicyArn)
	if err != nil {
		return nil, err
	}
	tags, next, err := cut(tagset.List[tagset.Tag](p.tags), func(t tagset.Tag) string { return t.Key }, in.page)
	return &tagsOut{tags, next}, err
}

func versionID(n int) string { return fmt.Sprintf("v%d", n) }
