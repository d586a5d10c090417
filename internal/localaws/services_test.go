package localaws_test

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

const mine, theirs = "123456789012", "210987654321"

func places(t *testing.T) (*localaws.Server, func(key, region string) aws.Config) {
	server := serve(t, localaws.Config{Buckets: []string{"exports"}})
	secrets := map[string]string{}
	for _, env := range []map[string]string{server.Env(), server.Account(theirs)} {
		secrets[env["AWS_ACCESS_KEY_ID"]] = env["AWS_SECRET_ACCESS_KEY"]
	}
	return server, func(key, region string) aws.Config {
		cfg := wiretest.Client(t, server.URL())
		cfg.Region, cfg.Credentials = region, credentials.NewStaticCredentialsProvider(key, cmp.Or(secrets[key], "secret"), "")
		return cfg
	}
}

func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

// The same names in two accounts and two Regions do not meet.
func TestPlaces(t *testing.T) {
	server, config := places(t)
	keys := map[string]string{mine: server.Env()["AWS_ACCESS_KEY_ID"], theirs: server.Account(theirs)["AWS_ACCESS_KEY_ID"]}
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"}}]}`
	vpcs := map[string]bool{}
	for account, key := range keys {
		for i, region := range []string{"us-east-1", "eu-west-1"} {
			cfg := config(key, region)
			who, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			require.NoError(t, err)
			require.Equal(t, account, *who.Account)
			require.Contains(t, *who.Arn, "::"+account+":user/")

			clusters, err := ecs.NewFromConfig(cfg).ListClusters(t.Context(), &ecs.ListClustersInput{})
			require.NoError(t, err)
			require.Empty(t, clusters.ClusterArns)
			cluster, err := ecs.NewFromConfig(cfg).CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("load")})
			require.NoError(t, err)
			require.Equal(t, "arn:aws:ecs:"+region+":"+account+":cluster/load", *cluster.Cluster.ClusterArn)

			queue, err := sqs.NewFromConfig(cfg).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("failed")})
			require.NoError(t, err)
			require.Contains(t, *queue.QueueUrl, account)

			network, err := ec2.NewFromConfig(cfg).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
			require.NoError(t, err)
			require.Len(t, network.Vpcs, 1)
			require.Equal(t, account, *network.Vpcs[0].OwnerId)
			vpcs[*network.Vpcs[0].VpcId] = true

			// So are dashboards: the second PutDashboard replaces what the first made.
			boards := cloudwatch.NewFromConfig(cfg)
			_, err = boards.GetDashboard(t.Context(), &cloudwatch.GetDashboardInput{DashboardName: aws.String("load")})
			require.Equal(t, i == 0, err != nil, "the account's first Region makes the dashboard: %v", err)
			body := fmt.Sprintf(`{"widgets":[{"type":"text","x":0,"y":0,"width":1,"height":1,"properties":{"markdown":%q}}]}`, region)
			_, err = boards.PutDashboard(t.Context(), &cloudwatch.PutDashboardInput{DashboardName: aws.String("load"), DashboardBody: &body})
			require.NoError(t, err)
			board, err := cloudwatch.NewFromConfig(config(key, "us-east-1")).GetDashboard(t.Context(), &cloudwatch.GetDashboardInput{DashboardName: aws.String("load")})
			require.NoError(t, err)
			require.Equal(t, body, *board.DashboardBody)

			// IAM is the account's, in every Region.
			role, err := iam.NewFromConfig(cfg).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("load"), AssumeRolePolicyDocument: &trust})
			if i > 0 {
				require.Equal(t, "EntityAlreadyExists", code(err))
				continue
			}
			require.NoError(t, err)
			require.Equal(t, "arn:aws:iam::"+account+":role/load", *role.Role.Arn)

			// A session of a role is its account's.
			session, err := sts.NewFromConfig(cfg).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: role.Role.Arn, RoleSessionName: aws.String("test")})
			require.NoError(t, err)
			c := session.Credentials
			cfg.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
			who, err = sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			require.NoError(t, err)
			require.Equal(t, "arn:aws:sts::"+account+":assumed-role/load/test", *who.Arn)
		}
	}
	require.Len(t, vpcs, 4)
}

// Names of buckets are global, and what is in a bucket is its account's.
func TestBucketsOfAccounts(t *testing.T) {
	server, config := places(t)
	my := s3.NewFromConfig(config(server.Env()["AWS_ACCESS_KEY_ID"], "us-east-1"))
	their := s3.NewFromConfig(config(server.Account(theirs)["AWS_ACCESS_KEY_ID"], "us-east-1"))
	_, err := my.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("exports"), Key: aws.String("k"), Body: strings.NewReader("v")})
	require.NoError(t, err)
	_, err = their.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("exports")})
	require.Equal(t, "BucketAlreadyExists", code(err))
	_, err = their.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("exports"), Key: aws.String("k")})
	require.Equal(t, "AccessDenied", code(err))
	_, err = their.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("others")})
	require.NoError(t, err)
	_, err = their.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String("others"), Key: aws.String("k"), CopySource: aws.String("exports/k")})
	require.Equal(t, "AccessDenied", code(err))
	_, err = my.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("others")})
	require.Equal(t, "AccessDenied", code(err))
	all, err := their.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
	require.Equal(t, []string{"others"}, names(all.Buckets))
	elsewhere := s3.NewFromConfig(config(server.Env()["AWS_ACCESS_KEY_ID"], "eu-west-1"))
	_, err = elsewhere.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("exports"), Key: aws.String("k")})
	require.Equal(t, "PermanentRedirect", code(err))
	all, err = elsewhere.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
	require.Equal(t, []string{"exports"}, names(all.Buckets))
}

func names(buckets []s3types.Bucket) (names []string) {
	for _, b := range buckets {
		names = append(names, *b.Name)
	}
	return names
}

// An access key that nobody has is refused in each service's own words.
func TestUnknownAccessKey(t *testing.T) {
	_, config := places(t)
	cfg := config("AKIAIOSFODNN7EXAMPLE", "us-east-1")
	refused := map[string]error{}
	_, refused["sts"] = sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	_, refused["iam"] = iam.NewFromConfig(cfg).GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("r")})
	_, refused["ec2"] = ec2.NewFromConfig(cfg).DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{})
	_, refused["elasticache"] = elasticache.NewFromConfig(cfg).DescribeReplicationGroups(t.Context(), &elasticache.DescribeReplicationGroupsInput{})
	_, refused["monitoring"] = cloudwatch.NewFromConfig(cfg).DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
	_, refused["ecs"] = ecs.NewFromConfig(cfg).ListClusters(t.Context(), &ecs.ListClustersInput{})
	_, refused["lambda"] = lambda.NewFromConfig(cfg).GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	_, refused["s3"] = s3.NewFromConfig(cfg).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	got := map[string]string{}
	for service, err := range refused {
		got[service] = code(err)
	}
	require.Equal(t, map[string]string{"sts": "InvalidClientTokenId", "iam": "InvalidClientTokenId", "ec2": "AuthFailure", "elasticache": "InvalidClientTokenId",
		"monitoring": "InvalidClientTokenId", "ecs": "UnrecognizedClientException", "lambda": "UnrecognizedClientException", "s3": "InvalidAccessKeyId"}, got)
}
