package ops

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/awstest"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// account is an account without any problem, except for what override answers.
func account(override map[string]string) func(string, url.Values) (int, map[string]string, string) {
	const ec2 = `<%sResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">%s</%[1]sResponse>`
	return func(what string, body url.Values) (int, map[string]string, string) {
		key := what
		if filter := body.Get("Filter.1.Name"); filter != "" {
			key += " " + filter
		}
		text, overridden := override[key]
		if status, rest, ok := strings.Cut(text, ":"); overridden && ok && len(status) == 3 { // "404:", "301:eu-west-1"
			code := 0
			_, _ = fmt.Sscan(status, &code)
			return code, map[string]string{"X-Amz-Bucket-Region": rest}, ""
		}
		switch {
		case what == "GetCallerIdentity":
			off, _ := time.ParseDuration(text)
			return 200, map[string]string{"Date": time.Now().Add(off).UTC().Format(http.TimeFormat)}, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
		case strings.HasPrefix(what, "HEAD "):
			return 200, map[string]string{"X-Amz-Bucket-Region": "us-east-1"}, ""
		case strings.HasPrefix(what, "PUT "):
			return 200, nil, ""
		case strings.HasPrefix(what, "DELETE "):
			return 204, nil, ""
		case what == "DescribeSubnets" && !overridden:
			text = `<subnetSet><item><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId></item></subnetSet>`
		case key == "DescribeRouteTables vpc-id" && !overridden:
			text = `<routeTableSet><item><routeSet>` + route("natGatewayId", "nat-1") + `</routeSet></item></routeTableSet>`
		case what == "DescribeReservedCacheNodesOfferings" && !overridden:
			text = `<ReservedCacheNodesOfferings><ReservedCacheNodesOffering><CacheNodeType>cache.t4g.micro</CacheNodeType></ReservedCacheNodesOffering></ReservedCacheNodesOfferings>`
			fallthrough
		case strings.HasPrefix(what, "DescribeReservedCacheNodesOfferings"), what == "DescribeEngineDefaultParameters",
			strings.HasPrefix(what, "DescribeReplicationGroups"), strings.HasPrefix(what, "DescribeServerlessCaches"):
			return 200, nil, fmt.Sprintf("<%sResponse><%[1]sResult>%s</%[1]sResult></%[1]sResponse>", what, text)
		case what == "GetServiceQuota" && text == "none":
			return 400, map[string]string{"X-Amzn-Errortype": "NoSuchResourceException"}, `{}`
		case what == "GetServiceQuota", what == "GetAWSDefaultServiceQuota":
			if !overridden {
				text = "6"
			}
			return 200, nil, `{"Quota":{"Value":` + text + `}}`
		}
		return 200, nil, fmt.Sprintf(ec2, what, text)
	}
}

func route(target, id string) string {
	return `<item><destinationCidrBlock>10.0.0.0/16</destinationCidrBlock><gatewayId>local</gatewayId></item>` +
		`<item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><` + target + `>` + id + `</` + target + `><state>active</state></item>`
}

func endpoints(services ...string) string {
	var b strings.Builder
	for _, s := range services {
		fmt.Fprintf(&b, `<item><serviceName>com.amazonaws.us-east-1.%s</serviceName><state>available</state></item>`, s)
	}
	return `<vpcEndpointSet>` + b.String() + `</vpcEndpointSet>`
}

func existing(status string) string {
	return `<ReplicationGroups><ReplicationGroup><Status>` + status + `</Status></ReplicationGroup></ReplicationGroups>`
}

func groupOf(vpc string) string {
	return `<securityGroupInfo><item><groupId>sg-1</groupId><vpcId>` + vpc + `</vpcId></item></securityGroupInfo>`
}

