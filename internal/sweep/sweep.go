// Package sweep finds the stacks of an account and Region by their common tag, describes them and their cost, and removes one without its Terraform state,
// which may be lost.
package sweep

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"

	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Tag is the key of the tag on every resource of a stack that takes tags; its value is the stack's name.
const Tag = "elasticache-perf"

// resource is one AWS resource of a stack.
type resource struct {
	kind string // such as "ecs:service", as in removals
	id   string // its identifier in the service's calls
}

func (r resource) String() string { return r.kind + " " + r.id }

// parse returns the resource of an ARN. ARNs of queues and topics have no type.
func parse(arn string) resource {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return resource{"unknown", arn}
	}
	service, rest := parts[2], parts[5]
	at := strings.IndexAny(rest, ":/")
	switch {
	case service == "sns":
		return resource{"sns", arn}
	case at < 0:
		return resource{service, rest}
	case service == "ssm":
		return resource{"ssm:parameter", rest[at:]} // its name starts with the slash
	case service == "ecs" && rest[:at] == "task-definition":
		return resource{"ecs:task-definition", arn}
	}
	return resource{service + ":" + rest[:at], rest[at+1:]}
}

// Found is a stack as AWS shows it.
type Found struct {
	Name  string
	Stack *stack.Stack
	Run   string // the current run, or the one that the resources were created for; "": none is known
	Guard Guard
	// Billed names what is billed; "" if nothing is.
	Billed string
	Cost   Cost
	// Hidden is the error that prevented reading the stack.
	Hidden error

	there []resource
}

// Find lists all stacks, or those with these names. The Tagging API still lists resources deleted hours ago, so each is looked up, and a stack counts if one
// exists. https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
func Find(ctx context.Context, ws *workspace.Workspace, cfg aws.Config, names ...string) (found []*Found, err error) {
	listed := map[string][]resource{}
	pages := resourcegroupstaggingapi.NewGetResourcesPaginator(resourcegroupstaggingapi.NewFromConfig(cfg),
		&resourcegroupstaggingapi.GetResourcesInput{TagFilters: []types.TagFilter{{Key: aws.String(Tag), Values: names}}, ResourcesPerPage: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("what has the tag %s cannot be listed (this needs tag:GetResources): %w", Tag, err)
		}
		for _, m := range page.ResourceTagMappingList {
			for _, t := range m.Tags {
				if aws.ToString(t.Key) == Tag && aws.ToString(t.Value) != "" {
					name := aws.ToString(t.Value)
					listed[name] = append(listed[name], parse(aws.ToString(m.ResourceARN)))
				}
			}
		}
	}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(listed))
	}
	for _, name := range names {
		f, err := look(ctx, ws, cfg, name, listed[name])
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			found = append(found, &Found{Name: name, Hidden: err})
		case f != nil:
			found = append(found, f)
		}
	}
	return found, nil
}

// Named returns the stack of this name in its current state; nil if there is none. It also finds one of which only IAM roles are left, which the Tagging API
// does not list.
func Named(ctx context.Context, ws *workspace.Workspace, cfg aws.Config, name string) (*Found, error) {
	found, err := Find(ctx, ws, cfg, name)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], found[0].Hidden
}

// look looks up the resources of a stack; nil if none exists.
func look(ctx context.Context, ws *workspace.Workspace, cfg aws.Config, name string, listed []resource) (*Found, error) {
	s, err := stack.Open(ctx, ws, cfg.Region, config(name, listed))
	if err != nil {
		return nil, err
	}
	f, r := &Found{Name: name, Stack: s}, newRemover(cfg, name)
	for _, one := range append(listed, named(name, cfg.Region)...) {
		is, err := r.there(ctx, one)
		if err != nil {
			return nil, err
		}
		if is {
			f.there = append(f.there, one)
		}
	}
	// A dashboard has no tag: alone it does not prove that there is a stack of ours.
	if !slices.ContainsFunc(f.there, func(one resource) bool { return one.kind != dashboardKind }) {
		return nil, nil
	}
	if f.Guard, err = guardOf(ctx, s); err != nil {
		return nil, err
	}
	if f.Billed, err = s.Billed(ctx); err != nil {
		return nil, err
	}
	if f.Run = f.Guard.Run; f.Run == "" {
		if f.Run, err = runOf(ctx, s); err != nil {
			return nil, err
		}
	}
	f.Cost, err = costOf(ctx, s)
	return f, err
}

// named returns what the Tagging API does not list, by the stack's names: its roles, and its dashboard, which has no tags.
// https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html
func named(name, region string) (all []resource) {
	for _, role := range []string{"-load-execution", "-load-task", "-scheduler", "-stop"} {
		all = append(all, resource{roleKind, name + role})
	}
	return append(all, resource{dashboardKind, name + "-" + region})
}

// config derives a stack's configuration from its name, in case its function is gone. A listed service or cache overrides the derived name.
func config(name string, listed []resource) shutdown.Config {
	c := shutdown.Config{Name: name, Cluster: name, Service: name + "-load", Logs: shutdown.Logs{Load: "/elasticache-perf/" + name + "/load"},
		Cache:     shutdown.Cache{ReplicationGroup: name, Delete: true},
		Schedules: shutdown.Schedules{Group: name, Watch: name + "-watch", Stop: name + "-load-stop"}}
	for _, r := range listed {
		switch r.kind {
		case "ecs:service":
			c.Cluster, c.Service, _ = strings.Cut(r.id, "/")
		case "elasticache:serverlesscache":
			c.Cache = shutdown.Cache{Serverless: r.id, Delete: true}
		case "elasticache:replicationgroup":
			c.Cache = shutdown.Cache{ReplicationGroup: r.id, Delete: true}
		}
	}
	return c
}

// Parts lists a stack's resources in the order of removal, with the number of each kind.
func (f *Found) Parts() string {
	var parts []string
	for _, k := range removals {
		n, last := 0, ""
		for _, one := range f.there {
			if one.kind == k.kind {
				n, last = n+1, one.id
			}
		}
		switch {
		case n == 1 && k.alone != "":
			parts = append(parts, k.alone+" "+last)
		case n == 1:
			parts = append(parts, "1 "+strings.TrimSuffix(k.noun, "s"))
		case n > 0:
			parts = append(parts, fmt.Sprintf("%d %s", n, k.noun))
		}
	}
	return strings.Join(parts, ", ")
}
