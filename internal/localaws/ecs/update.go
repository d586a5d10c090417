package ecs

import (
	"context"
	"slices"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type updateServiceIn struct {
	Service                                                                              string `wire:",required"`
	Cluster, TaskDefinition, PlatformVersion, PropagateTags, AvailabilityZoneRebalancing *string
	DesiredCount, HealthCheckGracePeriodSeconds                                          *int
	DeploymentConfiguration                                                              *deploymentConfiguration
	NetworkConfiguration                                                                 *network
	EnableECSManagedTags, ForceNewDeployment                                             *bool
	unservedMembers
}

// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func (s *Service) updateService(_ context.Context, in *updateServiceIn) (*serviceAnswer, error) {
	if err := in.unservedMembers.check(); err != nil {
		return nil, err
	}
	if or(in.DesiredCount, 0) < 0 {
		return nil, invalid("desiredCount must be at least 0")
	}
	if err := checkPlatform(or(in.PlatformVersion, "LATEST")); err != nil {
		return nil, err
	}
	net := in.NetworkConfiguration
	if net != nil {
		var err error
		if net, err = s.checkNetwork(net); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.service(in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	if v.status != "ACTIVE" {
		return nil, wire.Errorf(400, "ServiceNotActiveException", "Service was not ACTIVE.")
	}
	config, err := or(in.DeploymentConfiguration, deploymentConfiguration{}).merge(v.config)
	if err != nil {
		return nil, err
	}
	asked := in.AvailabilityZoneRebalancing
	if asked == nil {
		asked = &v.rebalancing
	}
	rebalancing, err := rebalance(asked, *config.MaximumPercent)
	if err != nil {
		return nil, err
	}
	fresh := or(in.ForceNewDeployment, false)
	if in.TaskDefinition != nil {
		d, err := s.active(*in.TaskDefinition)
		if err != nil {
			return nil, err
		}
		fresh = fresh || d.TaskDefinitionArn != v.definition
		v.definition = d.TaskDefinitionArn
	}
	if net != nil && !equal(*net.AwsvpcConfiguration, *v.network.AwsvpcConfiguration) {
		v.network, fresh = net, true
	}
	if p := or(in.PlatformVersion, v.platform); p != v.platform {
		v.platform, fresh = p, true
	}
	v.config, v.rebalancing, v.desired, v.steady = config, rebalancing, or(in.DesiredCount, v.desired), false
	v.propagate, v.managedTags = or(in.PropagateTags, v.propagate), or(in.EnableECSManagedTags, v.managedTags)
	if in.HealthCheckGracePeriodSeconds != nil {
		v.grace = in.HealthCheckGracePeriodSeconds
	}
	if fresh {
		s.deploy(v)
	}
	v.deployments[0].updated = s.now()
	s.schedule(v)
	return &serviceAnswer{s.describeService(v, true)}, nil
}

func equal(a, b awsvpc) bool {
	sorted := func(l []string) []string { l = slices.Clone(l); slices.Sort(l); return l }
	return slices.Equal(sorted(a.Subnets), sorted(b.Subnets)) && slices.Equal(sorted(a.SecurityGroups), sorted(b.SecurityGroups)) && *a.AssignPublicIp == *b.AssignPublicIp
}

// deleteService drains: the service is INACTIVE once its tasks are STOPPING or STOPPED.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html
func (s *Service) deleteService(_ context.Context, in *struct {
	Cluster *string
	Service string `wire:",required"`
	Force   *bool
}) (*serviceAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.service(in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	// It is answered like the first time for as long as ECS remembers it: https://github.com/aws/aws-sdk-js/issues/4189. The SDK for Go sends a call again when
	// it has closed the connection in the middle of the answer: https://github.com/aws/aws-sdk-go-v2/issues/2737.
	if v.status == "INACTIVE" {
		return &serviceAnswer{s.describeService(v, true)}, nil
	}
	if v.desired > 0 && !or(in.Force, false) {
		return nil, invalid("The service cannot be stopped while it is scaled above 0.")
	}
	v.status, v.desired = "DRAINING", 0
	s.schedule(v)
	return &serviceAnswer{s.describeService(v, true)}, nil
}
