package ec2_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ec2"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

type fixture struct {
	*testing.T
	s       *ec2.Service
	c       *sdk.Client
	vpc     string
	subnets []string
}

func start(t *testing.T) fixture {
	s := ec2.New(wiretest.Account(t))
	r := wire.NewRegistry()
	s.Register(r)
	vpc, subnets := s.Seed()
	return fixture{t, s, sdk.NewFromConfig(wiretest.Config(t, r)), vpc, subnets}
}

func (w fixture) fails(code string, err error) {
	w.Helper()
	var api smithy.APIError
	require.True(w, errors.As(err, &api), "%v", err)
	require.Equal(w, code, api.ErrorCode(), api.ErrorMessage())
}

func filter(name string, values ...string) []types.Filter {
	return []types.Filter{{Name: &name, Values: values}}
}

func (w fixture) group(name string) string {
	w.Helper()
	out, err := w.c.CreateSecurityGroup(w.Context(), &sdk.CreateSecurityGroupInput{GroupName: &name, Description: aws.String("d"), VpcId: &w.vpc,
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroup, Tags: []types.Tag{{Key: aws.String("Name"), Value: &name}}}}})
	require.NoError(w, err)
	return *out.GroupId
}

func (w fixture) describe(id string) types.SecurityGroup {
	w.Helper()
	out, err := w.c.DescribeSecurityGroups(w.Context(), &sdk.DescribeSecurityGroupsInput{GroupIds: []string{id}})
	require.NoError(w, err)
	return out.SecurityGroups[0]
}

func tcp(port int32, p types.IpPermission) []types.IpPermission {
	p.IpProtocol, p.FromPort, p.ToPort = aws.String("tcp"), &port, &port
	return []types.IpPermission{p}
}

func from(group string) types.IpPermission {
	return types.IpPermission{UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &group, Description: aws.String("load")}}}
}

func cidr(block string) types.IpPermission {
	return types.IpPermission{IpRanges: []types.IpRange{{CidrIp: &block}}}
}

func (w fixture) ingress(group string, p []types.IpPermission) *sdk.AuthorizeSecurityGroupIngressOutput {
	w.Helper()
	out, err := w.c.AuthorizeSecurityGroupIngress(w.Context(), &sdk.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: p})
	require.NoError(w, err)
	return out
}

var everything = []types.IpPermission{{IpProtocol: aws.String("-1"), IpRanges: []types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}}

func TestVPC(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	vpcs, err := w.c.DescribeVpcs(ctx, &sdk.DescribeVpcsInput{VpcIds: []string{w.vpc}})
	require.NoError(t, err)
	require.Equal(t, "10.0.0.0/16", *vpcs.Vpcs[0].CidrBlock)
	require.Equal(t, "123456789012", *vpcs.Vpcs[0].OwnerId)
	dns, err := w.c.DescribeVpcAttribute(ctx, &sdk.DescribeVpcAttributeInput{VpcId: &w.vpc, Attribute: types.VpcAttributeNameEnableDnsSupport})
	require.NoError(t, err)
	require.True(t, *dns.EnableDnsSupport.Value)

	subnets, err := w.c.DescribeSubnets(ctx, &sdk.DescribeSubnetsInput{Filters: append(filter("vpc-id", w.vpc), filter("tag:Name", "*-private-*")...)})
	require.NoError(t, err)
	require.Len(t, subnets.Subnets, 2)
	require.Equal(t, w.subnets[1], *subnets.Subnets[1].SubnetId)
	require.Equal(t, "us-east-1b", *subnets.Subnets[1].AvailabilityZone)
	require.Equal(t, "use1-az2", *subnets.Subnets[1].AvailabilityZoneId)
	require.Equal(t, int32(251), *subnets.Subnets[1].AvailableIpAddressCount)

	// the outbound access of a private subnet
	tables, err := w.c.DescribeRouteTables(ctx, &sdk.DescribeRouteTablesInput{Filters: filter("association.subnet-id", w.subnets[0])})
	require.NoError(t, err)
	require.Len(t, tables.RouteTables, 1)
	require.NotEmpty(t, *tables.RouteTables[0].Routes[1].NatGatewayId)
	mains, err := w.c.DescribeRouteTables(ctx, &sdk.DescribeRouteTablesInput{Filters: append(filter("association.main", "true"), filter("vpc-id", w.vpc)...)})
	require.NoError(t, err)
	require.Len(t, mains.RouteTables, 1)

	for code, err := range map[string]error{
		"InvalidVpcID.NotFound":    second(w.c.DescribeVpcs(ctx, &sdk.DescribeVpcsInput{VpcIds: []string{"vpc-0"}})),
		"InvalidSubnetID.NotFound": second(w.c.DescribeSubnets(ctx, &sdk.DescribeSubnetsInput{SubnetIds: []string{"subnet-0"}})),
		"InvalidParameterValue":    second(w.c.DescribeSubnets(ctx, &sdk.DescribeSubnetsInput{Filters: filter("colour", "red")})),
	} {
		w.fails(code, err)
	}
	n, ok := w.s.Subnet(w.subnets[0])
	require.True(t, ok)
	require.Equal(t, ec2.Subnet{ID: w.subnets[0], VPC: w.vpc, AZ: "us-east-1a", CIDR: "10.0.1.0/24"}, n)
}

