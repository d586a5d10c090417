package lambda

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// statement of a function's resource policy, in the order AWS writes it.
type statement struct {
	Sid       string
	Effect    string
	Principal any
	Action    string
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

var (
	statementID      = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,100}$`)
	permissionAction = regexp.MustCompile(`^(lambda:\*|lambda:[a-zA-Z]+|\*)$`)
	accountID        = regexp.MustCompile(`^\d{12}$`)
)

type addPermissionIn struct {
	functionIn
	StatementId         string `wire:",required"`
	Action              string `wire:",required"`
	Principal           string `wire:",required"`
	SourceArn           *string
	SourceAccount       *string
	RevisionId          *string
	EventSourceToken    *string
	PrincipalOrgID      *string
	FunctionUrlAuthType *string
}

type addPermissionOut struct{ Statement string }

// https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
func (s *Service) addPermission(_ context.Context, in *addPermissionIn) (*addPermissionOut, error) {
	switch {
	case !statementID.MatchString(in.StatementId):
		return nil, pattern("statementId", in.StatementId, "([a-zA-Z0-9-_]+)")
	case !permissionAction.MatchString(in.Action):
		return nil, pattern("action", in.Action, "(lambda:[*]|lambda:[a-zA-Z]+|[*])")
	case in.SourceAccount != nil && !accountID.MatchString(*in.SourceAccount):
		return nil, pattern("sourceAccount", *in.SourceAccount, "\\d{12}")
	case in.EventSourceToken != nil || in.PrincipalOrgID != nil || in.FunctionUrlAuthType != nil:
		return nil, unserved("EventSourceToken, PrincipalOrgID and FunctionUrlAuthType of AddPermission")
	}
	return of(s, in.functionIn, func(f *function) (*addPermissionOut, error) {
		if in.RevisionId != nil && *in.RevisionId != f.policyRev {
			return nil, wire.Errorf(http.StatusPreconditionFailed, "PreconditionFailedException", "The RevisionId provided does not match the latest RevisionId. Call the GetPolicy API to retrieve the latest RevisionId")
		}
		if slices.ContainsFunc(f.policy, func(st statement) bool { return st.Sid == in.StatementId }) {
			return nil, conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the existing statement.", in.StatementId)
		}
		st := statement{Sid: in.StatementId, Effect: "Allow", Action: in.Action, Resource: f.FunctionArn}
		if in.qualifier() != "" {
			st.Resource += ":" + in.qualifier()
		}
		switch {
		case in.Principal == "*":
			st.Principal = "*"
		case accountID.MatchString(in.Principal):
			st.Principal = map[string]string{"AWS": "arn:aws:iam::" + in.Principal + ":root"}
		case strings.HasPrefix(in.Principal, "arn:"):
			st.Principal = map[string]string{"AWS": in.Principal}
		default:
			st.Principal = map[string]string{"Service": in.Principal}
		}
		if in.SourceAccount != nil {
			st.Condition = map[string]map[string]string{"StringEquals": {"AWS:SourceAccount": *in.SourceAccount}}
		}
		if in.SourceArn != nil {
			if st.Condition == nil {
				st.Condition = map[string]map[string]string{}
			}
			st.Condition["ArnLike"] = map[string]string{"AWS:SourceArn": *in.SourceArn}
		}
		b, err := json.Marshal(st)
		if err != nil {
			return nil, err
		}
		f.policy, f.policyRev = append(f.policy, st), newUUID()
		return &addPermissionOut{string(b)}, nil
	})
}

func pattern(member, value, want string) error {
	return wire.Errorf(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: %s", value, member, want)
}

type removePermissionIn struct {
	functionIn
	StatementId string  `at:"uri"`
	RevisionId  *string `at:"query=RevisionId"`
}

func (s *Service) removePermission(_ context.Context, in *removePermissionIn) (*struct{}, error) {
	return of(s, in.functionIn, func(f *function) (*struct{}, error) {
		i := slices.IndexFunc(f.policy, func(st statement) bool { return st.Sid == in.StatementId })
		if i < 0 {
			return nil, wire.Errorf(http.StatusNotFound, "ResourceNotFoundException", "Statement %s is not found in resource policy.", in.StatementId)
		}
		f.policy, f.policyRev = slices.Delete(f.policy, i, i+1), newUUID()
		return &struct{}{}, nil
	})
}

type getPolicyOut struct{ Policy, RevisionId string }

func (s *Service) getPolicy(_ context.Context, in *functionIn) (*getPolicyOut, error) {
	return of(s, *in, func(f *function) (*getPolicyOut, error) {
		if len(f.policy) == 0 {
			return nil, wire.Errorf(http.StatusNotFound, "ResourceNotFoundException", "The resource you requested does not exist.")
		}
		b, err := json.Marshal(struct {
			Version, Id string
			Statement   []statement
		}{"2012-10-17", "default", f.policy})
		return &getPolicyOut{string(b), f.policyRev}, err
	})
}
