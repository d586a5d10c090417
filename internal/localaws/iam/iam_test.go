package iam_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

func trust(service string) *string {
	return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"` + service + `"}}]}`)
}

func client(t *testing.T) (*iam.Service, *sdk.Client) {
	s := iam.New(wiretest.Account(t))
	r := wire.NewRegistry()
	s.Register(r)
	return s, sdk.NewFromConfig(wiretest.Config(t, r))
}

func code(t *testing.T, err error) string {
	t.Helper()
	var api smithy.APIError
	require.True(t, errors.As(err, &api), "%v", err)
	return api.ErrorCode()
}

func TestRole(t *testing.T) {
	s, c := client(t)
	ctx := t.Context()
	out, err := c.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("n-stop"), Path: aws.String("/perf/"), AssumeRolePolicyDocument: trust("lambda.amazonaws.com"),
		Description: aws.String("stops"), MaxSessionDuration: aws.Int32(7200), Tags: []types.Tag{{Key: aws.String("name"), Value: aws.String("n")}}})
	require.NoError(t, err)
	require.Equal(t, "arn:aws:iam::123456789012:role/perf/n-stop", *out.Role.Arn)

	got, err := c.GetRole(ctx, &sdk.GetRoleInput{RoleName: aws.String("n-stop")})
	require.NoError(t, err)
	require.Equal(t, int32(7200), *got.Role.MaxSessionDuration)
	require.Equal(t, "stops", *got.Role.Description)
	require.Equal(t, "n", *got.Role.Tags[0].Value)
	require.Nil(t, got.Role.PermissionsBoundary)
	text, err := url.QueryUnescape(*got.Role.AssumeRolePolicyDocument)
	require.NoError(t, err)
	require.Equal(t, *trust("lambda.amazonaws.com"), text)

	_, err = c.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("N-STOP"), AssumeRolePolicyDocument: trust("lambda.amazonaws.com")})
	require.Equal(t, "EntityAlreadyExists", code(t, err))

	inline := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:ListTasks","Resource":"*"}]}`
	_, err = c.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: aws.String("n-stop"), PolicyName: aws.String("p"), PolicyDocument: &inline})
	require.NoError(t, err)
	ecs := "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
	_, err = c.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: aws.String("n-stop"), PolicyArn: &ecs})
	require.NoError(t, err)
	names, err := c.ListRolePolicies(ctx, &sdk.ListRolePoliciesInput{RoleName: aws.String("n-stop")})
	require.NoError(t, err)
	require.Equal(t, []string{"p"}, names.PolicyNames)
	doc, err := c.GetRolePolicy(ctx, &sdk.GetRolePolicyInput{RoleName: aws.String("n-stop"), PolicyName: aws.String("p")})
	require.NoError(t, err)
	require.Equal(t, strings.ReplaceAll(url.QueryEscape(inline), "+", "%20"), *doc.PolicyDocument)
	attached, err := c.ListAttachedRolePolicies(ctx, &sdk.ListAttachedRolePoliciesInput{RoleName: aws.String("n-stop")})
	require.NoError(t, err)
	require.Equal(t, []types.AttachedPolicy{{PolicyArn: &ecs, PolicyName: aws.String("AmazonECSTaskExecutionRolePolicy")}}, attached.AttachedPolicies)

	require.True(t, s.Allowed(*out.Role.Arn, "ecs:ListTasks", "*", nil))
	require.True(t, s.Allowed(*out.Role.Arn, "logs:PutLogEvents", "arn:aws:logs:us-east-1:123456789012:log-group:x:log-stream:y", nil))
	require.False(t, s.Allowed(*out.Role.Arn, "ecs:UpdateService", "*", nil))

	_, err = c.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: aws.String("n-stop")})
	require.Equal(t, "DeleteConflict", code(t, err))
	_, err = c.DetachRolePolicy(ctx, &sdk.DetachRolePolicyInput{RoleName: aws.String("n-stop"), PolicyArn: &ecs})
	require.NoError(t, err)
	_, err = c.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: aws.String("n-stop")})
	require.ErrorContains(t, err, "must delete policies first")
	_, err = c.DeleteRolePolicy(ctx, &sdk.DeleteRolePolicyInput{RoleName: aws.String("n-stop"), PolicyName: aws.String("p")})
	require.NoError(t, err)
	profiles, err := c.ListInstanceProfilesForRole(ctx, &sdk.ListInstanceProfilesForRoleInput{RoleName: aws.String("n-stop")})
	require.NoError(t, err)
	require.Empty(t, profiles.InstanceProfiles)
	_, err = c.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: aws.String("n-stop")})
	require.NoError(t, err)
	_, err = c.GetRole(ctx, &sdk.GetRoleInput{RoleName: aws.String("n-stop")})
	require.ErrorContains(t, err, "NoSuchEntity: The role with name n-stop cannot be found.")
}

