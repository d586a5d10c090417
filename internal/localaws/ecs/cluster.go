package ecs

import (
	"context"
	"maps"
	"slices"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type setting struct{ Name, Value string }

type strategyItem struct {
	CapacityProvider string `wire:",required"`
	Weight, Base     int
}

type cluster struct {
	name, arn, status string
	tags              tagset.Set
	insights          string
	providers         []string
	strategy          []strategyItem
}

type clusterOut struct {
	ClusterArn, ClusterName, Status                                                              string
	RegisteredContainerInstancesCount, RunningTasksCount, PendingTasksCount, ActiveServicesCount int
	Statistics                                                                                   []struct{}
	Tags                                                                                         []tagset.Tag
	Settings                                                                                     []setting
	CapacityProviders                                                                            []string
	DefaultCapacityProviderStrategy                                                              []strategyItem
}

type clusterAnswer struct{ Cluster clusterOut }

// describe returns only the parts that include names, as AWS does. The lock is held.
func (s *Service) describe(c *cluster, include []string) clusterOut {
	out := clusterOut{ClusterArn: c.arn, ClusterName: c.name, Status: c.status, Statistics: []struct{}{}, Tags: []tagset.Tag{}, Settings: []setting{},
		CapacityProviders: append([]string{}, c.providers...), DefaultCapacityProviderStrategy: append([]strategyItem{}, c.strategy...)}
	if slices.Contains(include, "TAGS") {
		out.Tags = tagset.List[tagset.Tag](c.tags)
	}
	if slices.Contains(include, "SETTINGS") {
		out.Settings = []setting{{"containerInsights", c.insights}}
	}
	for _, t := range s.tasks {
		switch {
		case t.cluster != c:
		case t.lastStatus == "RUNNING":
			out.RunningTasksCount++
		case t.pending():
			out.PendingTasksCount++
		}
	}
	for _, v := range s.services {
		if v.cluster == c && v.status == "ACTIVE" {
			out.ActiveServicesCount++
		}
	}
	return out
}

var all = []string{"TAGS", "SETTINGS"}

// cluster finds an ACTIVE one by name or ARN; nil is the one named default. The lock is held.
func (s *Service) cluster(ref *string) (*cluster, error) {
	if c := s.known(or(ref, "default")); c != nil && c.status == "ACTIVE" {
		return c, nil
	}
	return nil, wire.Errorf(400, "ClusterNotFoundException", "Cluster not found.")
}

// known finds a cluster of any status. The lock is held.
func (s *Service) known(ref string) *cluster {
	c := s.clusters[id(ref)]
	if c == nil || ref != c.name && ref != c.arn {
		return nil
	}
	return c
}

// insights reads the only cluster setting there is.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ClusterSetting.html
func insights(settings []setting, before string) (string, error) {
	for _, x := range settings {
		if x.Name != "containerInsights" || !slices.Contains([]string{"enabled", "disabled", "enhanced"}, x.Value) {
			return "", invalid("cluster setting %s = %q: containerInsights must be enabled, enhanced or disabled", x.Name, x.Value)
		}
		before = x.Value
	}
	return before, nil
}

type createClusterIn struct {
	ClusterName                     *string
	Tags                            []tagset.Tag
	Settings                        []setting
	CapacityProviders               []string
	DefaultCapacityProviderStrategy []strategyItem
}

func (s *Service) createCluster(_ context.Context, in *createClusterIn) (*clusterAnswer, error) {
	name := or(in.ClusterName, "default")
	if !nameForm.MatchString(name) {
		return nil, invalid("cluster name %q must have 1 to 255 letters, digits, hyphens and underscores", name)
	}
	tags, err := tagset.Add(rules, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.clusters[name]; c != nil && c.status == "ACTIVE" { // CreateCluster is idempotent
		return &clusterAnswer{s.describe(c, all)}, nil
	}
	c := &cluster{name: name, arn: s.acct.ARN("ecs", "cluster/"+name), status: "ACTIVE", tags: tags}
	if c.insights, err = insights(in.Settings, "disabled"); err != nil {
		return nil, err
	}
	if err := c.capacity(in.CapacityProviders, in.DefaultCapacityProviderStrategy); err != nil {
		return nil, err
	}
	s.clusters[name] = c
	return &clusterAnswer{s.describe(c, all)}, nil
}

func (c *cluster) capacity(providers []string, strategy []strategyItem) error {
	for _, p := range providers {
		if p != "FARGATE" && p != "FARGATE_SPOT" {
			return invalid("The specified capacity provider '%s' was not found.", p)
		}
	}
	for _, item := range strategy {
		if !slices.Contains(providers, item.CapacityProvider) {
			return invalid("The specified capacity provider '%s' is not associated with the cluster.", item.CapacityProvider)
		}
	}
	c.providers, c.strategy = providers, strategy
	return nil
}

func (s *Service) updateCluster(_ context.Context, in *struct {
	Cluster  string `wire:",required"`
	Settings []setting
}) (*clusterAnswer, error) {
	return s.changeCluster(&in.Cluster, func(c *cluster) (err error) {
		c.insights, err = insights(in.Settings, c.insights)
		return err
	})
}

func (s *Service) updateClusterSettings(_ context.Context, in *struct {
	Cluster  string    `wire:",required"`
	Settings []setting `wire:",required"`
}) (*clusterAnswer, error) {
	return s.changeCluster(&in.Cluster, func(c *cluster) (err error) {
		c.insights, err = insights(in.Settings, c.insights)
		return err
	})
}

func (s *Service) changeCluster(ref *string, change func(*cluster) error) (*clusterAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(ref)
	if err != nil {
		return nil, err
	}
	changed := *c
	if err := change(&changed); err != nil {
		return nil, err
	}
	*c = changed
	return &clusterAnswer{s.describe(c, all)}, nil
}

func (s *Service) describeClusters(_ context.Context, in *struct{ Clusters, Include []string }) (*clustersOut, error) {
	if len(in.Clusters) == 0 {
		in.Clusters = []string{"default"}
	}
	if err := referred("Clusters", in.Clusters, 100); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	clusters, failures := described(in.Clusters, func(ref string) (clusterOut, bool) {
		c := s.known(ref)
		if c == nil {
			return clusterOut{}, false
		}
		return s.describe(c, in.Include), true
	}, func(id string) string { return s.acct.ARN("ecs", "cluster/"+id) })
	return &clustersOut{clusters, failures}, nil
}

type clustersOut struct {
	Clusters []clusterOut
	Failures []failure
}

func (s *Service) listClusters(_ context.Context, in *struct {
	NextToken  *string
	MaxResults *int
}) (*struct {
	ClusterArns []string
	NextToken   *string
}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var arns []string
	for _, name := range slices.Sorted(maps.Keys(s.clusters)) {
		if c := s.clusters[name]; c.status == "ACTIVE" {
			arns = append(arns, c.arn)
		}
	}
	out := &struct {
		ClusterArns []string
		NextToken   *string
	}{}
	var err error
	out.ClusterArns, out.NextToken, err = page(arns, 100, in.MaxResults, in.NextToken)
	return out, err
}

// deleteCluster leaves the cluster behind as INACTIVE.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html
func (s *Service) deleteCluster(_ context.Context, in *struct {
	Cluster string `wire:",required"`
}) (*clusterAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.cluster(&in.Cluster)
	if err != nil {
		return nil, err
	}
	for _, v := range s.services {
		if v.cluster == c && v.status != "INACTIVE" {
			return nil, wire.Errorf(400, "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
		}
	}
	for _, t := range s.tasks {
		if t.cluster == c && t.lastStatus != "STOPPED" {
			return nil, wire.Errorf(400, "ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
		}
	}
	c.status = "INACTIVE"
	return &clusterAnswer{s.describe(c, all)}, nil
}

func (s *Service) principal() string { return s.acct.ARN("iam", "root") }
