// Package iam is Identity and Access Management: roles with their trust, inline and attached policies, customer
// managed policies, sessions of roles, and the decision whether a principal may do something.
//
// API reference: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html
//
// The account has one user, Deployer, with one access key, which is random. It may do everything. It does not do: groups, further users and their keys,
// instance profiles, identity providers, session policies, service control policies, and AWS managed policies beyond those in managed.go.
package iam

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Service is IAM of one account.
type Service struct {
	// Decided, when set, gets every decision on a request. Set it before there are any.
	Decided func(Decision)

	acct    *account.Account
	started time.Time
	key     Credentials // of the user

	mu       sync.Mutex
	roles    map[string]*role    // by lower-case name: names differ in more than case
	policies map[string]*managed // customer managed, by ARN
	sessions map[string]session  // by access key
}

// New is IAM without roles.
func New(acct *account.Account) *Service {
	return &Service{acct: acct, started: acct.Clock.Now(), key: Credentials{AccessKeyID: "AKIA" + strings.ToUpper(account.NewID(16)), SecretAccessKey: account.NewID(40)},
		roles: map[string]*role{}, policies: map[string]*managed{}, sessions: map[string]session{}}
}

// Register serves IAM's actions.
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "iam", XMLNS: "https://iam.amazonaws.com/doc/2010-05-08/", Invalid: "ValidationError"},
		wire.Action("CreateRole", s.createRole),
		wire.Action("GetRole", s.getRole),
		wire.Action("UpdateRole", s.updateRole),
		wire.Action("UpdateRoleDescription", s.updateRoleDescription),
		wire.Action("UpdateAssumeRolePolicy", s.updateAssumeRolePolicy),
		wire.Action("DeleteRole", s.deleteRole),
		wire.Action("TagRole", s.tagRole),
		wire.Action("UntagRole", s.untagRole),
		wire.Action("PutRolePermissionsBoundary", s.putBoundary),
		wire.Action("DeleteRolePermissionsBoundary", s.deleteBoundary),
		wire.Action("CreateServiceLinkedRole", s.createServiceLinkedRole),
		wire.Action("ListInstanceProfilesForRole", s.listInstanceProfilesForRole),
		wire.Action("PutRolePolicy", s.putRolePolicy),
		wire.Action("GetRolePolicy", s.getRolePolicy),
		wire.Action("ListRolePolicies", s.listRolePolicies),
		wire.Action("DeleteRolePolicy", s.deleteRolePolicy),
		wire.Action("AttachRolePolicy", s.attachRolePolicy),
		wire.Action("DetachRolePolicy", s.detachRolePolicy),
		wire.Action("ListAttachedRolePolicies", s.listAttachedRolePolicies),
		wire.Action("CreatePolicy", s.createPolicy),
		wire.Action("GetPolicy", s.getPolicy),
		wire.Action("DeletePolicy", s.deletePolicy),
		wire.Action("CreatePolicyVersion", s.createPolicyVersion),
		wire.Action("GetPolicyVersion", s.getPolicyVersion),
		wire.Action("ListPolicyVersions", s.listPolicyVersions),
		wire.Action("DeletePolicyVersion", s.deletePolicyVersion),
		wire.Action("TagPolicy", s.tagPolicy),
		wire.Action("UntagPolicy", s.untagPolicy),
		wire.Action("ListPolicyTags", s.listPolicyTags),
	)
}

type (
	none struct{}
	page struct {
		Marker   string
		MaxItems *int
	}
	pageOut struct {
		IsTruncated bool
		Marker      string `wire:",omitempty"`
	}
)

func cut[T any](all []T, name func(T) string, p page) ([]T, pageOut, error) {
	size, ok := paging.Size(p.MaxItems, 100, 1, 1000)
	if !ok {
		return nil, pageOut{}, invalid("Value '%d' at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 1000", size)
	}
	all, next, ok := paging.Cut(all, name, size, p.Marker)
	if !ok {
		return nil, pageOut{}, wire.Errorf(http.StatusBadRequest, "ValidationError", "Invalid Marker.")
	}
	return all, pageOut{next != "", next}, nil
}

func noSuch(format string, args ...any) error {
	return wire.Errorf(http.StatusNotFound, "NoSuchEntity", format, args...)
}

func invalid(format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, "ValidationError", "1 validation error detected: "+format, args...)
}

func malformed(err error) error {
	return wire.Errorf(http.StatusBadRequest, "MalformedPolicyDocument", "%v", err)
}

func limit(format string, args ...any) error {
	return wire.Errorf(http.StatusConflict, "LimitExceeded", format, args...)
}

var (
	nameChars = regexp.MustCompile(`^[\w+=,.@-]+$`)
	pathChars = regexp.MustCompile(`^(/|/[!-~]+/)$`)
	textChars = regexp.MustCompile(`^[\t\n\r\x20-\x7E\x{A1}-\x{FF}]*$`)
)

// checkName checks a name's characters and length.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func checkName(member, name string, longest int) error {
	if !nameChars.MatchString(name) {
		return invalid(`Value '%s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+`, name, member)
	}
	if len(name) > longest {
		return invalid("Value '%s' at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", name, member, longest)
	}
	return nil
}

func checkPath(path string) (string, error) {
	if path == "" {
		return "/", nil
	}
	if !pathChars.MatchString(path) || len(path) > 512 {
		return "", wire.Errorf(http.StatusBadRequest, "ValidationError",
			"The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return path, nil
}

func checkText(text string) error {
	if !textChars.MatchString(text) {
		return invalid(`Value at 'description' failed to satisfy constraint: Member must satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*`)
	}
	if utf8.RuneCountInString(text) > 1000 {
		return invalid("Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 1000")
	}
	return nil
}

// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
var rules = tagset.Rules{Chars: true, Once: true, IgnoreCase: true, Refuse: func(p tagset.Problem, _ tagset.Tag) error {
	switch p {
	case tagset.Reserved:
		return wire.Errorf(http.StatusBadRequest, "InvalidInput", "aws: prefixed tag key names are not allowed for external use.")
	case tagset.Twice:
		return wire.Errorf(http.StatusBadRequest, "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
	case tagset.TooMany:
		return limit("The number of tags has reached the maximum limit.")
	}
	return invalid(`Value at 'tags' failed to satisfy constraint: keys have 1 to 128 and values up to 256 characters of [\p{L}\p{Z}\p{N}_.:/=+\-@]`)
}}

// encoded is a document as IAM returns it: percent-encoded by RFC 3986.
func encoded(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

// id makes a unique id: a prefix for the kind, then 17 characters.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func id(prefix string) string { return prefix + strings.ToUpper(account.NewID(17)) }
