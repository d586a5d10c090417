package ecs

import (
	"context"
	"slices"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type deploymentOut struct {
	Id, Status, TaskDefinition                            string
	DesiredCount, PendingCount, RunningCount, FailedTasks int
	CreatedAt, UpdatedAt                                  *wire.Time
	LaunchType, PlatformVersion, PlatformFamily           string
	NetworkConfiguration                                  *network
	RolloutState, RolloutStateReason                      string
}

type event struct {
	Id        string
	CreatedAt *wire.Time
	Message   string
}

type serviceOut struct {
	ServiceArn, ServiceName, ClusterArn, Status, LaunchType, PlatformVersion, PlatformFamily, TaskDefinition string
	DesiredCount, RunningCount, PendingCount                                                                 int
	LoadBalancers, ServiceRegistries, PlacementConstraints, PlacementStrategy                                []any
	DeploymentConfiguration                                                                                  deploymentConfiguration
	Deployments                                                                                              []deploymentOut
	RoleArn, SchedulingStrategy, CreatedBy, PropagateTags, AvailabilityZoneRebalancing                       string
	Events                                                                                                   []event
	CreatedAt                                                                                                *wire.Time
	NetworkConfiguration                                                                                     *network
	HealthCheckGracePeriodSeconds                                                                            *int
	DeploymentController                                                                                     controller
	EnableECSManagedTags, EnableExecuteCommand                                                               bool
	Tags                                                                                                     []tagset.Tag
}

type serviceAnswer struct{ Service serviceOut }

func (s *Service) describeService(v *service, tags bool) serviceOut {
	o := serviceOut{ServiceArn: v.arn, ServiceName: v.name, ClusterArn: v.cluster.arn, Status: v.status, LaunchType: "FARGATE", PlatformVersion: v.platform,
		PlatformFamily: "Linux", TaskDefinition: v.definition, DesiredCount: v.desired, LoadBalancers: []any{}, ServiceRegistries: []any{},
		PlacementConstraints: []any{}, PlacementStrategy: []any{}, DeploymentConfiguration: v.config, Deployments: []deploymentOut{},
		RoleArn: s.acct.ARN("iam", "role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"), SchedulingStrategy: "REPLICA", CreatedBy: s.principal(),
		PropagateTags: v.propagate, AvailabilityZoneRebalancing: v.rebalancing, Events: slices.Clone(v.events), CreatedAt: wire.At(v.created),
		NetworkConfiguration: v.network, HealthCheckGracePeriodSeconds: v.grace, DeploymentController: controller{"ECS"}, EnableECSManagedTags: v.managedTags}
	if tags {
		o.Tags = tagset.List[tagset.Tag](v.tags)
	}
	for i, d := range v.deployments {
		x := deploymentOut{Id: d.id, Status: "ACTIVE", TaskDefinition: d.definition, FailedTasks: d.failed, CreatedAt: wire.At(d.created), UpdatedAt: wire.At(d.updated),
			LaunchType: "FARGATE", PlatformVersion: platformVersion, PlatformFamily: "Linux", NetworkConfiguration: d.network, RolloutState: d.rollout, RolloutStateReason: d.reason}
		if i == 0 {
			x.Status, x.DesiredCount = "PRIMARY", v.desired
		}
		for _, t := range s.tasks {
			switch {
			case t.deployment != d:
			case t.lastStatus == "RUNNING":
				x.RunningCount++
			case t.pending():
				x.PendingCount++
			}
		}
		o.RunningCount, o.PendingCount = o.RunningCount+x.RunningCount, o.PendingCount+x.PendingCount
		o.Deployments = append(o.Deployments, x)
	}
	if v.events == nil {
		o.Events = []event{}
	}
	return o
}

// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
func (s *Service) describeServices(_ context.Context, in *struct {
	Cluster  *string
	Services []string `wire:",required"`
	Include  []string
}) (*servicesOut, error) {
	if err := referred("Services", in.Services, 10); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	services, failures := described(in.Services, func(ref string) (serviceOut, bool) {
		v, err := s.service(in.Cluster, ref)
		if err != nil {
			return serviceOut{}, false
		}
		return s.describeService(v, slices.Contains(in.Include, "TAGS")), true
	}, func(id string) string { return s.acct.ARN("ecs", "service/"+c.name+"/"+id) })
	return &servicesOut{services, failures}, nil
}

type servicesOut struct {
	Services []serviceOut
	Failures []failure
}

func (s *Service) listServices(_ context.Context, in *struct {
	Cluster, NextToken, LaunchType, SchedulingStrategy *string
	MaxResults                                         *int
}) (*struct {
	ServiceArns []string
	NextToken   *string
}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, v := range s.services {
		if v.cluster == c && v.status == "ACTIVE" && or(in.LaunchType, "FARGATE") == "FARGATE" && or(in.SchedulingStrategy, "REPLICA") == "REPLICA" {
			arns = append(arns, v.arn)
		}
	}
	out := &struct {
		ServiceArns []string
		NextToken   *string
	}{}
	out.ServiceArns, out.NextToken, err = page(arns, 10, in.MaxResults, in.NextToken)
	return out, err
}
