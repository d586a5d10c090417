package iam

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam/policy"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type role struct {
	grants
	past                                    []past // the earliest first
	name, id, path, arn, trust, description string
	created                                 time.Time
	maxSession                              int // seconds
	document                                *policy.Document
	tags                                    tagset.Set
	linked                                  bool // service-linked: only its service changes it
}

type boundaryOut struct{ PermissionsBoundaryType, PermissionsBoundaryArn string }

type roleOut struct {
	Path, RoleName, RoleId, Arn string
	CreateDate                  *wire.Time
	AssumeRolePolicyDocument    string
	Description                 *string
	MaxSessionDuration          int
	PermissionsBoundary         *boundaryOut
	Tags                        []tagset.Tag
	RoleLastUsed                *none
}

func (r *role) out() roleOut {
	o := roleOut{Path: r.path, RoleName: r.name, RoleId: r.id, Arn: r.arn, CreateDate: wire.At(r.created),
		AssumeRolePolicyDocument: encoded(r.trust), MaxSessionDuration: r.maxSession, RoleLastUsed: &none{}}
	if r.description != "" {
		o.Description = &r.description
	}
	if r.boundary != "" {
		o.PermissionsBoundary = &boundaryOut{"PermissionsBoundaryPolicy", r.boundary}
	}
	if len(r.tags) > 0 {
		o.Tags = tagset.List[tagset.Tag](r.tags)
	}
	return o
}

// known are the service principals that a trust policy may name; IAM refuses the name of a service that it does
// not know. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services
var known = strings.Fields(`apigateway application-autoscaling autoscaling backup batch cloudformation cloudtrail
	cloudwatch codebuild codedeploy codepipeline config delivery.logs ec2 ecs ecs-tasks edgelambda elasticache elasticloadbalancing
	events export.rds firehose glue kinesis lambda logs monitoring pipes rds s3 scheduler secretsmanager sns spotfleet sqs ssm states
	transitgateway vpc-flow-logs xray`)

// trust reads a role's trust policy and checks that whom it names exists.
func (s *Service) trust(text string) (*policy.Document, error) {
	if size(text) > trustSize {
		return nil, limit("Cannot exceed quota for ACLSizePerRole: %d", trustSize)
	}
	d, err := policy.Parse(policy.Trust, text)
	if err != nil {
		return nil, malformed(err)
	}
	for _, p := range d.Principals() {
		kind, name, _ := strings.Cut(p, ":")
		switch {
		case kind == "Service" && !slices.Contains(known, strings.TrimSuffix(name, ".amazonaws.com")) &&
			!slices.Contains(known, strings.TrimSuffix(name, "."+s.acct.Region+".amazonaws.com")):
			return nil, malformed(fmt.Errorf("Invalid principal in policy: %q:%q", "SERVICE", name))
		case kind == "AWS" && strings.HasPrefix(name, s.acct.ARN("iam", "role/")):
			if _, ok := s.byARN(name); !ok {
				return nil, malformed(fmt.Errorf("Invalid principal in policy: %q:%q", "AWS", name))
			}
		case kind == "AWS" && strings.HasPrefix(name, s.acct.ARN("iam", "user/")) && name != s.user():
			return nil, malformed(fmt.Errorf("Invalid principal in policy: %q:%q", "AWS", name))
		}
	}
	return d, nil
}

func (s *Service) byARN(arn string) (*role, bool) {
	for _, r := range s.roles {
		if r.arn == arn {
			return r, true
		}
	}
	return nil, false
}

// find gives a role by name; the caller holds the lock.
func (s *Service) find(name string) (*role, error) {
	if r, ok := s.roles[strings.ToLower(name)]; ok {
		return r, nil
	}
	return nil, noSuch("The role with name %s cannot be found.", name)
}

// change finds a role that is not service-linked; the caller holds the lock.
func (s *Service) change(name string) (*role, error) {
	r, err := s.find(name)
	if err == nil && r.linked {
		return nil, wire.Errorf(http.StatusBadRequest, "UnmodifiableEntity", "Cannot perform the operation on the protected role '%s' - this role is only modifiable by AWS", name)
	}
	return r, err
}

type createRoleIn struct {
	RoleName                 string `wire:",required"`
	AssumeRolePolicyDocument string `wire:",required"`
	Path, Description        string
	MaxSessionDuration       *int
	PermissionsBoundary      string
	Tags                     []tagset.Pair
}

type roleResult struct{ Role roleOut }

