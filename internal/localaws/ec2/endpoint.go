package ec2

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

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

// prefixLists are the addresses behind gateway endpoints, under their ids in us-east-1.
// https://docs.aws.amazon.com/vpc/latest/userguide/working-with-aws-managed-prefix-lists.html
var prefixLists = map[string]string{"s3": "pl-63a5400a", "dynamodb": "pl-02cd2c6b"}

// awsAddresses are those of each: for documentation (RFC 5737).
const awsAddresses = "198.51.100.0/24"

type prefixListOut struct {
	PrefixListId, PrefixListName string
	CidrSet                      []string
}

func (l prefixListOut) ident() string { return l.PrefixListId }

func (l prefixListOut) properties() map[string][]string {
	return map[string][]string{"prefix-list-id": {l.PrefixListId}, "prefix-list-name": {l.PrefixListName}}
}

type describePrefixListsIn struct {
	PrefixListId []string
	Filter       []filter
	page
}

type describePrefixListsOut struct {
	PrefixListSet []prefixListOut
	NextToken     string `wire:",omitempty"`
}

// describePrefixLists knows the two lists by name.
func (s *Service) describePrefixLists(_ context.Context, in *describePrefixListsIn) (*describePrefixListsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var every []prefixListOut
	for name, id := range prefixLists {
		every = append(every, prefixListOut{id, "com.amazonaws." + s.acct.Region + "." + name, []string{awsAddresses}})
	}
	found, next, err := list(s, sorted(every, prefixListOut.ident), "pl", in.PrefixListId, in.Filter, in.page)
	return &describePrefixListsOut{append([]prefixListOut{}, found...), next}, err
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
		t, err := byID(s.tables, "rtb", id)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(t.routes, func(r route) bool { return r.DestinationPrefixListId == prefixLists[name] }) {
			return nil, fail("RouteAlreadyExists", "route table %s already has a route with destination-prefix-list-id %s", id, prefixLists[name])
		}
	}
	zones := map[string]bool{}
	for _, id := range e.subnets { // https://github.com/terraform-aws-modules/terraform-aws-vpc/issues/583
		n, err := byID(s.subnets, "subnet", id)
		if err != nil {
			return nil, err
		}
		if zones[n.zone] {
			return nil, fail("DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone of %s. VPC endpoint subnets should be in different availability zones supported by the VPC endpoint service.", id)
		}
		zones[n.zone] = true
	}
	e.privateDNS = e.kind == "Interface" && (in.PrivateDnsEnabled == nil || *in.PrivateDnsEnabled)
	if e.privateDNS && slices.ContainsFunc(s.endpoints, func(o *endpoint) bool { return o.privateDNS && o.vpc == e.vpc && o.service == e.service }) {
		// https://github.com/hashicorp/terraform-provider-aws/issues/17535
		return nil, fail("InvalidParameter", "private-dns-enabled cannot be set because there is already a conflicting DNS domain for %s.%s.amazonaws.com in the VPC %s", name, s.acct.Region, e.vpc)
	}
	if e.kind == "Interface" && len(e.groups) == 0 {
		e.groups = []string{s.defaultGroup(in.VpcId)}
	}
	for _, id := range e.groups {
		if _, err := byID(s.groups, "sg", id); err != nil {
			return nil, err
		}
	}
	for _, id := range e.subnets {
		eni, release := s.attach("VPC Endpoint Interface "+e.id, id, e.groups)
		eni.kind = "vpc_endpoint"
		e.interfaces, e.release = append(e.interfaces, eni.id), append(e.release, release)
	}
	for _, id := range e.tables {
		t, _ := byID(s.tables, "rtb", id)
		t.routes = append(t.routes, route{DestinationPrefixListId: prefixLists[name], GatewayId: e.id, State: "active", Origin: "CreateRoute"})
	}
	s.endpoints = append(s.endpoints, e)
	s.tags[e.id] = tags.Clone()
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
	TagSet                                                                                            []tagset.Tag
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
	NextToken      string `wire:",omitempty"`
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