func second[T any](_ T, err error) error { return err }

func TestEndpoints(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	tables, err := w.c.DescribeRouteTables(ctx, &sdk.DescribeRouteTablesInput{Filters: filter("association.subnet-id", w.subnets...)})
	require.NoError(t, err)
	require.Len(t, tables.RouteTables, 1)
	table := tables.RouteTables[0].RouteTableId
	s3, err := w.c.CreateVpcEndpoint(ctx, &sdk.CreateVpcEndpointInput{VpcId: &w.vpc, ServiceName: aws.String("com.amazonaws.us-east-1.s3"), RouteTableIds: []string{*table}})
	require.NoError(t, err)
	lists, err := w.c.DescribePrefixLists(ctx, &sdk.DescribePrefixListsInput{Filters: filter("prefix-list-name", "com.amazonaws.us-east-1.s3")})
	require.NoError(t, err)
	require.Len(t, lists.PrefixLists, 1)
	group := w.group("endpoints")
	ecr, err := w.c.CreateVpcEndpoint(ctx, &sdk.CreateVpcEndpointInput{VpcId: &w.vpc, ServiceName: aws.String("com.amazonaws.us-east-1.ecr.api"),
		VpcEndpointType: types.VpcEndpointTypeInterface, SubnetIds: w.subnets, SecurityGroupIds: []string{group}, PrivateDnsEnabled: aws.Bool(true)})
	require.NoError(t, err)
	require.Len(t, ecr.VpcEndpoint.NetworkInterfaceIds, 2)
	for want, in := range map[string]sdk.CreateVpcEndpointInput{
		"RouteAlreadyExists":         {ServiceName: aws.String("com.amazonaws.us-east-1.s3"), RouteTableIds: []string{*table}},
		"InvalidParameter":           {ServiceName: aws.String("com.amazonaws.us-east-1.ecr.api"), VpcEndpointType: types.VpcEndpointTypeInterface, SubnetIds: w.subnets},
		"DuplicateSubnetsInSameZone": {ServiceName: aws.String("com.amazonaws.us-east-1.sts"), VpcEndpointType: types.VpcEndpointTypeInterface, SubnetIds: []string{w.subnets[0], w.subnets[0]}},
	} {
		in.VpcId = &w.vpc
		_, err := w.c.CreateVpcEndpoint(ctx, &in)
		w.fails(want, err)
	}
	found, err := w.c.DescribeVpcEndpoints(ctx, &sdk.DescribeVpcEndpointsInput{Filters: filter("vpc-id", w.vpc)})
	require.NoError(t, err)
	require.Len(t, found.VpcEndpoints, 2)
	_, err = w.c.DeleteSecurityGroup(ctx, &sdk.DeleteSecurityGroupInput{GroupId: &group})
	w.fails("DependencyViolation", err)
	gone, err := w.c.DeleteVpcEndpoints(ctx, &sdk.DeleteVpcEndpointsInput{VpcEndpointIds: []string{*s3.VpcEndpoint.VpcEndpointId, *ecr.VpcEndpoint.VpcEndpointId, "vpce-0"}})
	require.NoError(t, err)
	require.Len(t, gone.Unsuccessful, 1)
	_, err = w.c.DeleteSecurityGroup(ctx, &sdk.DeleteSecurityGroupInput{GroupId: &group})
	require.NoError(t, err)
	_, err = w.c.CreateVpcEndpoint(ctx, &sdk.CreateVpcEndpointInput{VpcId: &w.vpc, ServiceName: aws.String("com.amazonaws.us-east-1.none")})
	w.fails("InvalidServiceName", err)
}

