package ec2

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type routeTable struct {
	id, vpc, owner string
	routes         []route
	associations   []association
}

type route struct {
	DestinationCidrBlock    string `wire:",omitempty"`
	DestinationPrefixListId string `wire:",omitempty"`
	GatewayId               string `wire:",omitempty"`
	NatGatewayId            string `wire:",omitempty"`
	State, Origin           string
}

var associated = state{"associated"}

type association struct {
	Main                                  bool
	RouteTableAssociationId, RouteTableId string
	SubnetId                              string `wire:",omitempty"`
	AssociationState                      state
}

func (t *routeTable) ident() string { return t.id }

func (t *routeTable) properties() map[string][]string {
	p := map[string][]string{"route-table-id": {t.id}, "vpc-id": {t.vpc}, "owner-id": {t.owner}}
	for _, name := range []string{"association.main", "association.subnet-id", "association.route-table-id", "association.route-table-association-id", "association.gateway-id",
		"route.destination-cidr-block", "route.destination-ipv6-cidr-block", "route.destination-prefix-list-id", "route.gateway-id", "route.nat-gateway-id",
		"route.transit-gateway-id", "route.vpc-peering-connection-id", "route.origin", "route.state"} {
		p[name] = nil
	}
	add := func(name, value string) {
		if value != "" {
			p[name] = append(p[name], value)
		}
	}
	for _, a := range t.associations {
		p["association.main"] = append(p["association.main"], flag(a.Main)...)
		add("association.subnet-id", a.SubnetId)
		add("association.route-table-id", a.RouteTableId)
		add("association.route-table-association-id", a.RouteTableAssociationId)
	}
	for _, r := range t.routes {
		add("route.destination-cidr-block", r.DestinationCidrBlock)
		add("route.destination-prefix-list-id", r.DestinationPrefixListId)
		add("route.gateway-id", r.GatewayId)
		add("route.nat-gateway-id", r.NatGatewayId)
		add("route.origin", r.Origin)
		add("route.state", r.State)
	}
	return p
}

type routeTableOut struct {
	RouteTableId, VpcId, OwnerId string
	RouteSet                     []route
	AssociationSet               []association
	PropagatingVgwSet            []struct{}
	TagSet                       []tagset.Tag
}

type describeRouteTablesIn struct {
	RouteTableId []string
	Filter       []filter
	page
}

type describeRouteTablesOut struct {
	RouteTableSet []routeTableOut
	NextToken     string `wire:",omitempty"`
}

func (s *Service) describeRouteTables(_ context.Context, in *describeRouteTablesIn) (*describeRouteTablesOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, next, err := list(s, s.tables, "rtb", in.RouteTableId, in.Filter, in.page)
	out := &describeRouteTablesOut{[]routeTableOut{}, next}
	for _, t := range found {
		out.RouteTableSet = append(out.RouteTableSet, routeTableOut{t.id, t.vpc, t.owner, append([]route{}, t.routes...), append([]association{}, t.associations...), []struct{}{}, s.tagSet(t.id)})
	}
	return out, err
}

type createRouteIn struct {
	RouteTableId            string `wire:",required"`
	DestinationCidrBlock    string `wire:",required"`
	GatewayId, NatGatewayId string
}

func (s *Service) createRoute(_ context.Context, in *createRouteIn) (*done, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := byID(s.tables, "rtb", in.RouteTableId)
	if err != nil {
		return nil, err
	}
	to, err := netip.ParsePrefix(in.DestinationCidrBlock)
	if err != nil || !to.Addr().Is4() {
		return nil, badValue("Value (%s) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.", in.DestinationCidrBlock)
	}
	switch {
	case (in.GatewayId == "") == (in.NatGatewayId == ""):
		return nil, fail("InvalidParameterCombination", "The request must contain exactly one of gatewayId, natGatewayId: localaws routes to no other target")
	case in.GatewayId != "":
		_, err = byID(s.gateways, "igw", in.GatewayId)
	default:
		_, err = byID(s.nats, "nat", in.NatGatewayId)
	}
	if err != nil {
		return nil, err
	}
	cidr := to.Masked().String()
	if slices.ContainsFunc(t.routes, func(r route) bool { return r.DestinationCidrBlock == cidr }) {
		return nil, fail("RouteAlreadyExists", "The route identified by %s already exists.", cidr)
	}
	t.routes = append(t.routes, route{DestinationCidrBlock: cidr, GatewayId: in.GatewayId, NatGatewayId: in.NatGatewayId, State: "active", Origin: "CreateRoute"})
	return &done{true}, nil
}