func TestWhatIAMRefuses(t *testing.T) {
	_, c := client(t)
	ctx := t.Context()
	create := func(in sdk.CreateRoleInput) error {
		if in.RoleName == nil {
			in.RoleName = aws.String("r")
		}
		if in.AssumeRolePolicyDocument == nil {
			in.AssumeRolePolicyDocument = trust("lambda.amazonaws.com")
		}
		_, err := c.CreateRole(ctx, &in)
		return err
	}
	for want, in := range map[string]sdk.CreateRoleInput{
		"ValidationError: 1 validation error detected: Value 'a b'":                             {RoleName: aws.String("a b")},
		"Member must have length less than or equal to 64":                                      {RoleName: aws.String(strings.Repeat("a", 65))},
		`MalformedPolicyDocument: Invalid principal in policy: "SERVICE":"lamda.amazonaws.com"`: {AssumeRolePolicyDocument: trust("lamda.amazonaws.com")},
		"MalformedPolicyDocument: This policy contains invalid Json":                            {AssumeRolePolicyDocument: aws.String("{")},
		"between 3600 and 43200": {MaxSessionDuration: aws.Int32(60)},
		"NoSuchEntity: Scope ARN: arn:aws:iam::123456789012:policy/b does not exist":              {PermissionsBoundary: aws.String("arn:aws:iam::123456789012:policy/b")},
		"The specified value for path is invalid":                                                 {Path: aws.String("perf")},
		"LimitExceeded: Cannot exceed quota for ACLSizePerRole: 2048":                             {AssumeRolePolicyDocument: aws.String(strings.Replace(*trust("lambda.amazonaws.com"), `"Effect"`, `"Sid":"`+strings.Repeat("a", 2048)+`","Effect"`, 1))},
		"InvalidInput: aws: prefixed tag key names are not allowed for external use.":             {Tags: []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}},
		"InvalidInput: Duplicate tag keys found. Please note that Tag keys are case insensitive.": {Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("")}, {Key: aws.String("A"), Value: aws.String("")}}},
	} {
		require.ErrorContains(t, create(in), want)
	}
	require.NoError(t, create(sdk.CreateRoleInput{}))
	_, err := c.PutRolePolicy(ctx, &sdk.PutRolePolicyInput{RoleName: aws.String("r"), PolicyName: aws.String("p"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + strings.Repeat("a", 10240) + `"}]}`)})
	require.ErrorContains(t, err, "LimitExceeded: Maximum policy size of 10240 bytes exceeded for role r")
	_, err = c.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: aws.String("r"), PolicyArn: aws.String("arn:aws:iam::aws:policy/Nothing")})
	require.ErrorContains(t, err, "NoSuchEntity: Policy arn:aws:iam::aws:policy/Nothing does not exist or is not attachable.")
	_, err = c.CreateServiceLinkedRole(ctx, &sdk.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("ecs.amazonaws.com")})
	require.NoError(t, err)
	_, err = c.CreateServiceLinkedRole(ctx, &sdk.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("ecs.amazonaws.com")})
	require.ErrorContains(t, err, "InvalidInput: Service role name AWSServiceRoleForECS has been taken in this account")
	_, err = c.DeleteRole(ctx, &sdk.DeleteRoleInput{RoleName: aws.String("AWSServiceRoleForECS")})
	require.Equal(t, "UnmodifiableEntity", code(t, err))
}

