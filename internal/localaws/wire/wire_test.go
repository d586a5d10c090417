package wire_test

import (
	"context"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwt "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2t "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	ect "github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

type tag struct{ Key, Value string }

type createGroupIn struct {
	ReplicationGroupId          string `wire:",required"`
	ReplicationGroupDescription string
	NumCacheClusters            *int
	AutomaticFailoverEnabled    *bool
	SecurityGroupIds            []string
	Tags                        []tag
}

type group struct {
	ReplicationGroupId, Description string
	MemberClusters                  []string `wire:"MemberClusters>ClusterId"`
	ReplicationGroupCreateTime      *wire.Time
}

func TestQuery(t *testing.T) {
	var got *createGroupIn
	r := wire.NewRegistry()
	r.On(wire.Service{Name: "elasticache", XMLNS: "http://elasticache.amazonaws.com/doc/2015-02-02/"},
		wire.Action("CreateReplicationGroup", func(ctx context.Context, in *createGroupIn) (*struct{ ReplicationGroup group }, error) {
			got = in
			require.Equal(t, "AKIAIOSFODNN7EXAMPLE", wire.From(ctx).AccessKey)
			if in.ReplicationGroupId == "taken" {
				return nil, wire.Errorf(400, "ReplicationGroupAlreadyExists", "%s <exists>", in.ReplicationGroupId)
			}
			return &struct{ ReplicationGroup group }{group{in.ReplicationGroupId, in.ReplicationGroupDescription, []string{"a", "b"}, wire.At(time.UnixMilli(1500))}}, nil
		}))
	c := elasticache.NewFromConfig(wiretest.Config(t, r))
	in := &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("g"), ReplicationGroupDescription: aws.String("d&<é"),
		NumCacheClusters: aws.Int32(0), SecurityGroupIds: []string{"sg-1", "sg-2"}, Tags: []ect.Tag{{Key: aws.String("k.1"), Value: aws.String("")}}}
	out, err := c.CreateReplicationGroup(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, &createGroupIn{"g", "d&<é", aws.Int(0), nil, []string{"sg-1", "sg-2"}, []tag{{"k.1", ""}}}, got)
	require.Equal(t, "d&<é", *out.ReplicationGroup.Description)
	require.Equal(t, []string{"a", "b"}, out.ReplicationGroup.MemberClusters)
	require.Equal(t, time.UnixMilli(1500).UTC(), *out.ReplicationGroup.ReplicationGroupCreateTime)

	in.ReplicationGroupId = aws.String("taken")
	_, err = c.CreateReplicationGroup(t.Context(), in)
	var exists *ect.ReplicationGroupAlreadyExistsFault
	require.ErrorAs(t, err, &exists)
	require.Equal(t, "taken <exists>", exists.ErrorMessage())
}

func TestNothingIsIgnored(t *testing.T) {
	r := wire.NewRegistry()
	r.On(wire.Service{Name: "elasticache", XMLNS: "ns"},
		wire.Action("CreateReplicationGroup", func(context.Context, *createGroupIn) (*struct{}, error) { return &struct{}{}, nil }))
	r.On(wire.Service{Name: "ecs", Lower: true},
		wire.Action("CreateCluster", func(context.Context, *struct{ ClusterName string }) (*struct{}, error) { return &struct{}{}, nil }))
	srv := httptest.NewServer(r)
	defer srv.Close()
	cfg := wiretest.Client(t, srv.URL)
	_, err := elasticache.NewFromConfig(cfg).CreateReplicationGroup(t.Context(), &elasticache.CreateReplicationGroupInput{
		ReplicationGroupId: aws.String("g"), ReplicationGroupDescription: aws.String("d"), Port: aws.Int32(1)})
	require.ErrorContains(t, err, "does not serve Port")
	_, err = ecs.NewFromConfig(cfg).CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("c"), CapacityProviders: []string{"FARGATE"}})
	require.ErrorContains(t, err, "does not serve capacityProviders")
	_, err = ecs.NewFromConfig(cfg).ListServices(t.Context(), &ecs.ListServicesInput{})
	require.ErrorContains(t, err, "UnknownOperationException")
	require.Equal(t, []string{"ecs.CreateCluster member capacityProviders", "ecs.ListServices", "elasticache.CreateReplicationGroup member Port"}, r.Unhandled())
}

