package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

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
	TagSet                       []tag
}

type describeRouteTablesIn struct {
	RouteTableId []string
	Filter       []filter
	page
}

type describeRouteTablesOut struct {
	RouteTableSet []routeTableOut
	NextToken     *string
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
	TagSet                     []tag
}

type describeInternetGatewaysIn struct {
	InternetGatewayId []string
	Filter            []filter
	page
}

type describeInternetGatewaysOut struct {
	InternetGatewaySet []internetGatewayOut
	NextToken          *string
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
	TagSet                                                 []tag
}

type describeNatGatewaysIn struct {
	NatGatewayId []string
	Filter       []filter
	page
}

type describeNatGatewaysOut struct {
	NatGatewaySet []natOut
	NextToken     *string
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

type endpoint struct {
	id, vpc, service, kind, policy, owner, region string
	tables, subnets, groups, interfaces           []string
	privateDNS                                    bool
	created                                       time.Time
	release                                       []func()
}

func (e *endpoint) ident() string { return e.id }

func (e *endpoint) properties() map[string][]string {
	return map[string][]string{"vpc-endpoint-id": {e.id}, "vpc-id": {e.vpc}, "service-name": {e.service}, "vpc-endpoint-state": {"available"},
		"vpc-endpoint-type": {e.kind}, "ip-address-type": {"ipv4"}, "service-region": {e.region}}
}

// services are what an endpoint can lead to: https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
var services = map[string][]string{
	"Gateway":   {"s3", "dynamodb"},
	"Interface": strings.Fields("ecr.api ecr.dkr ecs ecs-agent ecs-telemetry elasticache kms lambda logs monitoring s3 scheduler secretsmanager sns sqs ssm sts"),
}

type createEndpointIn struct {
	VpcId                                   string `wire:",required"`
	ServiceName                             string `wire:",required"`
	VpcEndpointType, PolicyDocument         string
	RouteTableId, SubnetId, SecurityGroupId []string
	PrivateDnsEnabled                       *bool
	IpAddressType, ClientToken              string
	TagSpecification                        []tagSpecification
}

type createEndpointOut struct {
	VpcEndpoint endpointOut
	ClientToken string `wire:",omitempty"`
}

// createVpcEndpoint makes an endpoint that is available at once.
func (s *Service) createVpcEndpoint(_ context.Context, in *createEndpointIn) (*createEndpointOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := byID(s.vpcs, "vpc", in.VpcId); err != nil {
		return nil, err
	}
	e := &endpoint{id: newID("vpce"), vpc: in.VpcId, service: in.ServiceName, kind: in.VpcEndpointType, policy: in.PolicyDocument, owner: s.acct.ID,
		region: s.acct.Region, tables: in.RouteTableId, subnets: in.SubnetId, groups: in.SecurityGroupId, created: s.acct.Clock.Now()}
	if e.kind == "" {
		e.kind = "Gateway"
	}
	if e.policy == "" {
		e.policy = `{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}`
	}
	name, ok := strings.CutPrefix(in.ServiceName, "com.amazonaws."+s.acct.Region+".")
	if !ok || !slices.Contains(services[e.kind], name) {
		return nil, fail("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", in.ServiceName)
	}
	if in.IpAddressType != "" && in.IpAddressType != "ipv4" {
		return nil, badValue("localaws has IPv4 only, not %s", in.IpAddressType)
	}
	tags, err := specified(in.TagSpecification, "vpce")
	if err != nil {
		return nil, err
	}
	if e.kind == "Gateway" && len(e.subnets)+len(e.groups) > 0 || e.kind == "Interface" && len(e.tables) > 0 {
		return nil, fail("InvalidParameter", "Route tables belong to Gateway endpoints, subnets and security groups to Interface endpoints")
	}
	for _, id := range e.tables {
		if _, err := byID(s.tables, "rtb", id); err != nil {
			return nil, err
		}
	}
	for _, id := range e.subnets {
		if _, err := byID(s.subnets, "subnet", id); err != nil {
			return nil, err
		}
	}
	if e.kind == "Interface" && len(e.groups) == 0 {
		e.groups = []string{s.defaultGroup(in.VpcId)}
	}
	for _, id := range e.groups {
		if _, err := byID(s.groups, "sg", id); err != nil {
			return nil, err
		}
	}
	e.privateDNS = e.kind == "Interface" && (in.PrivateDnsEnabled == nil || *in.PrivateDnsEnabled)
	for _, id := range e.subnets {
		eni, release := s.attach("VPC Endpoint Interface "+e.id, id, e.groups)
		eni.kind = "vpc_endpoint"
		e.interfaces, e.release = append(e.interfaces, eni.id), append(e.release, release)
	}
	for _, id := range e.tables {
		t, _ := byID(s.tables, "rtb", id)
		t.routes = append(t.routes, route{DestinationPrefixListId: "pl-" + name, GatewayId: e.id, State: "active", Origin: "CreateRoute"})
	}
	s.endpoints = append(s.endpoints, e)
	s.tag(e.id, tags)
	return &createEndpointOut{s.endpointOut(e), in.ClientToken}, nil
}

func (s *Service) defaultGroup(vpc string) string {
	for _, g := range s.groups {
		if g.vpc == vpc && g.name == "default" {
			return g.id
		}
	}
	return ""
}

type groupIdentifier struct{ GroupId, GroupName string }

type endpointOut struct {
	VpcEndpointId, VpcEndpointType, VpcId, ServiceName, State, PolicyDocument, OwnerId, IpAddressType string
	RouteTableIdSet, SubnetIdSet, NetworkInterfaceIdSet                                               []string
	GroupSet                                                                                          []groupIdentifier
	PrivateDnsEnabled, RequesterManaged                                                               bool
	CreationTimestamp                                                                                 *wire.Time
	TagSet                                                                                            []tag
}

func (s *Service) endpointOut(e *endpoint) endpointOut {
	return endpointOut{e.id, e.kind, e.vpc, e.service, "available", e.policy, e.owner, "ipv4", append([]string{}, e.tables...), append([]string{}, e.subnets...),
		append([]string{}, e.interfaces...), s.identifiers(e.groups), e.privateDNS, false, wire.At(e.created), s.tagSet(e.id)}
}

func (s *Service) identifiers(ids []string) []groupIdentifier {
	out := []groupIdentifier{}
	for _, id := range ids {
		if g, err := byID(s.groups, "sg", id); err == nil {
			out = append(out, groupIdentifier{g.id, g.name})
		}
	}
	return out
}

type describeEndpointsIn struct {
	VpcEndpointId []string
	Filter        []filter
	page
}

type describeEndpointsOut struct {
	VpcEndpointSet []endpointOut
	NextToken      *string
}

func (s *Service) describeVpcEndpoints(_ context.Context, in *describeEndpointsIn) (*describeEndpointsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, next, err := list(s, s.endpoints, "vpce", in.VpcEndpointId, in.Filter, in.page)
	out := &describeEndpointsOut{[]endpointOut{}, next}
	for _, e := range found {
		out.VpcEndpointSet = append(out.VpcEndpointSet, s.endpointOut(e))
	}
	return out, err
}

type apiError struct{ Code, Message string }

type unsuccessful struct {
	ResourceId string
	Error      apiError
}

type deleteEndpointsIn struct {
	VpcEndpointId []string `wire:",required"`
}

func (s *Service) deleteVpcEndpoints(_ context.Context, in *deleteEndpointsIn) (*struct{ Unsuccessful []unsuccessful }, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &struct{ Unsuccessful []unsuccessful }{[]unsuccessful{}}
	for _, id := range in.VpcEndpointId {
		e, err := byID(s.endpoints, "vpce", id)
		if err != nil {
			out.Unsuccessful = append(out.Unsuccessful, unsuccessful{id, apiError{kinds["vpce"].code, "The Vpc Endpoint Id '" + id + "' does not exist"}})
			continue
		}
		for _, release := range e.release {
			release()
		}
		for _, t := range s.tables {
			t.routes = slices.DeleteFunc(t.routes, func(r route) bool { return r.GatewayId == id })
		}
		s.endpoints = slices.DeleteFunc(s.endpoints, func(o *endpoint) bool { return o.id == id })
		delete(s.tags, id)
	}
	return out, nil
}