func TestSecurityGroup(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	cache, load := w.group("n-cache"), w.group("n-load")
	g := w.describe(cache)
	require.Equal(t, "n-cache", *g.Tags[0].Value)
	require.Len(t, g.IpPermissionsEgress, 1, "a new group lets everything out")
	require.Nil(t, g.IpPermissionsEgress[0].FromPort)
	_, err := w.c.RevokeSecurityGroupEgress(ctx, &sdk.RevokeSecurityGroupEgressInput{GroupId: &cache, IpPermissions: everything})
	require.NoError(t, err)
	_, err = w.c.RevokeSecurityGroupEgress(ctx, &sdk.RevokeSecurityGroupEgressInput{GroupId: &cache, IpPermissions: everything})
	w.fails("InvalidPermission.NotFound", err)

	out, err := w.c.AuthorizeSecurityGroupIngress(ctx, &sdk.AuthorizeSecurityGroupIngressInput{GroupId: &cache, IpPermissions: tcp(6379, from(load)),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeSecurityGroupRule, Tags: []types.Tag{{Key: aws.String("name"), Value: aws.String("n")}}}}})
	require.NoError(t, err)
	rule := out.SecurityGroupRules[0]
	require.Equal(t, load, *rule.ReferencedGroupInfo.GroupId)
	require.Equal(t, "n", *rule.Tags[0].Value)
	_, err = w.c.AuthorizeSecurityGroupIngress(ctx, &sdk.AuthorizeSecurityGroupIngressInput{GroupId: &cache, IpPermissions: tcp(6379, from(load))})
	require.ErrorContains(t, err, fmt.Sprintf(`InvalidPermission.Duplicate: the specified rule "peer: %s, TCP, from port: 6379, to port: 6379, ALLOW" already exists`, load))
	w.ingress(cache, tcp(6379, cidr("10.1.2.3/8")))
	g = w.describe(cache)
	require.Len(t, g.IpPermissions, 1, "rules of one range are one permission")
	require.Equal(t, "10.0.0.0/8", *g.IpPermissions[0].IpRanges[0].CidrIp, "addresses become canonical")
	require.Equal(t, "load", *g.IpPermissions[0].UserIdGroupPairs[0].Description)
	byPeer, err := w.c.DescribeSecurityGroups(ctx, &sdk.DescribeSecurityGroupsInput{Filters: filter("ip-permission.group-id", load)})
	require.NoError(t, err)
	require.Len(t, byPeer.SecurityGroups, 1)

	_, err = w.c.ModifySecurityGroupRules(ctx, &sdk.ModifySecurityGroupRulesInput{GroupId: &cache, SecurityGroupRules: []types.SecurityGroupRuleUpdate{{
		SecurityGroupRuleId: rule.SecurityGroupRuleId, SecurityGroupRule: &types.SecurityGroupRuleRequest{IpProtocol: aws.String("tcp"), FromPort: aws.Int32(6380), ToPort: aws.Int32(6380), ReferencedGroupId: &load}}}})
	require.NoError(t, err)
	rules, err := w.c.DescribeSecurityGroupRules(ctx, &sdk.DescribeSecurityGroupRulesInput{Filters: filter("group-id", cache)})
	require.NoError(t, err)
	require.Len(t, rules.SecurityGroupRules, 2)
	require.Equal(t, int32(6380), *rules.SecurityGroupRules[0].FromPort)
	require.Nil(t, rules.SecurityGroupRules[0].Description)

	_, err = w.c.DeleteSecurityGroup(ctx, &sdk.DeleteSecurityGroupInput{GroupId: &load})
	require.ErrorContains(t, err, "DependencyViolation: resource "+load+" has a dependent object")
	_, err = w.c.RevokeSecurityGroupIngress(ctx, &sdk.RevokeSecurityGroupIngressInput{GroupId: &cache, SecurityGroupRuleIds: []string{*rule.SecurityGroupRuleId}})
	require.NoError(t, err)
	_, err = w.c.DescribeSecurityGroupRules(ctx, &sdk.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: []string{*rule.SecurityGroupRuleId}})
	w.fails("InvalidSecurityGroupRuleId.NotFound", err)
	_, err = w.c.DeleteSecurityGroup(ctx, &sdk.DeleteSecurityGroupInput{GroupId: &load})
	require.NoError(t, err)
	_, err = w.c.DescribeSecurityGroups(ctx, &sdk.DescribeSecurityGroupsInput{GroupIds: []string{load}})
	w.fails("InvalidGroup.NotFound", err)
}

