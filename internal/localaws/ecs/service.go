package ecs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type awsvpc struct {
	Subnets        []string `wire:",required"`
	SecurityGroups []string
	AssignPublicIp *string
}

type network struct{ AwsvpcConfiguration *awsvpc }

type breaker struct{ Enable, Rollback bool }

type deploymentConfiguration struct {
	DeploymentCircuitBreaker              *breaker
	MaximumPercent, MinimumHealthyPercent *int
	Strategy                              *string
	BakeTimeInMinutes                     *int
}

type controller struct{ Type string }

// service is an ECS service with its scheduler's state.
type service struct {
	name, arn, token, status, definition, platform, propagate, rebalancing string
	cluster                                                                *cluster
	desired                                                                int
	config                                                                 deploymentConfiguration
	network                                                                *network
	managedTags                                                            bool
	grace                                                                  *int
	created                                                                time.Time
	tags                                                                   tagset.Set
	events                                                                 []event       // newest first
	deployments                                                            []*deployment // PRIMARY first
	history                                                                []*deployment // all there were, newest last
	completed                                                              string        // task definition of the last deployment that completed
	steady, waking, blocked                                                bool          // blocked: the placement error was said
	subnet                                                                 int           // round robin
}

type deployment struct {
	id, definition, rollout, reason string
	network                         *network
	created, updated                time.Time
	failed                          int           // tasks in a row that never ran
	backoff                         time.Duration // after the last of them
	notBefore                       time.Time
}

const platformVersion = "1.4.0" // what LATEST is

func (s *Service) say(v *service, format string, args ...any) {
	message := fmt.Sprintf("(service %s) ", v.name) + fmt.Sprintf(format, args...)
	v.events = append([]event{{uuid(), wire.At(s.now()), message}}, v.events[:min(len(v.events), 99)]...)
}

// service finds a service by name or ARN, the newest of several with that name. The lock is held.
func (s *Service) service(cluster *string, ref string) (*service, error) {
	c, err := s.cluster(cluster)
	if err != nil {
		return nil, err
	}
	for _, v := range slices.Backward(s.services) {
		if v.cluster == c && (ref == v.name || ref == v.arn) {
			return v, nil
		}
	}
	return nil, wire.Errorf(400, "ServiceNotFoundException", "Service not found.")
}

// active finds an ACTIVE task definition. The lock is held.
func (s *Service) active(ref string) (*taskDefinition, error) {
	family, i, ok := s.definition(ref)
	if !ok {
		return nil, client("TaskDefinition not found.")
	}
	d := s.families[family][i]
	if d.Status != "ACTIVE" {
		return nil, client("TaskDefinition is inactive")
	}
	return d, nil
}

func checkPlatform(version string) error {
	if !slices.Contains([]string{"LATEST", "1.4.0", "1.3.0"}, version) {
		return wire.Errorf(400, "PlatformUnknownException", "The specified platform does not exist.")
	}
	return nil
}

// checkNetwork holds subnets and groups against EC2.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AwsVpcConfiguration.html
func (s *Service) checkNetwork(n *network) (*network, error) {
	if n == nil || n.AwsvpcConfiguration == nil {
		return nil, invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	}
	c := *n.AwsvpcConfiguration
	if len(c.Subnets) < 1 || len(c.Subnets) > 16 {
		return nil, invalid("subnets must have 1 to 16 elements, not %d", len(c.Subnets))
	}
	if len(c.SecurityGroups) > 5 {
		return nil, invalid("securityGroups can have at most 5 items.")
	}
	vpc := ""
	for _, id := range c.Subnets {
		subnet, ok := s.deps.EC2.Subnet(id)
		if !ok {
			return nil, invalid("Error retrieving subnet information for [%s]: The subnet ID '%[1]s' does not exist (ErrorCode: InvalidSubnetID.NotFound)", id)
		}
		if vpc != "" && vpc != subnet.VPC {
			return nil, invalid("subnets must all be in the same VPC")
		}
		vpc = subnet.VPC
	}
	for _, id := range c.SecurityGroups {
		group, ok := s.deps.EC2.SecurityGroup(id)
		if !ok {
			return nil, invalid("Error retrieving security group information for [%s]: The security group '%[1]s' does not exist (ErrorCode: InvalidGroup.NotFound)", id)
		}
		if group.VPC != vpc {
			return nil, invalid("security group %s and the subnets must be in the same VPC", id)
		}
	}
	public := or(c.AssignPublicIp, "DISABLED")
	if public != "ENABLED" && public != "DISABLED" {
		return nil, invalid("assignPublicIp %q must be ENABLED or DISABLED", public)
	}
	c.AssignPublicIp, c.SecurityGroups = &public, append([]string{}, c.SecurityGroups...)
	return &network{&c}, nil
}