// loads sets inputs that load an existing cache.
func loads(replicationGroup, serverless, securityGroup string) func(*terraform.Inputs) {
	return func(in *terraform.Inputs) {
		in.ExistingCache = &terraform.ExistingCache{SecurityGroup: securityGroup, ReplicationGroup: replicationGroup, Serverless: serverless}
	}
}

const defaults = `<EngineDefaults><Parameters>` +
	`<Parameter><ParameterName>maxmemory-policy</ParameterName><AllowedValues>allkeys-lru,noeviction</AllowedValues><IsModifiable>true</IsModifiable></Parameter>` +
	`<Parameter><ParameterName>hz</ParameterName><AllowedValues>1-500</AllowedValues><IsModifiable>true</IsModifiable></Parameter>` +
	`<Parameter><ParameterName>appendonly</ParameterName><AllowedValues>yes,no</AllowedValues><IsModifiable>false</IsModifiable></Parameter></Parameters></EngineDefaults>`

func parameters(engine, version string, values map[string]string) func(*terraform.Inputs) {
	return func(in *terraform.Inputs) {
		in.Cache.Engine, in.Cache.EngineVersion, in.Cache.Parameters = engine, version, values
	}
}

func TestValidate(t *testing.T) {
	const table = `<routeTableSet><item><routeSet>%s</routeSet></item></routeTableSet>`
	noRoute := fmt.Sprintf(table, `<item><destinationCidrBlock>10.0.0.0/16</destinationCidrBlock><gatewayId>local</gatewayId></item>`)
	public := fmt.Sprintf(table, route("gatewayId", "igw-1"))
	for name, c := range map[string]struct {
		override map[string]string
		change   func(*terraform.Inputs)
		want     []string // what each problem contains; none: no problem
	}{
		"all is right":            {},
		"clocks differ a little":  {override: map[string]string{"GetCallerIdentity": "-110s"}},
		"a fast clock":            {override: map[string]string{"GetCallerIdentity": "-4m"}, want: []string{"the clock of this computer says " + time.Now().UTC().Format("2006-01-02T")}},
		"a slow clock":            {override: map[string]string{"GetCallerIdentity": "72h"}, want: []string{", AWS's " + time.Now().Add(72*time.Hour).UTC().Format("2006-01-")}},
		"no such bucket":          {override: map[string]string{"HEAD /b": "404:"}, want: []string{"the bucket b does not exist: create it with `aws s3 mb s3://b --region us-east-1`"}},
		"somebody else's":         {override: map[string]string{"HEAD /b": "403:us-east-1"}, want: []string{"the bucket b is not yours to use (403)"}},
		"in another Region":       {override: map[string]string{"HEAD /b": "301:eu-west-1"}, want: []string{"the bucket b is in eu-west-1, the stack in us-east-1"}},
		"looks at another Region": {override: map[string]string{"HEAD /b": "400:eu-west-1"}, want: []string{"the bucket b is in eu-west-1, the stack in us-east-1"}},
		"a bad request":           {override: map[string]string{"HEAD /b": "400:us-east-1"}, want: []string{"the bucket b cannot be checked"}},
		"quota not to be read":    {override: map[string]string{"GetServiceQuota": "403:"}},
		"endpoints in China": {override: map[string]string{"DescribeRouteTables vpc-id": noRoute, "DescribeVpcEndpoints vpc-id": strings.ReplaceAll(endpoints("ecr.api", "ecr.dkr", "s3", "logs"), "com.amazonaws", "cn.com.amazonaws")},
			change: func(in *terraform.Inputs) { in.Load.Image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/tool:1" }},
		"lists in another Region": {override: map[string]string{"HEAD /b": "200:eu-west-1"},
			want: []string{"set aws_region = \"eu-west-1\""}},
		"no such subnet":     {override: map[string]string{"DescribeSubnets": `400:`}, want: []string{"the subnet subnet-1 cannot be read"}},
		"of another VPC":     {override: map[string]string{"DescribeSubnets": `<subnetSet><item><vpcId>vpc-2</vpcId></item></subnetSet>`}, want: []string{"is in vpc-2, not in the vpc_id vpc-1"}},
		"no way out":         {override: map[string]string{"DescribeRouteTables vpc-id": noRoute}, want: []string{"add a default route to a NAT gateway, or VPC endpoints for ecr.api, ecr.dkr, s3, logs"}},
		"its own table":      {override: map[string]string{"DescribeRouteTables association.subnet-id": noRoute}, want: []string{"the subnets have no outbound access"}},
		"public, no address": {override: map[string]string{"DescribeRouteTables vpc-id": public}, want: []string{"set load = { assign_public_ip = true }"}},
		"public, with one":   {override: map[string]string{"DescribeRouteTables vpc-id": public}, change: func(in *terraform.Inputs) { in.Load.AssignPublicIP = true }},
		"transit gateway":    {override: map[string]string{"DescribeRouteTables vpc-id": fmt.Sprintf(table, route("transitGatewayId", "tgw-1"))}},
		"some endpoints": {override: map[string]string{"DescribeRouteTables vpc-id": noRoute, "DescribeVpcEndpoints vpc-id": endpoints("ecr.api", "s3", "logs")},
			change: func(in *terraform.Inputs) { in.Auth = true }, want: []string{"VPC endpoints for ecr.dkr, ssm"}},
		"endpoints, image elsewhere": {override: map[string]string{"DescribeRouteTables vpc-id": noRoute, "DescribeVpcEndpoints vpc-id": endpoints("ecr.api", "ecr.dkr", "s3", "logs")},
			want: []string{"the image tool:1 is not in ECR"}},
		"endpoints, image in ECR": {override: map[string]string{"DescribeRouteTables vpc-id": noRoute, "DescribeVpcEndpoints vpc-id": endpoints("ecr.api", "ecr.dkr", "s3", "logs")},
			change: func(in *terraform.Inputs) { in.Load.Image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/tool:1" }},
		"Cloud WAN":        {override: map[string]string{"DescribeRouteTables vpc-id": fmt.Sprintf(table, route("coreNetworkArn", "arn:aws:networkmanager::123456789012:core-network/core-network-1"))}},
		"carrier gateway":  {override: map[string]string{"DescribeRouteTables vpc-id": fmt.Sprintf(table, route("carrierGatewayId", "cagw-1"))}},
		"of an Outpost":    {override: map[string]string{"DescribeRouteTables vpc-id": fmt.Sprintf(table, route("localGatewayId", "lgw-1"))}},
		"IPv6 alone":       {override: map[string]string{"DescribeRouteTables vpc-id": fmt.Sprintf(table, `<item><destinationIpv6CidrBlock>::/0</destinationIpv6CidrBlock><egressOnlyInternetGatewayId>eigw-1</egressOnlyInternetGatewayId><state>active</state></item>`)}},
		"IPv6 blackhole":   {override: map[string]string{"DescribeRouteTables vpc-id": fmt.Sprintf(table, `<item><destinationIpv6CidrBlock>::/0</destinationIpv6CidrBlock><egressOnlyInternetGatewayId>eigw-1</egressOnlyInternetGatewayId><state>blackhole</state></item>`)}, want: []string{"no outbound access"}},
		"default quota":    {override: map[string]string{"GetServiceQuota": "none"}},
		"no default quota": {override: map[string]string{"GetServiceQuota": "none", "GetAWSDefaultServiceQuota": "1"}, want: []string{"the account's quota is 1 in us-east-1"}},
		"small quota":      {override: map[string]string{"GetServiceQuota": "1.5"}, want: []string{"needs 2 vCPU of Fargate (2 tasks x 1), but the account's quota is 1.5", "--desired-value 2"}},
		"no such node type": {override: map[string]string{"DescribeReservedCacheNodesOfferings": ""},
			want: []string{"ElastiCache does not offer cache.t4g.micro in us-east-1", "`aws elasticache describe-reserved-cache-nodes-offerings --query 'ReservedCacheNodesOfferings[].CacheNodeType' --region us-east-1` lists"}},
		"node types not to be asked":    {override: map[string]string{"DescribeReservedCacheNodesOfferings": "403:"}},
		"node type of a serverless one": {override: map[string]string{"DescribeReservedCacheNodesOfferings": ""}, change: func(in *terraform.Inputs) { in.Cache.Serverless = &terraform.Serverless{} }},
		"node type of an existing one":  {override: map[string]string{"DescribeReservedCacheNodesOfferings": ""}, change: loads("", "", "")},
		"parameters": {override: map[string]string{"DescribeEngineDefaultParameters": defaults},
			change: parameters("valkey", "", map[string]string{"maxmemory-policy": "allkeys-lru", "hz": "10"})},
		"wrong parameters": {override: map[string]string{"DescribeEngineDefaultParameters": defaults},
			change: parameters("redis", "6.2", map[string]string{"maxmemory-policy": "alkeys-lru", "hz": "501", "appendonly": "yes", "nosuch": "1"}),
			want: []string{"the parameter maxmemory-policy of redis6.x takes allkeys-lru,noeviction, not \"alkeys-lru\"", "the parameter hz of redis6.x takes 1-500, not \"501\"",
				"the parameter appendonly of redis6.x cannot be modified", "the parameter family redis6.x has no parameter nosuch"}},
		"parameters not to be asked":     {override: map[string]string{"DescribeEngineDefaultParameters": "403:"}, change: parameters("valkey", "", map[string]string{"hz": "10"})},
		"existing cache":                 {override: map[string]string{"DescribeReplicationGroups": existing("available"), "DescribeSecurityGroups": groupOf("vpc-1")}, change: loads("orders", "", "sg-1")},
		"only its endpoint":              {change: loads("", "", "")},
		"existing cache of another name": {change: loads("orders", "", ""), want: []string{"the existing cache orders does not exist in us-east-1"}},
		"existing cache is deleted": {override: map[string]string{"DescribeServerlessCaches": `<ServerlessCaches><member><Status>deleting</Status></member></ServerlessCaches>`},
			change: loads("", "orders", ""), want: []string{"the existing cache orders is deleting: wait until it is available"}},
		"no such group": {change: loads("", "", "sg-1"), want: []string{"security group sg-1 does not exist"}},
		"group of another VPC": {override: map[string]string{"DescribeSecurityGroups": groupOf("vpc-2")}, change: loads("", "", "sg-1"),
			want: []string{"security group sg-1 is in vpc-2, but the load would be in vpc-1"}},
		"all at once": {override: map[string]string{"HEAD /b": "404:", "DescribeRouteTables vpc-id": noRoute, "GetServiceQuota": "0"},
			want: []string{"the bucket b does not exist", "no outbound access", "vCPU of Fargate"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := &terraform.Inputs{Name: "n", Bucket: "b", Prefix: "exports", VPC: "vpc-1", Subnets: []string{"subnet-1"}}
			in.Load.TaskCount, in.Load.CPU, in.Load.Image = 2, 1024, "tool:1"
			in.Cache.NodeType = "cache.t4g.micro"
			if c.change != nil {
				c.change(in)
			}
			var out bytes.Buffer
			ws, con := &workspace.Workspace{AWS: awstest.Answering(account(c.override))}, &console.Console{Out: &out}
			err := validate(t.Context(), ws, con, in, nil)
			if len(c.want) == 0 {
				require.NoError(t, err)
				require.Contains(t, out.String(), "validated: account 123456789012, Region us-east-1, bucket b")
				return
			}
			var invalid *InvalidError
			require.ErrorAs(t, err, &invalid)
			for _, want := range c.want {
				require.Contains(t, err.Error(), want)
			}
		})
	}
}
