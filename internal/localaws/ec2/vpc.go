package ec2

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
)

type vpc struct{ id, cidr, association, dhcp, owner string }

func (v *vpc) ident() string { return v.id }

func (v *vpc) properties() map[string][]string {
	return map[string][]string{"vpc-id": {v.id}, "cidr": {v.cidr}, "cidrBlock": {v.cidr}, "cidr-block-association.cidr-block": {v.cidr},
		"cidr-block-association.association-id": {v.association}, "cidr-block-association.state": {"associated"}, "dhcp-options-id": {v.dhcp},
		"is-default": {"false"}, "isDefault": {"false"}, "owner-id": {v.owner}, "state": {"available"}}
}

type subnet struct {
	id, vpc, cidr, zone, zoneID, owner string
	public                             bool
}

func (n *subnet) ident() string { return n.id }

func (n *subnet) properties() map[string][]string {
	return map[string][]string{"subnet-id": {n.id}, "vpc-id": {n.vpc}, "cidr-block": {n.cidr}, "cidr": {n.cidr}, "cidrBlock": {n.cidr}, "availability-zone": {n.zone},
		"availabilityZone": {n.zone}, "availability-zone-id": {n.zoneID}, "availabilityZoneId": {n.zoneID}, "default-for-az": {"false"}, "defaultForAz": {"false"},
		"ipv6-native": {"false"}, "map-public-ip-on-launch": flag(n.public), "owner-id": {n.owner}, "state": {"available"}}
}

// Subnet is a subnet as other services see it.
type Subnet struct{ ID, VPC, AZ, CIDR string }

// Subnet finds a subnet by its id.
func (s *Service) Subnet(id string) (Subnet, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := byID(s.subnets, "subnet", id)
	if err != nil {
		return Subnet{}, false
	}
	return Subnet{n.id, n.vpc, n.zone, n.cidr}, true
}

// Seed makes a VPC as most accounts have one: two private subnets in two Availability Zones (returned) whose routes
// lead to a NAT gateway in a public subnet. Their Name tags are localaws, localaws-private-a, -b and -public-a.
func (s *Service) Seed() (vpcID string, subnetIDs []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &vpc{newID("vpc"), "10.0.0.0/16", "vpc-cidr-assoc-" + account.NewID(17), "dopt-" + account.NewID(17), s.acct.ID}
	s.vpcs = append(s.vpcs, v)
	name := func(id, name string) { s.tags[id] = tagset.Set{"Name": name} }
	name(v.id, "localaws")
	add := func(label, cidr, zone string, public bool) *subnet {
		n := &subnet{newID("subnet"), v.id, cidr, s.acct.Region + zone, s.zoneID(zone), s.acct.ID, public}
		s.subnets = append(s.subnets, n)
		name(n.id, "localaws-"+label)
		return n
	}
	public := add("public-a", "10.0.0.0/24", "a", true)
	a, b := add("private-a", "10.0.1.0/24", "a", false), add("private-b", "10.0.2.0/24", "b", false)

	// The gateways show in the routes only.
	igw, nat := newID("igw"), newID("nat")
	eni, _ := s.attach("Interface for NAT Gateway "+nat, public.id, nil)
	eni.kind = "nat_gateway"

	table := func(main bool, way route, subnets ...*subnet) {
		t := &routeTable{id: newID("rtb"), vpc: v.id, owner: s.acct.ID, routes: []route{{DestinationCidrBlock: v.cidr, GatewayId: "local", State: "active", Origin: "CreateRouteTable"}}}
		if way.DestinationCidrBlock != "" {
			t.routes = append(t.routes, way)
		}
		if main {
			t.associations = []association{{Main: true, RouteTableAssociationId: newID("rtbassoc"), RouteTableId: t.id, AssociationState: associated}}
		}
		for _, n := range subnets {
			t.associations = append(t.associations, association{RouteTableAssociationId: newID("rtbassoc"), RouteTableId: t.id, SubnetId: n.id, AssociationState: associated})
		}
		s.tables = append(s.tables, t)
	}
	table(true, route{})
	table(false, route{DestinationCidrBlock: "0.0.0.0/0", GatewayId: igw, State: "active", Origin: "CreateRoute"}, public)
	table(false, route{DestinationCidrBlock: "0.0.0.0/0", NatGatewayId: nat, State: "active", Origin: "CreateRoute"}, a, b)

	// https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
	g := &group{newID("sg"), v.id, "default", "default VPC security group", s.acct.ID}
	s.groups = append(s.groups, g)
	s.rules = append(s.rules, &rule{id: newID("sgr"), group: g.id, protocol: "-1", from: -1, to: -1, peer: g.id, owner: s.acct.ID},
		&rule{id: newID("sgr"), group: g.id, egress: true, protocol: "-1", from: -1, to: -1, cidr4: "0.0.0.0/0", owner: s.acct.ID})
	return v.id, []string{a.id, b.id}
}