// merge fills gaps in a deployment configuration from the previous one.
func (c deploymentConfiguration) merge(before deploymentConfiguration) (deploymentConfiguration, error) {
	if c.DeploymentCircuitBreaker == nil {
		c.DeploymentCircuitBreaker = before.DeploymentCircuitBreaker
	}
	for _, p := range []struct{ to, from **int }{{&c.MaximumPercent, &before.MaximumPercent}, {&c.MinimumHealthyPercent, &before.MinimumHealthyPercent}} {
		if *p.to == nil {
			*p.to = *p.from
		}
	}
	if s := or(c.Strategy, "ROLLING"); s != "ROLLING" || or(c.BakeTimeInMinutes, 0) != 0 {
		return c, invalid("localaws serves the deployment strategy ROLLING without bake time only, not %s", s)
	}
	c.Strategy, c.BakeTimeInMinutes = before.Strategy, before.BakeTimeInMinutes
	switch low, high := *c.MinimumHealthyPercent, *c.MaximumPercent; {
	case low < 0 || low > 100 && low > high:
		return c, invalid("minimumHealthyPercent %d must not be negative or greater than maximumPercent", low)
	case high < 100 || high > 200:
		return c, invalid("maximumPercent %d must be between 100 and 200", high)
	case low == 100 && high == 100:
		return c, invalid("You must specify maximumPercent greater than 100 or minimumHealthyPercent less than 100: no deployment could proceed.")
	}
	return c, nil
}

func initial() deploymentConfiguration {
	high, low, bake, strategy := 200, 100, 0, "ROLLING"
	return deploymentConfiguration{&breaker{}, &high, &low, &strategy, &bake}
}

// rebalance is the service's availabilityZoneRebalancing. By default it is on where it is possible.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-rebalancing.html
func rebalance(asked *string, maximum int) (string, error) {
	switch {
	case asked == nil && maximum > 100:
		return "ENABLED", nil
	case asked == nil || *asked == "DISABLED":
		return "DISABLED", nil
	case *asked == "ENABLED" && maximum > 100:
		return "ENABLED", nil
	}
	return "", invalid("availabilityZoneRebalancing %s: it must be DISABLED, or ENABLED with a maximumPercent above 100", *asked)
}

// unservedMembers are members that a client may send only empty.
type unservedMembers struct {
	LoadBalancers, ServiceRegistries, PlacementConstraints, PlacementStrategy, CapacityProviderStrategy, VolumeConfigurations, VpcLatticeConfigurations []any
	EnableExecuteCommand                                                                                                                                *bool
	DeploymentController                                                                                                                                *controller
}

func (m *unservedMembers) check() error {
	for what, l := range map[string][]any{"loadBalancers": m.LoadBalancers, "serviceRegistries": m.ServiceRegistries, "placementConstraints": m.PlacementConstraints,
		"placementStrategy": m.PlacementStrategy, "capacityProviderStrategy": m.CapacityProviderStrategy, "volumeConfigurations": m.VolumeConfigurations,
		"vpcLatticeConfigurations": m.VpcLatticeConfigurations} {
		if err := unserved(what+" of a service", len(l)); err != nil {
			return err
		}
	}
	if or(m.EnableExecuteCommand, false) {
		return unserved("enableExecuteCommand", 1)
	}
	if m.DeploymentController != nil && m.DeploymentController.Type != "ECS" {
		return unserved("deploymentController "+m.DeploymentController.Type, 1)
	}
	return nil
}

