// Package tagging is the Resource Groups Tagging API: it finds resources by tag in all services of an account in a Region.
//
// API reference: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_Operations.html
//
// It reads the tags that the services keep. As on AWS, it does not list IAM roles, and it lists a deleted resource for a while. Not served: setting tags,
// keys and values, compliance, resources that no longer have tags, and the delay before AWS lists a new resource.
package tagging

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Tagged returns the tags of a service's resources, by ARN.
type Tagged interface {
	Tagged() map[string]tagset.Set
}

// Service is the Resource Groups Tagging API of one account in one Region.
type Service struct {
	// Lingers is how long a resource is still listed after it is gone. On AWS it is minutes to hours: https://github.com/boto/boto3/issues/3341
	Lingers time.Duration

	acct     *account.Account
	services []Tagged

	mu    sync.Mutex
	known map[string]seen // listed so far, by ARN
}

type seen struct {
	tags tagset.Set
	gone time.Time // when it was first missing; zero: it exists
}

// New lists what the services have.
func New(acct *account.Account, services ...Tagged) *Service {
	return &Service{Lingers: time.Minute, acct: acct, services: services, known: map[string]seen{}}
}

// Register serves the API's actions.
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "tagging", Message: "Message", Invalid: "InvalidParameterException"}, wire.Action("GetResources", s.getResources))
}

// look updates known; s.mu is held.
func (s *Service) look() {
	now, there := s.acct.Clock.Now(), map[string]tagset.Set{}
	for _, service := range s.services {
		maps.Copy(there, service.Tagged())
	}
	for arn, tags := range there {
		s.known[arn] = seen{tags: tags}
	}
	for arn, was := range s.known {
		switch {
		case there[arn] != nil:
		case was.gone.IsZero():
			s.known[arn] = seen{was.tags, now}
		case now.Sub(was.gone) >= s.Lingers:
			delete(s.known, arn)
		}
	}
}

type tagFilter struct {
	Key    string
	Values []string
}

type getResourcesIn struct {
	TagFilters          []tagFilter
	ResourceTypeFilters []string
	PaginationToken     string
	ResourcesPerPage    *int
}

type mapping struct {
	ResourceARN string
	Tags        []tagset.Tag
}

type getResourcesOut struct {
	PaginationToken        string // "" on the last page
	ResourceTagMappingList []mapping
}

func invalid(format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, "InvalidParameterException", format, args...)
}

// https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
func (s *Service) getResources(_ context.Context, in *getResourcesIn) (*getResourcesOut, error) {
	size, ok := paging.Size(in.ResourcesPerPage, 50, 1, 100)
	if !ok {
		return nil, invalid("ResourcesPerPage must be between 1 and 100, not %d", size)
	}
	if len(in.TagFilters) > 50 || len(in.ResourceTypeFilters) > 100 {
		return nil, invalid("a request has at most 50 TagFilters and 100 ResourceTypeFilters")
	}
	for _, f := range in.TagFilters {
		if f.Key == "" || len(f.Values) > 20 {
			return nil, invalid("a TagFilter has a Key and at most 20 Values")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	found := slices.DeleteFunc(slices.Sorted(maps.Keys(s.known)), func(arn string) bool {
		return !ofType(arn, in.ResourceTypeFilters) || !carries(s.known[arn].tags, in.TagFilters)
	})
	found, next, ok := paging.Names(found, size, in.PaginationToken)
	if !ok {
		return nil, invalid("the PaginationToken is not one of this API's")
	}
	out := &getResourcesOut{PaginationToken: next, ResourceTagMappingList: []mapping{}}
	for _, arn := range found {
		out.ResourceTagMappingList = append(out.ResourceTagMappingList, mapping{arn, tagset.List[tagset.Tag](s.known[arn].tags)})
	}
	return out, nil
}

// ofType reports whether an ARN has one of the types (service, or service:resourceType, as in ARNs); always true without types.
func ofType(arn string, types []string) bool {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return false
	}
	kind := parts[5][:cmp.Or(strings.IndexAny(parts[5], ":/")+1, len(parts[5])+1)-1]
	return len(types) == 0 || slices.ContainsFunc(types, func(t string) bool { return t == parts[2] || t == parts[2]+":"+kind })
}

// carries reports whether tags satisfy all filters. A filter without values accepts every value.
func carries(tags map[string]string, filters []tagFilter) bool {
	return len(tags) > 0 && !slices.ContainsFunc(filters, func(f tagFilter) bool {
		value, has := tags[f.Key]
		return !has || len(f.Values) > 0 && !slices.Contains(f.Values, value)
	})
}
