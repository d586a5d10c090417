package ec2

import (
	"context"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
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