func TestTagsAndUpdates(t *testing.T) {
	_, c := client(t)
	ctx := t.Context()
	name := aws.String("r")
	_, err := c.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: trust("ecs-tasks.amazonaws.com")})
	require.NoError(t, err)
	_, err = c.TagRole(ctx, &sdk.TagRoleInput{RoleName: name, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}})
	require.NoError(t, err)
	_, err = c.UntagRole(ctx, &sdk.UntagRoleInput{RoleName: name, TagKeys: []string{"a"}})
	require.NoError(t, err)
	_, err = c.UpdateRole(ctx, &sdk.UpdateRoleInput{RoleName: name, Description: aws.String("d"), MaxSessionDuration: aws.Int32(3601)})
	require.NoError(t, err)
	_, err = c.UpdateAssumeRolePolicy(ctx, &sdk.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: trust("lambda.amazonaws.com")})
	require.NoError(t, err)
	got, err := c.GetRole(ctx, &sdk.GetRoleInput{RoleName: name})
	require.NoError(t, err)
	require.Equal(t, "d", *got.Role.Description)
	require.Contains(t, *got.Role.AssumeRolePolicyDocument, "lambda.amazonaws.com")
	require.Equal(t, []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}}, got.Role.Tags)
}

// A boundary only takes away: both it and the role's own policies have to allow.
func TestBoundaryAndCustomerPolicy(t *testing.T) {
	s, c := client(t)
	ctx := t.Context()
	out, err := c.CreatePolicy(ctx, &sdk.CreatePolicyInput{PolicyName: aws.String("limit"), Path: aws.String("/b/"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*"}]}`)})
	require.NoError(t, err)
	arn := out.Policy.Arn
	require.Equal(t, "arn:aws:iam::123456789012:policy/b/limit", *arn)
	role, err := c.CreateRole(ctx, &sdk.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: trust("lambda.amazonaws.com"), PermissionsBoundary: arn})
	require.NoError(t, err)
	_, err = c.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: aws.String("r"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")})
	require.NoError(t, err)
	require.True(t, s.Allowed(*role.Role.Arn, "ecs:ListTasks", "*", nil))
	require.False(t, s.Allowed(*role.Role.Arn, "s3:GetObject", "arn:aws:s3:::b/k", nil))

	_, err = c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
	require.ErrorContains(t, err, "DeleteConflict")
	_, err = c.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: arn, SetAsDefault: true,
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)})
	require.NoError(t, err)
	require.True(t, s.Allowed(*role.Role.Arn, "s3:GetObject", "arn:aws:s3:::b/k", nil))
	versions, err := c.ListPolicyVersions(ctx, &sdk.ListPolicyVersionsInput{PolicyArn: arn})
	require.NoError(t, err)
	require.Len(t, versions.Versions, 2)
	v, err := c.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v2")})
	require.NoError(t, err)
	require.True(t, v.PolicyVersion.IsDefaultVersion)
	_, err = c.DeleteRolePermissionsBoundary(ctx, &sdk.DeleteRolePermissionsBoundaryInput{RoleName: aws.String("r")})
	require.NoError(t, err)
	_, err = c.DeletePolicyVersion(ctx, &sdk.DeletePolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v1")})
	require.NoError(t, err)
	_, err = c.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
	require.NoError(t, err)
}

func TestSessions(t *testing.T) {
	s, c := client(t)
	role, err := c.CreateRole(t.Context(), &sdk.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: trust("lambda.amazonaws.com")})
	require.NoError(t, err)
	began := time.Now()
	creds := s.Session(*role.Role.Arn, "n-stop")
	arn, ok := s.Principal(creds.AccessKeyID)
	require.True(t, ok)
	require.Equal(t, "arn:aws:sts::123456789012:assumed-role/r/n-stop", arn)
	require.False(t, s.Allowed(arn, "s3:GetObject", "*", nil))
	require.False(t, creds.Expires.Before(began.Add(time.Hour)) || creds.Expires.After(time.Now().Add(time.Hour)), "%s", creds.Expires)

	arn, ok = s.Principal(s.User().AccessKeyID)
	require.True(t, ok)
	require.Equal(t, "arn:aws:iam::123456789012:user/deployer", arn)
	require.True(t, s.Allowed(arn, "s3:GetObject", "*", nil))
	_, ok = s.Principal("AKIAUNKNOWN")
	require.False(t, ok)
	_, ok = s.Principal("ASIAUNKNOWN")
	require.False(t, ok)

	_, err = c.DeleteRole(t.Context(), &sdk.DeleteRoleInput{RoleName: aws.String("r")})
	require.NoError(t, err)
	_, ok = s.Principal(creds.AccessKeyID)
	require.False(t, ok, "a session ends with its role")
}

