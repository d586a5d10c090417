// Package ec2 is the network part of EC2: a VPC with its subnets and routes, security groups and their rules,
// network interfaces and VPC endpoints.
//
// API reference: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/OperationList-query.html
//
// The VPC is there from the start (Seed); endpoints, security groups, prefix lists and tags can be changed. It does not
// do: instances, further VPCs and subnets, routes and gateways, network ACLs, changes of prefix lists, IPv6 addresses, peering, DryRun.
package ec2

import (
	"cmp"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Service is the network of one account in one Region.
type Service struct {
	acct *account.Account

	mu         sync.Mutex
	vpcs       []*vpc
	subnets    []*subnet
	tables     []*routeTable
	endpoints  []*endpoint
	groups     []*group
	rules      []*rule
	managed    []*managedList
	interfaces []*networkInterface
	tags       map[string]tagset.Set // by resource id
}

// New is a Region without a VPC.
func New(acct *account.Account) *Service {
	return &Service{acct: acct, tags: map[string]tagset.Set{}}
}

// Register serves EC2's actions.
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "ec2", EC2: true, XMLNS: "http://ec2.amazonaws.com/doc/2016-11-15/", Invalid: "InvalidParameterValue"},
		wire.Action("DescribeVpcs", s.describeVpcs),
		wire.Action("DescribeVpcAttribute", s.describeVpcAttribute),
		wire.Action("DescribeSubnets", s.describeSubnets),
		wire.Action("DescribeRouteTables", s.describeRouteTables),
		wire.Action("CreateVpcEndpoint", s.createVpcEndpoint),
		wire.Action("DescribeVpcEndpoints", s.describeVpcEndpoints),
		wire.Action("DeleteVpcEndpoints", s.deleteVpcEndpoints),
		wire.Action("DescribePrefixLists", s.describePrefixLists),
		wire.Action("CreateManagedPrefixList", s.createManagedPrefixList),
		wire.Action("DescribeManagedPrefixLists", s.describeManagedPrefixLists),
		wire.Action("GetManagedPrefixListEntries", s.getManagedPrefixListEntries),
		wire.Action("DeleteManagedPrefixList", s.deleteManagedPrefixList),
		wire.Action("DescribeNetworkInterfaces", s.describeNetworkInterfaces),
		wire.Action("CreateSecurityGroup", s.createSecurityGroup),
		wire.Action("DescribeSecurityGroups", s.describeSecurityGroups),
		wire.Action("DeleteSecurityGroup", s.deleteSecurityGroup),
		wire.Action("AuthorizeSecurityGroupIngress", s.authorizeIngress),
		wire.Action("AuthorizeSecurityGroupEgress", s.authorizeEgress),
		wire.Action("RevokeSecurityGroupIngress", s.revokeIngress),
		wire.Action("RevokeSecurityGroupEgress", s.revokeEgress),
		wire.Action("DescribeSecurityGroupRules", s.describeSecurityGroupRules),
		wire.Action("ModifySecurityGroupRules", s.modifySecurityGroupRules),
		wire.Action("CreateTags", s.createTags),
		wire.Action("DeleteTags", s.deleteTags),
	)
}

func fail(code, format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, code, format, args...)
}

func badValue(format string, args ...any) error {
	return fail("InvalidParameterValue", format, args...)
}

// kinds are the resources by the prefix of their ids: type name of tags and ARNs, error when there is none.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
var kinds = map[string]struct{ resource, code, message string }{
	"vpc":    {"vpc", "InvalidVpcID.NotFound", "The vpc ID '%s' does not exist"},
	"subnet": {"subnet", "InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist"},
	"rtb":    {"route-table", "InvalidRouteTableID.NotFound", "The routeTable ID '%s' does not exist"},
	"vpce":   {"vpc-endpoint", "InvalidVpcEndpointId.NotFound", "The Vpc Endpoint Id '%s' does not exist"},
	"sg":     {"security-group", "InvalidGroup.NotFound", "The security group '%s' does not exist"},
	"sgr":    {"security-group-rule", "InvalidSecurityGroupRuleId.NotFound", "The security group rule ID '%s' does not exist"},
	"pl":     {"prefix-list", "InvalidPrefixListID.NotFound", "The prefix list ID '%s' does not exist"},
	"eni":    {"network-interface", "InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '%s' does not exist"},
}