type createServiceIn struct {
	ServiceName                                                                                                                       string `wire:",required"`
	Cluster, TaskDefinition, ClientToken, LaunchType, PlatformVersion, SchedulingStrategy, PropagateTags, AvailabilityZoneRebalancing *string
	DesiredCount, HealthCheckGracePeriodSeconds                                                                                       *int
	DeploymentConfiguration                                                                                                           *deploymentConfiguration
	NetworkConfiguration                                                                                                              *network
	EnableECSManagedTags                                                                                                              *bool
	Tags                                                                                                                              []tagset.Tag
	unservedMembers
}

// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
func (s *Service) createService(_ context.Context, in *createServiceIn) (*serviceAnswer, error) {
	if err := in.unservedMembers.check(); err != nil {
		return nil, err
	}
	if !nameForm.MatchString(in.ServiceName) {
		return nil, invalid("serviceName %q must have 1 to 255 letters, digits, hyphens and underscores", in.ServiceName)
	}
	if l := or(in.LaunchType, "EC2"); l != "FARGATE" {
		return nil, invalid("localaws serves launchType FARGATE only, not %s", l)
	}
	if or(in.SchedulingStrategy, "REPLICA") != "REPLICA" {
		return nil, invalid("The daemon scheduling strategy is not supported for the Fargate launch type.")
	}
	propagate := or(in.PropagateTags, "NONE")
	if !slices.Contains([]string{"NONE", "SERVICE", "TASK_DEFINITION"}, propagate) {
		return nil, invalid("propagateTags %q must be SERVICE, TASK_DEFINITION or NONE", propagate)
	}
	tags, err := tagset.Add(rules, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	if in.TaskDefinition == nil || in.DesiredCount == nil || *in.DesiredCount < 0 {
		return nil, invalid("A service with scheduling strategy REPLICA needs taskDefinition and a desiredCount of at least 0.")
	}
	if err := checkPlatform(or(in.PlatformVersion, "LATEST")); err != nil {
		return nil, err
	}
	net, err := s.checkNetwork(in.NetworkConfiguration)
	if err != nil {
		return nil, err
	}
	config, err := or(in.DeploymentConfiguration, deploymentConfiguration{}).merge(initial())
	if err != nil {
		return nil, err
	}
	rebalancing, err := rebalance(in.AvailabilityZoneRebalancing, *config.MaximumPercent)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if old, err := s.service(in.Cluster, in.ServiceName); err == nil && old.status != "INACTIVE" {
		switch {
		case old.status == "DRAINING":
			return nil, invalid("Unable to Start a service that is still Draining.")
		case in.ClientToken != nil && old.token == *in.ClientToken:
			return &serviceAnswer{s.describeService(old, true)}, nil
		}
		return nil, invalid("Creation of service was not idempotent.")
	}
	d, err := s.active(*in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	v := &service{name: in.ServiceName, arn: s.acct.ARN("ecs", "service/"+c.name+"/"+in.ServiceName), token: or(in.ClientToken, ""), status: "ACTIVE",
		definition: d.TaskDefinitionArn, platform: or(in.PlatformVersion, "LATEST"), propagate: propagate, rebalancing: rebalancing, cluster: c,
		desired: *in.DesiredCount, config: config, network: net, managedTags: or(in.EnableECSManagedTags, false), grace: in.HealthCheckGracePeriodSeconds,
		created: s.now(), tags: tags}
	s.services = append(s.services, v)
	s.deploy(v)
	out := &serviceAnswer{s.describeService(v, true)}
	s.schedule(v)
	return out, nil
}

// deploy makes a new PRIMARY deployment of the service's current configuration. The lock is held.
func (s *Service) deploy(v *service) *deployment {
	d := &deployment{id: fmt.Sprintf("ecs-svc/%019d", rand.Int64N(1e18)+1e18), definition: v.definition, network: v.network, created: s.now(), updated: s.now()}
	d.rollout, d.reason = "IN_PROGRESS", fmt.Sprintf("ECS deployment %s in progress.", d.id)
	v.deployments, v.history = append([]*deployment{d}, v.deployments...), append(v.history, d)
	v.steady, v.blocked = false, false
	return d
}
