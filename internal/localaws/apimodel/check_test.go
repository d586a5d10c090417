package apimodel_test

import (
	"context"
	"net/http"
	"testing"

	_ "github.com/aws/aws-sdk-go/aws/awserr" // keeps the module, whose models are read as data, in go.mod

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2t "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecst "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/apimodel"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

// check calls an SDK through a registry and gives what the models say of it.
func check(t *testing.T, register func(*wire.Registry), call func(aws.Config)) []string {
	models, err := apimodel.Load()
	require.NoError(t, err)
	r := wire.NewRegistry()
	var problems []string
	r.Record = func(x wire.Exchange) { problems = append(problems, models.Check(x)...) }
	register(r)
	call(wiretest.Config(t, r))
	return problems
}

type group struct {
	ReplicationGroupId string
	Status             string
	MemberClusters     []string `wire:"MemberClusters>ClusterId"`
	Surprise           string   `wire:",omitempty"`
}

type describeIn struct {
	ReplicationGroupId *string
	MaxRecords         *int
	Marker             *string
}

type describeOut struct {
	ReplicationGroups []group `wire:"ReplicationGroups>ReplicationGroup"`
}

func describe(g group, fail error) func(*wire.Registry) {
	return func(r *wire.Registry) {
		r.On(wire.Service{Name: "elasticache", XMLNS: "http://elasticache.amazonaws.com/doc/2015-02-02/"},
			wire.Action("DescribeReplicationGroups", func(context.Context, *describeIn) (*describeOut, error) {
				return &describeOut{[]group{g}}, fail
			}))
	}
}

func TestQuery(t *testing.T) {
	ask := func(cfg aws.Config) {
		_, _ = elasticache.NewFromConfig(cfg).DescribeReplicationGroups(t.Context(), &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("g")})
	}
	require.Empty(t, check(t, describe(group{"g", "available", []string{"g-001"}, ""}, nil), ask))
	require.Equal(t, []string{"elasticache.DescribeReplicationGroups answer.ReplicationGroups[0]: ReplicationGroup has no member Surprise"},
		check(t, describe(group{"g", "available", nil, "x"}, nil), ask))
	require.Empty(t, check(t, describe(group{}, wire.Errorf(404, "ReplicationGroupNotFoundFault", "gone")), ask))
	require.ErrorContains(t, asErr(check(t, describe(group{}, wire.Errorf(400, "ReplicationGroupNotFoundFault", "gone")), ask)), "status 400, AWS answers 404")
	require.ErrorContains(t, asErr(check(t, describe(group{}, wire.Errorf(400, "NoSuchGroup", "gone")), ask)), `"NoSuchGroup" is none of`)
}

type asErrT []string

func (e asErrT) Error() string { return e[0] }

func asErr(p []string) error {
	if len(p) == 0 {
		return nil
	}
	return asErrT(p)
}

func TestJSONEnumsAndNewerMembers(t *testing.T) {
	type service struct {
		ServiceName                 string
		AvailabilityZoneRebalancing string // newer than the model, known to the SDK
		LaunchType                  string
	}
	register := func(launch string) func(*wire.Registry) {
		return func(r *wire.Registry) {
			r.On(wire.Service{Name: "ecs", Lower: true}, wire.Action("DescribeServices", func(context.Context, *struct {
				Cluster  string
				Services []string
				Include  []string
			}) (*struct{ Services []service }, error) {
				return &struct{ Services []service }{[]service{{"s", "DISABLED", launch}}}, nil
			}))
		}
	}
	ask := func(cfg aws.Config) {
		_, err := ecs.NewFromConfig(cfg).DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String("c"), Services: []string{"s"},
			Include: []ecst.ServiceField{ecst.ServiceFieldTags}})
		require.NoError(t, err)
	}
	require.Empty(t, check(t, register("FARGATE"), ask))
	require.ErrorContains(t, asErr(check(t, register("fargate"), ask)), `"fargate" is none of`)
}

// An action that came after the models is checked against the SDK's types alone.
func TestNewerAction(t *testing.T) {
	type brief struct {
		Status   string
		Surprise string `wire:",omitempty"`
	}
	register := func(b brief) func(*wire.Registry) {
		return func(r *wire.Registry) {
			r.On(wire.Service{Name: "ecs", Lower: true}, wire.Action("ListServiceDeployments", func(context.Context, *struct{ Service string }) (*struct{ ServiceDeployments []brief }, error) {
				return &struct{ ServiceDeployments []brief }{[]brief{b}}, nil
			}))
		}
	}
	ask := func(cfg aws.Config) {
		_, err := ecs.NewFromConfig(cfg).ListServiceDeployments(t.Context(), &ecs.ListServiceDeploymentsInput{Service: aws.String("s")})
		require.NoError(t, err)
	}
	require.Empty(t, check(t, register(brief{Status: "SUCCESSFUL"}), ask))
	require.ErrorContains(t, asErr(check(t, register(brief{Status: "DONE"}), ask)), `"DONE" is no types.ServiceDeploymentStatus`)
	require.ErrorContains(t, asErr(check(t, register(brief{"SUCCESSFUL", "x"}), ask)), "types.ServiceDeploymentBrief has no member surprise")
}

func TestEC2(t *testing.T) {
	type filter struct {
		Name  string
		Value []string
	}
	type subnet struct {
		SubnetId string
		TagSet   []struct{ Key, Value string }
	}
	require.Empty(t, check(t, func(r *wire.Registry) {
		r.On(wire.Service{Name: "ec2", EC2: true, XMLNS: "ns"}, wire.Action("DescribeSubnets", func(context.Context, *struct {
			Filter   []filter
			SubnetId []string
		}) (*struct{ SubnetSet []subnet }, error) {
			return &struct{ SubnetSet []subnet }{[]subnet{{"subnet-1", []struct{ Key, Value string }{{"k", "v"}}}}}, nil
		}))
	}, func(cfg aws.Config) {
		_, err := ec2.NewFromConfig(cfg).DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{SubnetIds: []string{"subnet-1"},
			Filters: []ec2t.Filter{{Name: aws.String("vpc-id"), Values: []string{"vpc-1"}}}})
		require.NoError(t, err)
	}))
}

func TestREST(t *testing.T) {
	type in struct {
		Name      string  `at:"uri"`
		GroupName *string `at:"query=groupName"`
	}
	type out struct{ Name, State string }
	register := func(state string, status int) func(*wire.Registry) {
		return func(r *wire.Registry) {
			r.On(wire.Service{Name: "scheduler"}, wire.Route("GetSchedule", "GET /schedules/{Name}", status, func(_ context.Context, i *in) (*out, error) {
				return &out{i.Name, state}, nil
			}))
		}
	}
	ask := func(cfg aws.Config) {
		_, err := scheduler.NewFromConfig(cfg).GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: aws.String("a.b"), GroupName: aws.String("g")})
		require.NoError(t, err)
	}
	require.Empty(t, check(t, register("ENABLED", http.StatusOK), ask))
	require.ErrorContains(t, asErr(check(t, register("enabled", http.StatusOK), ask)), "none of")
	require.ErrorContains(t, asErr(check(t, register("ENABLED", http.StatusAccepted), ask)), "status 202, AWS answers 200")
}