func kindOf(id string) string {
	kind, _, _ := strings.Cut(id, "-")
	return kind
}

// missing is the error for an id that does not exist.
func missing(kind, id string) error {
	if malformed := map[string]string{"sg": "InvalidGroupId.Malformed", "sgr": "InvalidSecurityGroupRuleId.Malformed"}[kind]; malformed != "" && kindOf(id) != kind {
		return fail(malformed, `Invalid id: "%s" (expecting "%s-...")`, id, kind)
	}
	return fail(kinds[kind].code, kinds[kind].message, id)
}

func newID(kind string) string { return kind + "-" + account.NewID(17) }

// resource is anything with an id that can be described and filtered.
type resource interface {
	ident() string
	// properties are the filters that a resource answers to, tags aside; every name it knows is there.
	properties() map[string][]string
}

func (s *Service) exists(id string) bool {
	var found bool
	for _, r := range slices.Concat(all(s.vpcs), all(s.subnets), all(s.tables), all(s.endpoints), all(s.groups), all(s.rules), all(s.managed), all(s.interfaces)) {
		found = found || r.ident() == id
	}
	return found
}

func all[T resource](list []T) []resource {
	out := make([]resource, len(list))
	for i, r := range list {
		out[i] = r
	}
	return out
}

func byID[T resource](list []T, kind, id string) (T, error) {
	for _, r := range list {
		if r.ident() == id {
			return r, nil
		}
	}
	var none T
	return none, missing(kind, id)
}

type filter struct {
	Name  string `wire:",required"`
	Value []string
}

type page struct {
	MaxResults *int
	NextToken  string
}

// list describes resources: those with the ids, all without any, that pass every filter; then one page of them.
// Filters match whole values with * and ?: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html
func list[T resource](s *Service, all []T, kind string, ids []string, filters []filter, p page) (out []T, next string, err error) {
	if len(ids) > 0 {
		var named []T
		for _, id := range ids {
			r, err := byID(all, kind, id)
			if err != nil {
				return nil, "", err
			}
			if !slices.ContainsFunc(named, func(o T) bool { return o.ident() == id }) {
				named = append(named, r)
			}
		}
		all = named
	}
	for _, r := range all {
		pass := true
		for _, f := range filters {
			values, err := s.values(r, f.Name)
			if err != nil {
				return nil, "", err
			}
			pass = pass && slices.ContainsFunc(values, func(v string) bool {
				return slices.ContainsFunc(f.Value, func(want string) bool { return wildcard(want, v) })
			})
		}
		if pass {
			out = append(out, r)
		}
	}
	size, ok := paging.Size(p.MaxResults, 1000, 5, 1000)
	switch {
	case !ok:
		return nil, "", badValue("Value ( %d ) for parameter maxResults is invalid. Expecting a value between 5 and 1000.", size)
	case p.MaxResults != nil && len(ids) > 0:
		return nil, "", fail("InvalidParameterCombination", "The parameter %s-ids cannot be used with the parameter maxResults", kinds[kind].resource)
	}
	if out, next, ok = paging.Cut(out, T.ident, size, p.NextToken); !ok {
		return nil, "", fail("InvalidPaginationToken", "Token is invalid")
	}
	return out, next, nil
}

func (s *Service) values(r resource, name string) ([]string, error) {
	tags := s.tags[r.ident()]
	if key, ok := strings.CutPrefix(name, "tag:"); ok {
		if v, ok := tags[key]; ok {
			return []string{v}, nil
		}
		return nil, nil
	}
	if name == "tag-key" {
		var keys []string
		for k := range tags {
			keys = append(keys, k)
		}
		return keys, nil
	}
	values, ok := r.properties()[name]
	if !ok {
		return nil, badValue("The filter '%s' is invalid", name)
	}
	return values, nil
}

// wildcard matches * and ?; \ takes their meaning away.
func wildcard(pattern, value string) bool {
	ok, err := path.Match(strings.NewReplacer("[", `\[`, "/", "\x00").Replace(pattern), strings.ReplaceAll(value, "/", "\x00"))
	return err == nil && ok
}

func flag(b bool) []string { return []string{strconv.FormatBool(b)} }

// sorted orders what a map gave in no order.
func sorted[T any, K cmp.Ordered](list []T, key func(T) K) []T {
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	return list
}