// zoneID is an Availability Zone's id: use1-az1 is the first one of us-east-1.
// https://docs.aws.amazon.com/global-infrastructure/latest/regions/az-ids.html
func (s *Service) zoneID(letter string) string {
	parts := strings.Split(s.acct.Region, "-")
	short := parts[0]
	for _, p := range parts[1 : len(parts)-1] {
		if len(p) > 5 && p != "central" { // northeast -> ne
			short += p[:1] + p[5:6]
		} else {
			short += p[:1]
		}
	}
	return fmt.Sprintf("%s%s-az%d", short, parts[len(parts)-1], letter[0]-'a'+1)
}

type state struct{ State string }

type cidrAssociation struct {
	AssociationId, CidrBlock string
	CidrBlockState           state
}

type vpcOut struct {
	VpcId, OwnerId, State, CidrBlock, DhcpOptionsId, InstanceTenancy string
	CidrBlockAssociationSet                                          []cidrAssociation
	IsDefault                                                        bool
	TagSet                                                           []tagset.Tag
}

type describeVpcsIn struct {
	VpcId  []string
	Filter []filter
	page
}

type describeVpcsOut struct {
	VpcSet    []vpcOut
	NextToken string `wire:",omitempty"`
}

func (s *Service) describeVpcs(_ context.Context, in *describeVpcsIn) (*describeVpcsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, next, err := list(s, s.vpcs, "vpc", in.VpcId, in.Filter, in.page)
	out := &describeVpcsOut{[]vpcOut{}, next}
	for _, v := range found {
		out.VpcSet = append(out.VpcSet, vpcOut{v.id, v.owner, "available", v.cidr, v.dhcp, "default",
			[]cidrAssociation{{v.association, v.cidr, state{"associated"}}}, false, s.tagSet(v.id)})
	}
	return out, err
}

type attributeIn struct {
	Attribute string `wire:",required"`
	VpcId     string `wire:",required"`
}

type boolValue struct{ Value bool }

type attributeOut struct {
	VpcId                                                                  string
	EnableDnsHostnames, EnableDnsSupport, EnableNetworkAddressUsageMetrics *boolValue
}

// describeVpcAttribute: ElastiCache endpoints and private DNS of endpoints need both DNS attributes.
func (s *Service) describeVpcAttribute(_ context.Context, in *attributeIn) (*attributeOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := byID(s.vpcs, "vpc", in.VpcId)
	if err != nil {
		return nil, err
	}
	out := &attributeOut{VpcId: v.id}
	switch in.Attribute {
	case "enableDnsHostnames":
		out.EnableDnsHostnames = &boolValue{true}
	case "enableDnsSupport":
		out.EnableDnsSupport = &boolValue{true}
	case "enableNetworkAddressUsageMetrics":
		out.EnableNetworkAddressUsageMetrics = &boolValue{false}
	default:
		return nil, badValue("Value (%s) for parameter attribute is invalid. Unknown attribute.", in.Attribute)
	}
	return out, nil
}

type dnsOptions struct {
	HostnameType                                                  string
	EnableResourceNameDnsARecord, EnableResourceNameDnsAAAARecord bool
}

type subnetOut struct {
	SubnetId, SubnetArn, OwnerId, State, VpcId, CidrBlock, AvailabilityZone, AvailabilityZoneId                         string
	AvailableIpAddressCount                                                                                             int
	DefaultForAz, MapPublicIpOnLaunch, AssignIpv6AddressOnCreation, EnableDns64, Ipv6Native, MapCustomerOwnedIpOnLaunch bool
	Ipv6CidrBlockAssociationSet                                                                                         []struct{}
	PrivateDnsNameOptionsOnLaunch                                                                                       dnsOptions
	TagSet                                                                                                              []tagset.Tag
}

type describeSubnetsIn struct {
	SubnetId []string
	Filter   []filter
	page
}

type describeSubnetsOut struct {
	SubnetSet []subnetOut
	NextToken string `wire:",omitempty"`
}

func (s *Service) describeSubnets(_ context.Context, in *describeSubnetsIn) (*describeSubnetsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, next, err := list(s, s.subnets, "subnet", in.SubnetId, in.Filter, in.page)
	out := &describeSubnetsOut{[]subnetOut{}, next}
	for _, n := range found {
		o := subnetOut{SubnetId: n.id, SubnetArn: s.acct.ARN("ec2", "subnet/"+n.id), OwnerId: n.owner, State: "available", VpcId: n.vpc, CidrBlock: n.cidr,
			AvailabilityZone: n.zone, AvailabilityZoneId: n.zoneID, MapPublicIpOnLaunch: n.public, Ipv6CidrBlockAssociationSet: []struct{}{},
			PrivateDnsNameOptionsOnLaunch: dnsOptions{HostnameType: "ip-name"}, TagSet: s.tagSet(n.id)}
		// AWS keeps the first four addresses and the last: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
		o.AvailableIpAddressCount = 1<<(32-netip.MustParsePrefix(n.cidr).Bits()) - 5
		for _, i := range s.interfaces {
			if i.subnet == n.id {
				o.AvailableIpAddressCount--
			}
		}
		out.SubnetSet = append(out.SubnetSet, o)
	}
	return out, err
}
