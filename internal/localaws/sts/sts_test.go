package sts_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdkiam "github.com/aws/aws-sdk-go-v2/service/iam"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/sts"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

func config(t *testing.T) aws.Config {
	acct := wiretest.Account(t)
	r := wire.NewRegistry()
	roles := iam.New(acct)
	roles.Register(r)
	sts.New(acct, roles).Register(r)
	cfg := wiretest.Config(t, r)
	cfg.Credentials = credentials.NewStaticCredentialsProvider(roles.User().AccessKeyID, roles.User().SecretAccessKey, "")
	return cfg
}

func role(t *testing.T, cfg aws.Config, name, principal string) string {
	out, err := sdkiam.NewFromConfig(cfg).CreateRole(t.Context(), &sdkiam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":` + principal + `}]}`)})
	require.NoError(t, err)
	return *out.Role.Arn
}

func TestCaller(t *testing.T) {
	cfg := config(t)
	c := sdk.NewFromConfig(cfg)
	me, err := c.GetCallerIdentity(t.Context(), &sdk.GetCallerIdentityInput{})
	require.NoError(t, err)
	require.Equal(t, "123456789012", *me.Account)
	require.Equal(t, "arn:aws:iam::123456789012:user/deployer", *me.Arn)

	arn := role(t, cfg, "ci", `{"AWS":"123456789012"}`)
	out, err := c.AssumeRole(t.Context(), &sdk.AssumeRoleInput{RoleArn: &arn, RoleSessionName: aws.String("me")})
	require.NoError(t, err)
	require.Equal(t, "arn:aws:sts::123456789012:assumed-role/ci/me", *out.AssumedRoleUser.Arn)
	as := cfg.Copy()
	as.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	me, err = sdk.NewFromConfig(as).GetCallerIdentity(t.Context(), &sdk.GetCallerIdentityInput{})
	require.NoError(t, err)
	require.Equal(t, *out.AssumedRoleUser.Arn, *me.Arn)
	require.Equal(t, *out.AssumedRoleUser.AssumedRoleId, *me.UserId)

	// The session may assume a role that names it, but one that names the account only by its own policies.
	named := role(t, cfg, "named", `{"AWS":"`+arn+`"}`)
	byAccount := role(t, cfg, "by-account", `{"AWS":"arn:aws:iam::123456789012:root"}`)
	_, err = sdk.NewFromConfig(as).AssumeRole(t.Context(), &sdk.AssumeRoleInput{RoleArn: &named, RoleSessionName: aws.String("me")})
	require.NoError(t, err)
	ask := &sdk.AssumeRoleInput{RoleArn: &byAccount, RoleSessionName: aws.String("me")}
	_, err = sdk.NewFromConfig(as).AssumeRole(t.Context(), ask)
	require.ErrorContains(t, err, "AccessDenied: User: arn:aws:sts::123456789012:assumed-role/ci/me is not authorized to perform: sts:AssumeRole on resource: "+byAccount)
	_, err = sdkiam.NewFromConfig(cfg).PutRolePolicy(t.Context(), &sdkiam.PutRolePolicyInput{RoleName: aws.String("ci"), PolicyName: aws.String("p"),
		PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"` + byAccount + `"}]}`)})
	require.NoError(t, err)
	_, err = sdk.NewFromConfig(as).AssumeRole(t.Context(), ask)
	require.NoError(t, err)
}

func TestRefused(t *testing.T) {
	cfg := config(t)
	c := sdk.NewFromConfig(cfg)
	lambda := role(t, cfg, "lambda", `{"Service":"lambda.amazonaws.com"}`)
	for want, in := range map[string]*sdk.AssumeRoleInput{
		"AccessDenied": {RoleArn: &lambda, RoleSessionName: aws.String("me")},
		"Member must satisfy regular expression pattern": {RoleArn: &lambda, RoleSessionName: aws.String("a b")},
		"between 900 and 43200":                          {RoleArn: &lambda, RoleSessionName: aws.String("me"), DurationSeconds: aws.Int32(1)},
	} {
		_, err := c.AssumeRole(t.Context(), in)
		require.ErrorContains(t, err, want)
	}
	stale := cfg.Copy()
	stale.Credentials = credentials.NewStaticCredentialsProvider("ASIAQQQQQQQQQQQQQQQQ", "x", "y")
	_, err := sdk.NewFromConfig(stale).GetCallerIdentity(t.Context(), &sdk.GetCallerIdentityInput{})
	require.ErrorContains(t, err, "InvalidClientTokenId")
}