func TestEC2(t *testing.T) {
	type filter struct {
		Name  string
		Value []string
	}
	type in struct {
		Filter  []filter
		GroupId []string
	}
	type securityGroup struct {
		GroupId     string
		Description string `wire:"groupDescription"`
	}
	var got *in
	r := wire.NewRegistry()
	r.On(wire.Service{Name: "ec2", EC2: true, XMLNS: "http://ec2.amazonaws.com/doc/2016-11-15/"},
		wire.Action("DescribeSecurityGroups", func(_ context.Context, i *in) (*struct {
			SecurityGroups []securityGroup `wire:"securityGroupInfo"`
		}, error) {
			got = i
			if len(i.GroupId) == 0 {
				return nil, wire.Errorf(400, "InvalidGroup.NotFound", "no such group")
			}
			return &struct {
				SecurityGroups []securityGroup `wire:"securityGroupInfo"`
			}{[]securityGroup{{"sg-1", "one"}}}, nil
		}))
	c := ec2.NewFromConfig(wiretest.Config(t, r))
	out, err := c.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{"sg-1"},
		Filters: []ec2t.Filter{{Name: aws.String("vpc-id"), Values: []string{"v1", "v2"}}}})
	require.NoError(t, err)
	require.Equal(t, &in{[]filter{{"vpc-id", []string{"v1", "v2"}}}, []string{"sg-1"}}, got)
	require.Equal(t, "one", *out.SecurityGroups[0].Description)
	_, err = c.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{})
	require.ErrorContains(t, err, "InvalidGroup.NotFound")
}

func TestCBOR(t *testing.T) {
	type metric struct{ Namespace, MetricName string }
	type query struct {
		Id         string
		MetricStat struct {
			Metric metric
			Period int
			Stat   string
		}
	}
	type in struct {
		StartTime, EndTime wire.Time
		MetricDataQueries  []query
		MaxDatapoints      *int
	}
	type result struct {
		Id         string
		Timestamps []wire.Time
		Values     []float64
	}
	r := wire.NewRegistry()
	var got *in
	r.On(wire.Service{Name: "monitoring", XMLNS: "http://monitoring.amazonaws.com/doc/2010-08-01/"},
		wire.Action("GetMetricData", func(_ context.Context, i *in) (*struct{ MetricDataResults []result }, error) {
			got = i
			if i.MetricDataQueries[0].Id == "bad" {
				return nil, wire.Errorf(400, "InvalidParameterValue", "bad id")
			}
			return &struct{ MetricDataResults []result }{[]result{{"m1", []wire.Time{{Time: i.StartTime.Add(time.Minute)}}, []float64{-1, math.Inf(1)}}}}, nil
		}))
	c := cloudwatch.NewFromConfig(wiretest.Config(t, r))
	start := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	req := &cloudwatch.GetMetricDataInput{StartTime: &start, EndTime: aws.Time(start.Add(time.Hour)), MaxDatapoints: aws.Int32(-7),
		MetricDataQueries: []cwt.MetricDataQuery{{Id: aws.String("m1"), MetricStat: &cwt.MetricStat{Stat: aws.String("p99"), Period: aws.Int32(60),
			Metric: &cwt.Metric{Namespace: aws.String("AWS/ElastiCache"), MetricName: aws.String("CPU")}}}}}
	out, err := c.GetMetricData(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, start, got.StartTime.Time)
	require.Equal(t, -7, *got.MaxDatapoints)
	require.Equal(t, 60, got.MetricDataQueries[0].MetricStat.Period)
	require.True(t, start.Add(time.Minute).Equal(out.MetricDataResults[0].Timestamps[0]))
	require.Equal(t, []float64{-1, math.Inf(1)}, out.MetricDataResults[0].Values)
	req.MetricDataQueries[0].Id = aws.String("bad")
	_, err = c.GetMetricData(t.Context(), req)
	require.ErrorContains(t, err, "InvalidParameterValue: bad id")
}

