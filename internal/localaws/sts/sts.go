// Package sts is the Security Token Service: who am I, and sessions of roles.
//
// API reference: https://docs.aws.amazon.com/STS/latest/APIReference/API_Operations.html
//
// It does not do: session policies and tags, MFA, SAML and web identities.
package sts

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Service is STS over the roles of an account.
type Service struct {
	acct *account.Account
	iam  *iam.Service
}

// New is STS for the principals and roles that IAM knows.
func New(acct *account.Account, roles *iam.Service) *Service { return &Service{acct, roles} }

// Register serves STS's actions.
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "sts", XMLNS: "https://sts.amazonaws.com/doc/2011-06-15/", Invalid: "ValidationError"},
		wire.Action("GetCallerIdentity", s.getCallerIdentity),
		wire.Action("AssumeRole", s.assumeRole),
	)
}

type identityOut struct{ UserId, Account, Arn string }

func (s *Service) caller(ctx context.Context) (iam.Identity, error) {
	key := wire.From(ctx).AccessKey
	if key == "" {
		return iam.Identity{}, wire.Errorf(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	who, ok := s.iam.Caller(key)
	if !ok {
		return who, wire.Errorf(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
	}
	return who, nil
}

func (s *Service) getCallerIdentity(ctx context.Context, _ *struct{}) (*identityOut, error) {
	who, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	return &identityOut{who.UserID, s.acct.ID, who.ARN}, nil
}

type assumeRoleIn struct {
	RoleArn         string `wire:",required"`
	RoleSessionName string `wire:",required"`
	DurationSeconds *int
	ExternalId      *string
}

type credentials struct {
	AccessKeyId, SecretAccessKey, SessionToken string
	Expiration                                 *wire.Time
}

type assumedRole struct{ AssumedRoleId, Arn string }

type assumeRoleOut struct {
	Credentials     credentials
	AssumedRoleUser assumedRole
}

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

func (s *Service) assumeRole(ctx context.Context, in *assumeRoleIn) (*assumeRoleOut, error) {
	who, err := s.caller(ctx)
	if err != nil {
		return nil, err
	}
	if !sessionName.MatchString(in.RoleSessionName) {
		return nil, wire.Errorf(http.StatusBadRequest, "ValidationError",
			`1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]{2,64}`, in.RoleSessionName)
	}
	d := time.Hour
	if in.DurationSeconds != nil {
		d = time.Duration(*in.DurationSeconds) * time.Second
	}
	if d < 15*time.Minute || d > 12*time.Hour {
		return nil, wire.Errorf(http.StatusBadRequest, "ValidationError",
			"1 validation error detected: Value '%d' at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200", int(d.Seconds()))
	}
	keys := map[string]string{"sts:RoleSessionName": in.RoleSessionName}
	if in.ExternalId != nil {
		keys["sts:ExternalId"] = *in.ExternalId
	}
	longest, ok := s.iam.Assumable(in.RoleArn, who.ARN, keys)
	if !ok { // also for a role that does not exist: it is not told apart
		return nil, wire.Errorf(http.StatusForbidden, "AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", who.ARN, in.RoleArn)
	}
	if d > longest {
		return nil, wire.Errorf(http.StatusBadRequest, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	c := s.iam.ShortSession(in.RoleArn, in.RoleSessionName, d)
	session, ok := s.iam.Caller(c.AccessKeyID)
	if !ok {
		return nil, wire.Errorf(http.StatusForbidden, "AccessDenied", "role %s was deleted meanwhile", in.RoleArn)
	}
	return &assumeRoleOut{credentials{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, wire.At(c.Expires)}, assumedRole{session.UserID, session.ARN}}, nil
}
