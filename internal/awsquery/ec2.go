package awsquery

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// What the commands read of EC2: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/

// Filters are pairs of a name and a value, in EC2's query form.
func Filters(pairs ...string) url.Values {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(fmt.Sprintf("Filter.%d.Name", i/2+1), pairs[i])
		form.Set(fmt.Sprintf("Filter.%d.Value.1", i/2+1), pairs[i+1])
	}
	return form
}

// SubnetVPC is the VPC of a subnet.
func SubnetVPC(ctx context.Context, cfg aws.Config, subnet string) (string, error) {
	var out struct {
		VPC string `xml:"subnetSet>item>vpcId"`
	}
	err := Call(ctx, cfg, EC2, "DescribeSubnets", url.Values{"SubnetId.1": {subnet}}, &out)
	return out.VPC, err
}

// Subnet is a subnet: its VPC and zone, and the number of free addresses.
type Subnet struct {
	ID   string `xml:"subnetId"`
	Zone string `xml:"availabilityZone"`
	Free int    `xml:"availableIpAddressCount"`
}

// Subnets are those of these ids.
func Subnets(ctx context.Context, cfg aws.Config, ids ...string) ([]Subnet, error) {
	chosen := url.Values{}
	for i, id := range ids {
		chosen.Set(fmt.Sprintf("SubnetId.%d", i+1), id)
	}
	var out struct {
		Subnets []Subnet `xml:"subnetSet>item"`
	}
	err := Call(ctx, cfg, EC2, "DescribeSubnets", chosen, &out)
	return out.Subnets, err
}

// WayOut is the target of a subnet's default route; "" when there is none that is active. A route for IPv6 alone counts where there is no other: in a
// dual-stack subnet tasks reach what has addresses of IPv6 (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-task-networking.html). A subnet without a table of its own has the VPC's main one.
// https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html
func WayOut(ctx context.Context, cfg aws.Config, vpc, subnet string) (string, error) {
	for _, chosen := range []url.Values{Filters("association.subnet-id", subnet), Filters("vpc-id", vpc, "association.main", "true")} {
		var out struct {
			Tables []struct {
				Routes []struct {
					Destination string `xml:"destinationCidrBlock"`
					State       string `xml:"state"`
					NAT         string `xml:"natGatewayId"`
					Gateway     string `xml:"gatewayId"`
					Transit     string `xml:"transitGatewayId"`
					Interface   string `xml:"networkInterfaceId"`
					Instance    string `xml:"instanceId"`
					Peering     string `xml:"vpcPeeringConnectionId"`
					CoreNetwork string `xml:"coreNetworkArn"` // of Cloud WAN
					Carrier     string `xml:"carrierGatewayId"`
					Local       string `xml:"localGatewayId"` // of an Outpost
					EgressOnly  string `xml:"egressOnlyInternetGatewayId"`
					IPv6        string `xml:"destinationIpv6CidrBlock"`
				} `xml:"routeSet>item"`
			} `xml:"routeTableSet>item"`
		}
		if err := Call(ctx, cfg, EC2, "DescribeRouteTables", chosen, &out); err != nil {
			return "", err
		}
		if len(out.Tables) == 0 {
			continue
		}
		way := ""
		for _, r := range out.Tables[0].Routes {
			if r.State == "blackhole" {
				continue
			}
			to := cmp.Or(r.NAT, r.Gateway, r.Transit, r.Interface, r.Instance, r.Peering, r.CoreNetwork, r.Carrier, r.Local, r.EgressOnly)
			if r.Destination == "0.0.0.0/0" {
				return to, nil
			}
			if r.IPv6 == "::/0" && !strings.HasPrefix(to, "igw-") { // a public subnet is told by its route of IPv4
				way = to
			}
		}
		return way, nil
	}
	return "", nil
}

// EndpointServices are the services that a VPC has an endpoint for which is available, by AWS's full names.
func EndpointServices(ctx context.Context, cfg aws.Config, vpc string) (services []string, err error) {
	var out struct {
		Endpoints []struct {
			Service string `xml:"serviceName"`
			State   string `xml:"state"`
		} `xml:"vpcEndpointSet>item"`
	}
	if err := Call(ctx, cfg, EC2, "DescribeVpcEndpoints", Filters("vpc-id", vpc), &out); err != nil {
		return nil, err
	}
	for _, e := range out.Endpoints {
		if strings.EqualFold(e.State, "available") {
			services = append(services, e.Service)
		}
	}
	return services, nil
}

// SecurityGroup is one group and its VPC.
type SecurityGroup struct {
	ID  string `xml:"groupId"`
	VPC string `xml:"vpcId"`
}

// SecurityGroups are those that were chosen by GroupId or by Filters.
func SecurityGroups(ctx context.Context, cfg aws.Config, chosen url.Values) ([]SecurityGroup, error) {
	var out struct {
		Groups []SecurityGroup `xml:"securityGroupInfo>item"`
	}
	err := Call(ctx, cfg, EC2, "DescribeSecurityGroups", chosen, &out)
	return out.Groups, err
}