// A group that an interface has stays until the interface goes.
func TestAttach(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	g := w.group("g")
	release := w.s.Attach("node n-001", w.subnets[0], []string{g})
	i, ok := w.s.Interface("node n-001")
	require.True(t, ok)
	require.Equal(t, "10.0.1.4", i.PrivateIP)
	enis, err := w.c.DescribeNetworkInterfaces(ctx, &sdk.DescribeNetworkInterfacesInput{Filters: append(filter("group-id", g), filter("description", "node *")...)})
	require.NoError(t, err)
	require.Len(t, enis.NetworkInterfaces, 1)
	require.Equal(t, "g", *enis.NetworkInterfaces[0].Groups[0].GroupName)
	_, err = w.c.DeleteSecurityGroup(ctx, &sdk.DeleteSecurityGroupInput{GroupId: &g})
	w.fails("DependencyViolation", err)
	release()
	release()
	_, err = w.c.DeleteSecurityGroup(ctx, &sdk.DeleteSecurityGroupInput{GroupId: &g})
	require.NoError(t, err)
	_, ok = w.s.SecurityGroup(g)
	require.False(t, ok)
}

func TestReaches(t *testing.T) {
	w := start(t)
	cache, load, other := w.group("cache"), w.group("load"), w.group("other")
	reach := func(from string, port int) bool { return w.s.Reaches([]string{from}, []string{cache}, port) }
	require.False(t, reach(load, 6379), "nothing comes in by default")
	w.ingress(cache, tcp(6379, from(load)))
	require.True(t, reach(load, 6379))
	require.False(t, reach(load, 6380))
	require.False(t, reach(other, 6379))
	_, err := w.c.RevokeSecurityGroupEgress(t.Context(), &sdk.RevokeSecurityGroupEgressInput{GroupId: &load, IpPermissions: everything})
	require.NoError(t, err)
	require.False(t, reach(load, 6379), "nothing gets out")
	_, err = w.c.AuthorizeSecurityGroupEgress(t.Context(), &sdk.AuthorizeSecurityGroupEgressInput{GroupId: &load, IpPermissions: tcp(6379, from(cache))})
	require.NoError(t, err)
	require.True(t, reach(load, 6379))

	// Addresses count for what they cover.
	w.ingress(cache, tcp(6380, cidr("10.0.1.0/24")))
	require.False(t, reach(other, 6380), "not all of the VPC")
	release := w.s.Attach("task", w.subnets[0], []string{other})
	defer release()
	require.True(t, reach(other, 6380))
	defer w.s.Attach("task 2", w.subnets[1], []string{other})()
	require.False(t, reach(other, 6380))
	require.True(t, w.s.Reaches([]string{load}, []string{w.s.DefaultSecurityGroup(w.vpc), cache}, 6379))
}