func TestREST(t *testing.T) {
	type invokeIn struct {
		FunctionName   string  `at:"uri"`
		InvocationType *string `at:"header=X-Amz-Invocation-Type"`
		Payload        []byte  `at:"body"`
	}
	type invokeOut struct {
		Status        int     `at:"status"`
		FunctionError *string `at:"header=X-Amz-Function-Error"`
		Payload       []byte  `at:"body"`
	}
	type tagsIn struct {
		ResourceArn string `at:"uri"`
	}
	r := wire.NewRegistry()
	r.On(wire.Service{Name: "lambda", Message: "Message"},
		wire.Route("Invoke", "POST /2015-03-31/functions/{FunctionName}/invocations", 200, func(_ context.Context, i *invokeIn) (*invokeOut, error) {
			if i.FunctionName != "f" {
				return nil, wire.Errorf(404, "ResourceNotFoundException", "no function %s", i.FunctionName)
			}
			return &invokeOut{202, aws.String("Unhandled"), append(i.Payload, *i.InvocationType...)}, nil
		}))
	r.On(wire.Service{Name: "scheduler", Message: "Message"},
		wire.Route("ListTagsForResource", "GET /tags/{ResourceArn}", 200, func(_ context.Context, i *tagsIn) (*struct{ Tags []tag }, error) {
			return &struct{ Tags []tag }{[]tag{{"arn", i.ResourceArn}}}, nil
		}))
	cfg := wiretest.Config(t, r)
	l := lambda.NewFromConfig(cfg)
	out, err := l.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte("{}"), InvocationType: "Event"})
	require.NoError(t, err)
	require.Equal(t, "{}Event", string(out.Payload))
	require.Equal(t, int32(202), out.StatusCode)
	require.Equal(t, "Unhandled", *out.FunctionError)
	_, err = l.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("g")})
	require.ErrorContains(t, err, "ResourceNotFoundException: no function g")
	arn := "arn:aws:scheduler:us-east-1:123456789012:schedule-group/x"
	tags, err := scheduler.NewFromConfig(cfg).ListTagsForResource(t.Context(), &scheduler.ListTagsForResourceInput{ResourceArn: &arn})
	require.NoError(t, err)
	require.Equal(t, arn, *tags.Tags[0].Value)
}

// The AWS CLI speaks JSON 1.0 to CloudWatch, where SDKs for Go speak CBOR and the provider speaks query.
func TestCodecFollowsTheRequest(t *testing.T) {
	r := wire.NewRegistry()
	r.On(wire.Service{Name: "monitoring", XMLNS: "ns", Codes: map[string]string{"DashboardNotFoundError": "ResourceNotFound"}},
		wire.Action("GetDashboard", func(_ context.Context, in *struct{ DashboardName string }) (*struct{ DashboardBody, DashboardName string }, error) {
			if in.DashboardName == "none" {
				return nil, wire.Errorf(404, "DashboardNotFoundError", "there is none")
			}
			return &struct{ DashboardBody, DashboardName string }{"{}", in.DashboardName}, nil
		}))
	srv := httptest.NewServer(r)
	defer srv.Close()
	ask := func(body, contentType, target string) (string, http.Header) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=k/20261123/us-east-1/monitoring/aws4_request, Signature=x")
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("X-Amz-Target", target)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(b), resp.Header
	}
	body, h := ask(`{"DashboardName":"d"}`, "application/x-amz-json-1.0", "GraniteServiceVersion20100801.GetDashboard")
	require.JSONEq(t, `{"DashboardBody":"{}","DashboardName":"d"}`, body)
	require.Equal(t, "application/x-amz-json-1.0", h.Get("Content-Type"))
	require.NotEmpty(t, h.Get("x-amzn-RequestId"))
	body, _ = ask("Action=GetDashboard&Version=2010-08-01&DashboardName=d", "application/x-www-form-urlencoded; charset=utf-8", "")
	require.Contains(t, body, `<GetDashboardResponse xmlns="ns"><GetDashboardResult><DashboardBody>{}</DashboardBody><DashboardName>d</DashboardName></GetDashboardResult><ResponseMetadata>`)

	body, h = ask(`{"DashboardName":"none"}`, "application/x-amz-json-1.0", "GraniteServiceVersion20100801.GetDashboard")
	require.JSONEq(t, `{"__type":"DashboardNotFoundError","message":"there is none"}`, body)
	require.Equal(t, "ResourceNotFound;Sender", h.Get("x-amzn-query-error"))
	body, _ = ask("Action=GetDashboard&Version=2010-08-01&DashboardName=none", "application/x-www-form-urlencoded; charset=utf-8", "")
	require.Contains(t, body, "<Error><Type>Sender</Type><Code>ResourceNotFound</Code><Message>there is none</Message></Error>")
}

// SQS is served in its JSON protocol alone: a call in the older one is refused and listed, and never half understood.
func TestNoQueryWithoutANamespace(t *testing.T) {
	r := wire.NewRegistry()
	r.On(wire.Service{Name: "sqs"}, wire.Action("ListQueues", func(context.Context, *struct{}) (*struct{}, error) { panic("served") }))
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("Action=ListQueues&Version=2012-11-05"))
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=k/20261123/us-east-1/sqs/aws4_request, Signature=x")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), "<Code>InvalidAction</Code><Message>localaws does not serve sqs.ListQueues in the query protocol (take a newer client)</Message>")
	require.Equal(t, []string{"sqs.ListQueues in the query protocol (take a newer client)"}, r.Unhandled())
}