func (s *Service) createRole(_ context.Context, in *createRoleIn) (*roleResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path, err := checkPath(in.Path)
	if err := errors.Join(err, checkName("roleName", in.RoleName, 64), checkText(in.Description)); err != nil {
		return nil, err
	}
	if strings.HasPrefix(path, "/aws-service-role/") {
		return nil, wire.Errorf(http.StatusForbidden, "AccessDenied", "Path %s is reserved for service-linked roles", path)
	}
	seconds, err := sessionSeconds(in.MaxSessionDuration, 3600)
	if err != nil {
		return nil, err
	}
	tags, err := tagset.Add(rules, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	if _, ok := s.roles[strings.ToLower(in.RoleName)]; ok {
		return nil, wire.Errorf(http.StatusConflict, "EntityAlreadyExists", "Role with name %s already exists.", in.RoleName)
	}
	d, err := s.trust(in.AssumeRolePolicyDocument)
	if err != nil {
		return nil, err
	}
	if err := s.attachable(in.PermissionsBoundary, "Scope ARN: %s does not exist or is not attachable."); in.PermissionsBoundary != "" && err != nil {
		return nil, err
	}
	r := &role{name: in.RoleName, id: id("AROA"), path: path, arn: s.acct.ARN("iam", "role"+path+in.RoleName), trust: in.AssumeRolePolicyDocument,
		description: in.Description, created: s.acct.Clock.Now(), maxSession: seconds, document: d,
		grants: grants{inline: map[string]inline{}, boundary: in.PermissionsBoundary}, tags: tags}
	s.roles[strings.ToLower(r.name)] = r
	return &roleResult{r.out()}, nil
}

func sessionSeconds(asked *int, otherwise int) (int, error) {
	if asked == nil {
		return otherwise, nil
	}
	if *asked < 3600 || *asked > 43200 {
		return 0, invalid("Value '%d' at 'maxSessionDuration' failed to satisfy constraint: Member must have value between 3600 and 43200", *asked)
	}
	return *asked, nil
}

type roleIn struct {
	RoleName string `wire:",required"`
}

func (s *Service) getRole(_ context.Context, in *roleIn) (*roleResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.RoleName)
	if err != nil {
		return nil, err
	}
	return &roleResult{r.out()}, nil
}

type updateRoleIn struct {
	RoleName           string `wire:",required"`
	Description        *string
	MaxSessionDuration *int
}

func (s *Service) updateRole(_ context.Context, in *updateRoleIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.change(in.RoleName)
	if err != nil {
		return nil, err
	}
	seconds, err := sessionSeconds(in.MaxSessionDuration, r.maxSession)
	if err != nil {
		return nil, err
	}
	if in.Description != nil {
		if err := checkText(*in.Description); err != nil {
			return nil, err
		}
		r.description = *in.Description
	}
	r.maxSession = seconds
	return &none{}, nil
}

type updateRoleDescriptionIn struct {
	RoleName    string `wire:",required"`
	Description string `wire:",required"`
}

func (s *Service) updateRoleDescription(ctx context.Context, in *updateRoleDescriptionIn) (*roleResult, error) {
	if _, err := s.updateRole(ctx, &updateRoleIn{RoleName: in.RoleName, Description: &in.Description}); err != nil {
		return nil, err
	}
	return s.getRole(ctx, &roleIn{in.RoleName})
}

type updateTrustIn struct {
	RoleName       string `wire:",required"`
	PolicyDocument string `wire:",required"`
}

func (s *Service) updateAssumeRolePolicy(_ context.Context, in *updateTrustIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.change(in.RoleName)
	if err != nil {
		return nil, err
	}
	d, err := s.trust(in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	r.trust, r.document = in.PolicyDocument, d
	return &none{}, nil
}

func (s *Service) deleteRole(_ context.Context, in *roleIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.change(in.RoleName)
	if err != nil {
		return nil, err
	}
	if len(r.attached) > 0 {
		return nil, wire.Errorf(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	if len(r.inline) > 0 {
		return nil, wire.Errorf(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	}
	delete(s.roles, strings.ToLower(r.name))
	return &none{}, nil
}

func (s *Service) tagRole(_ context.Context, in *struct {
	RoleName string        `wire:",required"`
	Tags     []tagset.Pair `wire:",required"`
}) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.RoleName)
	if err != nil {
		return nil, err
	}
	return &none{}, tagset.Put(rules, &r.tags, in.Tags)
}

func (s *Service) untagRole(_ context.Context, in *struct {
	RoleName string   `wire:",required"`
	TagKeys  []string `wire:",required"`
}) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.RoleName)
	if err == nil {
		r.tags = rules.Remove(r.tags, in.TagKeys)
	}
	return &none{}, err
}

type roleListIn struct {
	RoleName string `wire:",required"`
	page
}

type tagsOut struct {
	Tags []tagset.Tag
	pageOut
}

type putBoundaryIn struct {
	RoleName            string `wire:",required"`
	PermissionsBoundary string `wire:",required"`
}

func (s *Service) putBoundary(_ context.Context, in *putBoundaryIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.change(in.RoleName)
	if err != nil {
		return nil, err
	}
	if err := s.attachable(in.PermissionsBoundary, "Scope ARN: %s does not exist or is not attachable."); err != nil {
		return nil, err
	}
	s.write(r)
	r.boundary = in.PermissionsBoundary
	return &none{}, nil
}

func (s *Service) deleteBoundary(_ context.Context, in *roleIn) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.change(in.RoleName)
	if err != nil {
		return nil, err
	}
	s.write(r)
	r.boundary = ""
	return &none{}, nil
}

type profilesOut struct {
	InstanceProfiles []none
	pageOut
}

// listInstanceProfilesForRole is always empty: profiles belong to EC2 instances, which are not served.
func (s *Service) listInstanceProfilesForRole(_ context.Context, in *roleListIn) (*profilesOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.find(in.RoleName)
	return &profilesOut{InstanceProfiles: []none{}}, err
}