func TestTags(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	tag := func(k, v string) types.Tag { return types.Tag{Key: &k, Value: &v} }
	_, err := w.c.CreateTags(ctx, &sdk.CreateTagsInput{Resources: w.subnets, Tags: []types.Tag{tag("a", "1"), tag("b", "2")}})
	require.NoError(t, err)
	_, err = w.c.DeleteTags(ctx, &sdk.DeleteTagsInput{Resources: w.subnets[:1], Tags: []types.Tag{{Key: aws.String("a")}, tag("b", "not this")}})
	require.NoError(t, err)
	out, err := w.c.DescribeSubnets(ctx, &sdk.DescribeSubnetsInput{SubnetIds: w.subnets})
	require.NoError(t, err)
	require.Len(t, out.Subnets[0].Tags, 2, "Name and b")
	require.Len(t, out.Subnets[1].Tags, 3)
	_, err = w.c.CreateTags(ctx, &sdk.CreateTagsInput{Resources: w.subnets, Tags: []types.Tag{tag("aws:x", "1")}})
	w.fails("InvalidParameterValue", err)
	_, err = w.c.CreateTags(ctx, &sdk.CreateTagsInput{Resources: []string{"sg-0"}, Tags: []types.Tag{tag("x", "1")}})
	w.fails("InvalidGroup.NotFound", err)
}

func TestRefused(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	g := w.group("g")
	for want, in := range map[string]*sdk.CreateSecurityGroupInput{
		"InvalidGroup.Duplicate: The security group 'g' already exists for VPC": {GroupName: aws.String("g")},
		"Group names may not be in the format sg-*":                             {GroupName: aws.String("sg-x")},
		"Character sets beyond ASCII are not supported":                         {GroupName: aws.String("h"), Description: aws.String("né")},
		"InvalidVpcID.NotFound":                                                 {GroupName: aws.String("h"), VpcId: aws.String("vpc-0")},
	} {
		if in.Description == nil {
			in.Description = aws.String("d")
		}
		if in.VpcId == nil {
			in.VpcId = &w.vpc
		}
		_, err := w.c.CreateSecurityGroup(ctx, in)
		require.ErrorContains(t, err, want)
	}
	for want, p := range map[string][]types.IpPermission{
		"CIDR block 10.0.0.0/33 is malformed":        tcp(1, cidr("10.0.0.0/33")),
		"InvalidGroup.NotFound":                      tcp(1, from("sg-00000000000000000")),
		"InvalidGroupId.Malformed":                   tcp(1, from("group")),
		"Must specify both from and to ports":        {{IpProtocol: aws.String("tcp"), IpRanges: cidr("10.0.0.0/8").IpRanges}},
		"Ports must be between 0 and 65535":          tcp(65536, cidr("10.0.0.0/8")),
		"The same permission must not appear":        append(tcp(1, cidr("10.0.0.0/8")), tcp(1, cidr("10.0.0.1/8"))...),
		"MissingParameter: Source group missing":     tcp(1, types.IpPermission{}),
		"MissingParameter: The request must contain": nil,
	} {
		_, err := w.c.AuthorizeSecurityGroupIngress(ctx, &sdk.AuthorizeSecurityGroupIngressInput{GroupId: &g, IpPermissions: p})
		require.ErrorContains(t, err, want)
	}
	for i := range int32(60) {
		w.ingress(g, tcp(i+1, cidr("10.0.0.0/8")))
	}
	_, err := w.c.AuthorizeSecurityGroupIngress(ctx, &sdk.AuthorizeSecurityGroupIngressInput{GroupId: &g, IpPermissions: tcp(61, cidr("10.0.0.0/8"))})
	w.fails("RulesPerSecurityGroupLimitExceeded", err)
	def := w.s.DefaultSecurityGroup(w.vpc)
	_, err = w.c.DeleteSecurityGroup(ctx, &sdk.DeleteSecurityGroupInput{GroupId: &def})
	w.fails("CannotDelete", err)
	pages := sdk.NewDescribeSecurityGroupRulesPaginator(w.c, &sdk.DescribeSecurityGroupRulesInput{Filters: filter("group-id", g), MaxResults: aws.Int32(25)})
	var n int
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		require.NoError(t, err)
		n += len(page.SecurityGroupRules)
	}
	require.Equal(t, 61, n)
}
