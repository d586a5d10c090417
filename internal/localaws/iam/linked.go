package iam

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type linkedIn struct {
	AWSServiceName            string `wire:",required"`
	Description, CustomSuffix string
}

var linkedNames = map[string]string{"ecs.amazonaws.com": "AWSServiceRoleForECS", "elasticache.amazonaws.com": "AWSServiceRoleForElastiCache"}

// createServiceLinkedRole makes the roles that ECS and ElastiCache act under. They have no policies here:
// Allowed does not decide what those services do for the account.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using-service-linked-roles.html
func (s *Service) createServiceLinkedRole(_ context.Context, in *linkedIn) (*roleResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, ok := linkedNames[in.AWSServiceName]
	input := func(format string, args ...any) error {
		return wire.Errorf(http.StatusBadRequest, "InvalidInput", format, args...)
	}
	if !ok {
		return nil, input("%s does not have a service-linked role here: localaws knows those of ECS and ElastiCache", in.AWSServiceName)
	}
	if in.CustomSuffix != "" {
		return nil, input("Custom suffix is not allowed for %s", in.AWSServiceName)
	}
	if r, ok := s.roles[strings.ToLower(name)]; ok {
		return nil, input("Service role name %s has been taken in this account, please try a different suffix.", r.name)
	}
	r, err := s.link(in.AWSServiceName, in.Description)
	if err != nil {
		return nil, err
	}
	o := r.out()
	o.RoleLastUsed = nil
	return &roleResult{o}, nil
}

// link makes a service's role; the caller holds the lock.
func (s *Service) link(service, description string) (*role, error) {
	name, path := linkedNames[service], "/aws-service-role/"+service+"/"
	text := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Action":["sts:AssumeRole"],"Effect":"Allow","Principal":{"Service":[%q]}}]}`, service)
	d, err := s.trust(text)
	if err != nil {
		return nil, err
	}
	r := &role{name: name, id: id("AROA"), path: path, arn: s.acct.ARN("iam", "role"+path+name), trust: text, description: description,
		created: s.acct.Clock.Now(), maxSession: 3600, document: d, grants: grants{inline: map[string]inline{}}, linked: true}
	s.roles[strings.ToLower(name)] = r
	return r, nil
}

// Linked is the ARN that a service's own role has or would have, and whether it exists.
func (s *Service) Linked(service string) (arn string, exists bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, exists = s.roles[strings.ToLower(linkedNames[service])]
	return s.acct.ARN("iam", "role/aws-service-role/"+service+"/"+linkedNames[service]), exists
}

// Link makes a service's own role as that service does on first use; nothing when it is there.
func (s *Service) Link(service string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := s.roles[strings.ToLower(linkedNames[service])]; exists {
		return nil
	}
	_, err := s.link(service, "")
	return err
}
