package ecs

import (
	"context"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Service deployments show the deployments of a service, also those that are over. Since 6.4, Terraform's provider waits for the end of the one whose
// revision has the number of the service's primary deployment.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html

type serviceDeploymentBrief struct {
	ServiceDeploymentArn, ServiceArn, ClusterArn, TargetServiceRevisionArn, Status string
	StatusReason                                                                   string `wire:",omitempty"`
	CreatedAt, StartedAt, FinishedAt                                               *wire.Time
}

type revisionSummary struct {
	Arn                                                    string
	RequestedTaskCount, RunningTaskCount, PendingTaskCount int
}

type serviceDeployment struct {
	ServiceDeploymentArn, ServiceArn, ClusterArn, Status string
	StatusReason                                         string `wire:",omitempty"`
	CreatedAt, StartedAt, UpdatedAt, FinishedAt          *wire.Time
	TargetServiceRevision                                revisionSummary
	DeploymentConfiguration                              deploymentConfiguration
}

func (s *Service) deploymentARN(kind string, v *service, d *deployment) string {
	return s.acct.ARN("ecs", kind+"/"+v.cluster.name+"/"+v.name+"/"+strings.TrimPrefix(d.id, "ecs-svc/"))
}

// outcome is the service deployment's status of a deployment. One that was replaced, or that the circuit breaker ended, is STOPPED.
func (v *service) outcome(d *deployment) string {
	switch {
	case d.rollout == "COMPLETED":
		return "SUCCESSFUL"
	case d.rollout == "FAILED" || !slices.Contains(v.deployments, d):
		return "STOPPED"
	}
	return "IN_PROGRESS"
}

func (v *service) finished(d *deployment) *wire.Time {
	if v.outcome(d) == "IN_PROGRESS" {
		return nil
	}
	return wire.At(d.updated)
}

// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServiceDeployments.html
func (s *Service) listServiceDeployments(_ context.Context, in *struct {
	Cluster, NextToken *string
	Service            string `wire:",required"`
	Status             []string
	MaxResults         *int
	CreatedAt          *struct{ Before, After *wire.Time }
}) (*struct {
	ServiceDeployments []serviceDeploymentBrief
	NextToken          *string
}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.service(in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	briefs := map[string]serviceDeploymentBrief{}
	var arns []string
	for _, d := range slices.Backward(v.history) { // newest first
		status := v.outcome(d)
		if len(in.Status) > 0 && !slices.Contains(in.Status, status) {
			continue
		}
		if c := in.CreatedAt; c != nil && (c.After != nil && d.created.Before(c.After.Time) || c.Before != nil && d.created.After(c.Before.Time)) {
			continue
		}
		arn := s.deploymentARN("service-deployment", v, d)
		arns = append(arns, arn)
		briefs[arn] = serviceDeploymentBrief{ServiceDeploymentArn: arn, ServiceArn: v.arn, ClusterArn: v.cluster.arn, Status: status, StatusReason: d.reason,
			TargetServiceRevisionArn: s.deploymentARN("service-revision", v, d), CreatedAt: wire.At(d.created), StartedAt: wire.At(d.created), FinishedAt: v.finished(d)}
	}
	out := &struct {
		ServiceDeployments []serviceDeploymentBrief
		NextToken          *string
	}{ServiceDeployments: []serviceDeploymentBrief{}}
	arns, out.NextToken, err = page(arns, 20, in.MaxResults, in.NextToken)
	for _, arn := range arns {
		out.ServiceDeployments = append(out.ServiceDeployments, briefs[arn])
	}
	return out, err
}

// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html
func (s *Service) describeServiceDeployments(_ context.Context, in *struct {
	ServiceDeploymentArns []string `wire:",required"`
}) (*struct {
	ServiceDeployments []serviceDeployment
	Failures           []failure
}, error) {
	if n := len(in.ServiceDeploymentArns); n == 0 || n > 20 {
		return nil, invalid("serviceDeploymentArns must have 1 to 20 elements.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &struct {
		ServiceDeployments []serviceDeployment
		Failures           []failure
	}{[]serviceDeployment{}, []failure{}}
	for _, arn := range in.ServiceDeploymentArns {
		v, d := s.deploymentOf(arn)
		if d == nil {
			out.Failures = append(out.Failures, failure{arn, "MISSING"})
			continue
		}
		one := serviceDeployment{ServiceDeploymentArn: arn, ServiceArn: v.arn, ClusterArn: v.cluster.arn, Status: v.outcome(d), StatusReason: d.reason,
			CreatedAt: wire.At(d.created), StartedAt: wire.At(d.created), UpdatedAt: wire.At(d.updated), FinishedAt: v.finished(d), DeploymentConfiguration: v.config}
		one.TargetServiceRevision = revisionSummary{Arn: s.deploymentARN("service-revision", v, d)}
		if slices.Index(v.deployments, d) == 0 {
			one.TargetServiceRevision.RequestedTaskCount = v.desired
		}
		for _, t := range s.tasks {
			switch {
			case t.deployment != d:
			case t.lastStatus == "RUNNING":
				one.TargetServiceRevision.RunningTaskCount++
			case t.pending():
				one.TargetServiceRevision.PendingTaskCount++
			}
		}
		out.ServiceDeployments = append(out.ServiceDeployments, one)
	}
	return out, nil
}

func (s *Service) deploymentOf(arn string) (*service, *deployment) {
	for _, v := range s.services {
		for _, d := range v.history {
			if s.deploymentARN("service-deployment", v, d) == arn {
				return v, d
			}
		}
	}
	return nil, nil
}
