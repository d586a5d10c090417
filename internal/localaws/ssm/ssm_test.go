package ssm_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ssm"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

func client(t *testing.T) (*ssm.Service, *sdk.Client) {
	acct := wiretest.Account(t)
	roles := iam.New(acct)
	s := ssm.New(acct, roles)
	r := wire.NewRegistry()
	s.Register(r)
	cfg := wiretest.Config(t, r)
	cfg.Credentials = credentials.NewStaticCredentialsProvider(roles.User().AccessKeyID, roles.User().SecretAccessKey, "")
	return s, sdk.NewFromConfig(cfg)
}

var token = aws.String("/elasticache-perf/n/auth-token")

func TestSecureString(t *testing.T) {
	s, c := client(t)
	ctx := t.Context()
	put := &sdk.PutParameterInput{Name: token, Value: aws.String("secret-value-1"), Type: types.ParameterTypeSecureString,
		Description: aws.String("d"), Tags: []types.Tag{{Key: aws.String("name"), Value: aws.String("n")}}}
	out, err := c.PutParameter(ctx, put)
	require.NoError(t, err)
	require.Equal(t, int64(1), out.Version)
	_, err = c.PutParameter(ctx, put)
	var exists *types.ParameterAlreadyExists
	require.ErrorAs(t, err, &exists)

	open, err := c.GetParameter(ctx, &sdk.GetParameterInput{Name: token, WithDecryption: aws.Bool(true)})
	require.NoError(t, err)
	require.Equal(t, "secret-value-1", *open.Parameter.Value)
	require.Equal(t, "arn:aws:ssm:us-east-1:123456789012:parameter/elasticache-perf/n/auth-token", *open.Parameter.ARN)
	closed, err := c.GetParameter(ctx, &sdk.GetParameterInput{Name: token})
	require.NoError(t, err)
	require.NotContains(t, *closed.Parameter.Value, "secret")

	put.Overwrite, put.Tags, put.Value = aws.Bool(true), nil, aws.String("secret-value-2")
	out, err = c.PutParameter(ctx, put)
	require.NoError(t, err)
	require.Equal(t, int64(2), out.Version)
	old, err := c.GetParameter(ctx, &sdk.GetParameterInput{Name: aws.String(*token + ":1"), WithDecryption: aws.Bool(true)})
	require.NoError(t, err)
	require.Equal(t, "secret-value-1", *old.Parameter.Value)
	require.Equal(t, ":1", *old.Parameter.Selector)

	plain := *put
	plain.Type = types.ParameterTypeString
	_, err = c.PutParameter(ctx, &plain)
	var mismatch *types.HierarchyTypeMismatchException
	require.ErrorAs(t, err, &mismatch)

	for _, name := range []string{*token, *open.Parameter.ARN} {
		value, ok := s.Parameter(name)
		require.True(t, ok)
		require.Equal(t, "secret-value-2", value)
	}
	_, err = c.DeleteParameter(ctx, &sdk.DeleteParameterInput{Name: token})
	require.NoError(t, err)
	_, err = c.GetParameter(ctx, &sdk.GetParameterInput{Name: token})
	var gone *types.ParameterNotFound
	require.ErrorAs(t, err, &gone)
	_, ok := s.Parameter(*token)
	require.False(t, ok)
}

func TestDescribeAndTags(t *testing.T) {
	_, c := client(t)
	ctx := t.Context()
	for _, name := range []string{"/a/one", "/a/b/two", "three"} {
		_, err := c.PutParameter(ctx, &sdk.PutParameterInput{Name: &name, Value: aws.String("v"), Type: types.ParameterTypeString})
		require.NoError(t, err)
	}
	describe := func(key, option string, values ...string) (names []string) {
		f := types.ParameterStringFilter{Key: &key, Values: values}
		if option != "" {
			f.Option = &option
		}
		pages := sdk.NewDescribeParametersPaginator(c, &sdk.DescribeParametersInput{MaxResults: aws.Int32(1), ParameterFilters: []types.ParameterStringFilter{f}})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			require.NoError(t, err)
			for _, p := range page.Parameters {
				require.Equal(t, "arn:aws:iam::123456789012:user/deployer", *p.LastModifiedUser)
				names = append(names, *p.Name)
			}
		}
		return names
	}
	require.Equal(t, []string{"/a/one"}, describe("Name", "Equals", "/a/one"))
	require.Equal(t, []string{"/a/b/two", "/a/one"}, describe("Path", "Recursive", "/a"))
	require.Equal(t, []string{"/a/one"}, describe("Path", "OneLevel", "/a"))
	require.Equal(t, []string{"/a/b/two", "/a/one", "three"}, describe("Type", "", "String"))

	id := &sdk.AddTagsToResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: aws.String("three"),
		Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String("2")}}}
	_, err := c.AddTagsToResource(ctx, id)
	require.NoError(t, err)
	_, err = c.RemoveTagsFromResource(ctx, &sdk.RemoveTagsFromResourceInput{ResourceType: id.ResourceType, ResourceId: id.ResourceId, TagKeys: []string{"a"}})
	require.NoError(t, err)
	tags, err := c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceType: id.ResourceType, ResourceId: id.ResourceId})
	require.NoError(t, err)
	require.Equal(t, []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}}, tags.TagList)
	require.Equal(t, []string{"three"}, describe("tag:b", "", "2"))

	byARN, err := c.GetParameter(ctx, &sdk.GetParameterInput{Name: aws.String("arn:aws:ssm:us-east-1:123456789012:parameter/three:1")})
	require.NoError(t, err)
	require.Equal(t, "v", *byARN.Parameter.Value)
}

func TestRefused(t *testing.T) {
	_, c := client(t)
	for want, in := range map[string]sdk.PutParameterInput{
		"must be a fully qualified name":                             {Name: aws.String("a/b")},
		`can't be prefixed with "aws" or "ssm"`:                      {Name: aws.String("/aws/x")},
		"HierarchyLevelLimitExceededException":                       {Name: aws.String(strings.Repeat("/a", 16))},
		"Standard tier parameters support a maximum parameter value": {Value: aws.String(strings.Repeat("x", 4097))},
		"ParameterPatternMismatchException":                          {AllowedPattern: aws.String("[0-9]+")},
		"InvalidKeyId":                                               {Type: types.ParameterTypeSecureString, KeyId: aws.String("alias/mine")},
		"Member must satisfy enum value set":                         {Type: "Text"},
	} {
		if in.Name == nil {
			in.Name = aws.String("p")
		}
		if in.Value == nil {
			in.Value = aws.String("v")
		}
		if in.Type == "" {
			in.Type = types.ParameterTypeString
		}
		_, err := c.PutParameter(t.Context(), &in)
		require.ErrorContains(t, err, want)
	}
}
