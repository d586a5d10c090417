package ops

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/elasticache-perf/elasticache-perf/internal/awsquery"
)

// What the commands read of EC2: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/

// filters are pairs of a name and a value, in EC2's query form.
func filters(pairs ...string) url.Values {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(fmt.Sprintf("Filter.%d.Name", i/2+1), pairs[i])
		form.Set(fmt.Sprintf("Filter.%d.Value.1", i/2+1), pairs[i+1])
	}
	return form
}

// subnetVPC is the VPC of a subnet.
func subnetVPC(ctx context.Context, cfg aws.Config, subnet string) (string, error) {
	var out struct {
		VPC string `xml:"subnetSet>item>vpcId"`
	}
	err := awsquery.Call(ctx, cfg, awsquery.EC2, "DescribeSubnets", url.Values{"SubnetId.1": {subnet}}, &out)
	return out.VPC, err
}

// wayOut is the target of a subnet's default route; "" when there is none that is active. A subnet without a table of its own has the VPC's main one.
// https://docs.aws.amazon.com/vpc/latest/userguide/subnet-route-tables.html
func wayOut(ctx context.Context, cfg aws.Config, vpc, subnet string) (string, error) {
	for _, chosen := range []url.Values{filters("association.subnet-id", subnet), filters("vpc-id", vpc, "association.main", "true")} {
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
				} `xml:"routeSet>item"`
			} `xml:"routeTableSet>item"`
		}
		if err := awsquery.Call(ctx, cfg, awsquery.EC2, "DescribeRouteTables", chosen, &out); err != nil {
			return "", err
		}
		if len(out.Tables) == 0 {
			continue
		}
		for _, r := range out.Tables[0].Routes {
			if r.Destination == "0.0.0.0/0" && r.State != "blackhole" {
				return cmp.Or(r.NAT, r.Gateway, r.Transit, r.Interface, r.Instance, r.Peering), nil
			}
		}
		return "", nil
	}
	return "", nil
}

// endpointServices are the services that a VPC has an endpoint for which is available, by AWS's full names.
func endpointServices(ctx context.Context, cfg aws.Config, vpc string) (services []string, err error) {
	var out struct {
		Endpoints []struct {
			Service string `xml:"serviceName"`
			State   string `xml:"state"`
		} `xml:"vpcEndpointSet>item"`
	}
	if err := awsquery.Call(ctx, cfg, awsquery.EC2, "DescribeVpcEndpoints", filters("vpc-id", vpc), &out); err != nil {
		return nil, err
	}
	for _, e := range out.Endpoints {
		if strings.EqualFold(e.State, "available") {
			services = append(services, e.Service)
		}
	}
	return services, nil
}

type securityGroup struct {
	ID  string `xml:"groupId"`
	VPC string `xml:"vpcId"`
}

func securityGroups(ctx context.Context, cfg aws.Config, chosen url.Values) ([]securityGroup, error) {
	var out struct {
		Groups []securityGroup `xml:"securityGroupInfo>item"`
	}
	err := awsquery.Call(ctx, cfg, awsquery.EC2, "DescribeSecurityGroups", chosen, &out)
	return out.Groups, err
}