func TestTrust(t *testing.T) {
	acct := wiretest.Account(t)
	s := iam.New(acct)
	r := wire.NewRegistry()
	s.Register(r)
	c := sdk.NewFromConfig(wiretest.Config(t, r))
	group := "arn:aws:scheduler:us-east-1:123456789012:schedule-group/n"
	out, err := c.CreateRole(t.Context(), &sdk.CreateRoleInput{RoleName: aws.String("n-scheduler"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"scheduler.amazonaws.com"},
		"Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"},"ArnEquals":{"aws:SourceArn":"` + group + `"}}}]}`)})
	require.NoError(t, err)
	arn := *out.Role.Arn
	require.True(t, s.Trusts(arn, "scheduler.amazonaws.com"))
	require.False(t, s.Trusts(arn, "lambda.amazonaws.com"))
	require.False(t, s.Trusts(arn+"x", "scheduler.amazonaws.com"))
	require.True(t, s.TrustsFor(arn, "scheduler.amazonaws.com", group))
	require.False(t, s.TrustsFor(arn, "scheduler.amazonaws.com", group+"-other"))
	acct.Delays.RoleReady = time.Hour
	require.False(t, s.Trusts(arn, "scheduler.amazonaws.com"), "a new role is not trusted at once")
	found, ok := s.Role(arn)
	require.True(t, ok)
	require.Equal(t, "n-scheduler", found.Name)
}

// A changed policy acts later, and until then what was there before: a new one allows nothing yet, and a removed one allows still.
func TestPoliciesActLater(t *testing.T) {
	acct, clock := wiretest.Account(t), wiretest.NewClock()
	acct.Clock, acct.Delays.PolicyReady = clock, time.Minute
	s := iam.New(acct)
	r := wire.NewRegistry()
	s.Register(r)
	c := sdk.NewFromConfig(wiretest.Config(t, r))
	name := aws.String("r")
	out, err := c.CreateRole(t.Context(), &sdk.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: trust("lambda.amazonaws.com")})
	require.NoError(t, err)
	put := func(action string) {
		_, err := c.PutRolePolicy(t.Context(), &sdk.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("p"), PolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"*"}]}`)})
		require.NoError(t, err)
	}
	may := func(want ...string) {
		t.Helper()
		got := []string{}
		for _, action := range []string{"s3:GetObject", "s3:PutObject"} {
			if s.Allowed(*out.Role.Arn, action, "*", nil) {
				got = append(got, action)
			}
		}
		require.Equal(t, append([]string{}, want...), got)
	}
	put("s3:GetObject")
	may()
	clock.Move(40 * time.Second)
	put("s3:PutObject")
	may()
	clock.Move(20 * time.Second)
	may("s3:GetObject")
	clock.Move(40 * time.Second)
	may("s3:PutObject")
	_, err = c.DeleteRolePolicy(t.Context(), &sdk.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("p")})
	require.NoError(t, err)
	may("s3:PutObject")
	s.Act()
	may()
}