type deleteRouteIn struct {
	RouteTableId         string `wire:",required"`
	DestinationCidrBlock string `wire:",required"`
}

func (s *Service) deleteRoute(_ context.Context, in *deleteRouteIn) (*done, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := byID(s.tables, "rtb", in.RouteTableId)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(t.routes, func(r route) bool { return r.DestinationCidrBlock == in.DestinationCidrBlock })
	if i < 0 {
		return nil, fail("InvalidRoute.NotFound", "no route with destination-cidr-block %s in route table %s", in.DestinationCidrBlock, t.id)
	}
	if t.routes[i].GatewayId == "local" {
		return nil, badValue("cannot remove local route %s in route table %s", in.DestinationCidrBlock, t.id)
	}
	t.routes = slices.Delete(t.routes, i, i+1)
	return &done{true}, nil
}

type internetGateway struct{ id, vpc, owner string }

func (g *internetGateway) ident() string { return g.id }

func (g *internetGateway) properties() map[string][]string {
	return map[string][]string{"internet-gateway-id": {g.id}, "attachment.vpc-id": {g.vpc}, "attachment.state": {"available"}, "owner-id": {g.owner}}
}

type gatewayAttachment struct{ State, VpcId string }

type internetGatewayOut struct {
	InternetGatewayId, OwnerId string
	AttachmentSet              []gatewayAttachment
	TagSet                     []tagset.Tag
}

type describeInternetGatewaysIn struct {
	InternetGatewayId []string
	Filter            []filter
	page
}

type describeInternetGatewaysOut struct {
	InternetGatewaySet []internetGatewayOut
	NextToken          string `wire:",omitempty"`
}

func (s *Service) describeInternetGateways(_ context.Context, in *describeInternetGatewaysIn) (*describeInternetGatewaysOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, next, err := list(s, s.gateways, "igw", in.InternetGatewayId, in.Filter, in.page)
	out := &describeInternetGatewaysOut{[]internetGatewayOut{}, next}
	for _, g := range found {
		// "available", not the model's "attached": https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInternetGateways.html
		out.InternetGatewaySet = append(out.InternetGatewaySet, internetGatewayOut{g.id, g.owner, []gatewayAttachment{{"available", g.vpc}}, s.tagSet(g.id)})
	}
	return out, err
}

type natGateway struct {
	id, vpc, subnet, eni, address, allocation string
	created                                   time.Time
}

func (n *natGateway) ident() string { return n.id }

func (n *natGateway) properties() map[string][]string {
	return map[string][]string{"nat-gateway-id": {n.id}, "vpc-id": {n.vpc}, "subnet-id": {n.subnet}, "state": {"available"}}
}

type natAddress struct{ AllocationId, NetworkInterfaceId, PrivateIp, PublicIp string }

type natOut struct {
	NatGatewayId, VpcId, SubnetId, State, ConnectivityType string
	CreateTime                                             *wire.Time
	NatGatewayAddressSet                                   []natAddress
	TagSet                                                 []tagset.Tag
}

type describeNatGatewaysIn struct {
	NatGatewayId []string
	Filter       []filter
	page
}

type describeNatGatewaysOut struct {
	NatGatewaySet []natOut
	NextToken     string `wire:",omitempty"`
}

func (s *Service) describeNatGateways(_ context.Context, in *describeNatGatewaysIn) (*describeNatGatewaysOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, next, err := list(s, s.nats, "nat", in.NatGatewayId, in.Filter, in.page)
	out := &describeNatGatewaysOut{[]natOut{}, next}
	for _, n := range found {
		// 203.0.113.0/24 is for documentation (RFC 5737): the address leads nowhere.
		out.NatGatewaySet = append(out.NatGatewaySet, natOut{n.id, n.vpc, n.subnet, "available", "public", wire.At(n.created),
			[]natAddress{{n.allocation, n.eni, n.address, "203.0.113.1"}}, s.tagSet(n.id)})
	}
	return out, err
}
