package elasticache

import (
	"context"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type subnetGroup struct {
	name, description, vpc string
	subnets                []string
	tags                   tagset.Set
}

type zone struct{ Name string }

type subnetShape struct {
	SubnetIdentifier       string
	SubnetAvailabilityZone zone
	SupportedNetworkTypes  []string
}

type subnetGroupShape struct {
	CacheSubnetGroupName, CacheSubnetGroupDescription, VpcId, ARN string
	Subnets                                                       []subnetShape `wire:"Subnets>Subnet"`
	SupportedNetworkTypes                                         []string
}

type subnetGroupOut struct{ CacheSubnetGroup subnetGroupShape }

func (s *Service) shapeSubnets(g *subnetGroup) subnetGroupShape {
	out := subnetGroupShape{g.name, g.description, g.vpc, s.acct.ARN("elasticache", "subnetgroup:"+g.name), []subnetShape{}, []string{"ipv4"}}
	for _, id := range g.subnets {
		sub, _ := s.network.Subnet(id)
		out.Subnets = append(out.Subnets, subnetShape{id, zone{sub.AZ}, []string{"ipv4"}})
	}
	return out
}

// checkSubnets gives the VPC that all subnets are in.
func (s *Service) checkSubnets(ids []string) (vpc string, err error) {
	if len(ids) == 0 {
		return "", invalidValue("The parameter SubnetIds must have at least one subnet.")
	}
	if len(ids) > 20 {
		return "", wire.Errorf(400, "CacheSubnetQuotaExceededFault", "A cache subnet group has at most 20 subnets, not %d.", len(ids))
	}
	for _, id := range ids {
		sub, ok := s.network.Subnet(id)
		if !ok {
			return "", wire.Errorf(400, "InvalidSubnet", "The subnet ID '%s' does not exist.", id)
		}
		if vpc != "" && vpc != sub.VPC {
			return "", wire.Errorf(400, "InvalidSubnet", "All subnets must be in one VPC: %s is in %s, the ones before it in %s.", id, sub.VPC, vpc)
		}
		vpc = sub.VPC
	}
	return vpc, nil
}

type createSubnetGroupIn struct {
	CacheSubnetGroupName        string   `wire:",required"`
	CacheSubnetGroupDescription string   `wire:",required"`
	SubnetIds                   []string `wire:",required"`
	Tags                        []tagset.Tag
}

// createSubnetGroup: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateCacheSubnetGroup.html
func (s *Service) createSubnetGroup(_ context.Context, in *createSubnetGroupIn) (*subnetGroupOut, error) {
	name, err := checkID("CacheSubnetGroupName", in.CacheSubnetGroupName, 255)
	if err != nil {
		return nil, err
	}
	if name == "default" {
		return nil, invalidValue("The cache subnet group name default is reserved.")
	}
	vpc, err := s.checkSubnets(in.SubnetIds)
	if err != nil {
		return nil, err
	}
	t, err := tagset.Add(tagRules, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subnets[name] != nil {
		return nil, wire.Errorf(400, "CacheSubnetGroupAlreadyExists", "Cache subnet group %s already exists.", name)
	}
	g := &subnetGroup{name, in.CacheSubnetGroupDescription, vpc, in.SubnetIds, t}
	s.subnets[name] = g
	return &subnetGroupOut{s.shapeSubnets(g)}, nil
}

func (s *Service) findSubnets(name string) (*subnetGroup, error) {
	if g := s.subnets[strings.ToLower(name)]; g != nil {
		return g, nil
	}
	return nil, wire.Errorf(400, "CacheSubnetGroupNotFoundFault", "Cache Subnet Group %s does not exist.", name)
}

type modifySubnetGroupIn struct {
	CacheSubnetGroupName        string `wire:",required"`
	CacheSubnetGroupDescription *string
	SubnetIds                   []string
}

func (s *Service) modifySubnetGroup(_ context.Context, in *modifySubnetGroupIn) (*subnetGroupOut, error) {
	vpc := ""
	if in.SubnetIds != nil {
		var err error
		if vpc, err = s.checkSubnets(in.SubnetIds); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.findSubnets(in.CacheSubnetGroupName)
	if err != nil {
		return nil, err
	}
	if in.SubnetIds != nil {
		if vpc != g.vpc {
			return nil, wire.Errorf(400, "InvalidSubnet", "The subnets are in %s, the cache subnet group %s is in %s.", vpc, g.name, g.vpc)
		}
		for _, rg := range s.groups {
			for _, n := range rg.nodes() {
				if rg.subnetGroup == g.name && !slices.Contains(in.SubnetIds, n.subnet) {
					return nil, wire.Errorf(400, "SubnetInUse", "The subnet %s is in use by the cache cluster %s.", n.subnet, n.id)
				}
			}
		}
		g.subnets = in.SubnetIds
	}
	if in.CacheSubnetGroupDescription != nil {
		g.description = *in.CacheSubnetGroupDescription
	}
	return &subnetGroupOut{s.shapeSubnets(g)}, nil
}

type describeSubnetGroupsIn struct {
	page
	CacheSubnetGroupName *string
}

type describeSubnetGroupsOut struct {
	CacheSubnetGroups []subnetGroupShape `wire:"CacheSubnetGroups>CacheSubnetGroup"`
	Marker            string             `wire:",omitempty"`
}

func (s *Service) describeSubnetGroups(_ context.Context, in *describeSubnetGroupsIn) (*describeSubnetGroupsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups, marker, err := listed(in.page, s.subnets, in.CacheSubnetGroupName, s.findSubnets, s.shapeSubnets)
	return &describeSubnetGroupsOut{groups, marker}, err
}

type none struct{}

func (s *Service) deleteSubnetGroup(_ context.Context, in *struct {
	CacheSubnetGroupName string `wire:",required"`
}) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.findSubnets(in.CacheSubnetGroupName)
	if err != nil {
		return nil, err
	}
	for _, rg := range s.groups {
		if rg.subnetGroup == g.name {
			return nil, wire.Errorf(400, "CacheSubnetGroupInUse", "Cache subnet group %s is currently in use by a cache cluster.", g.name)
		}
	}
	delete(s.subnets, g.name)
	return &none{}, nil
}
