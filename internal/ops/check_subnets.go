package ops

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/elasticache-perf/elasticache-perf/internal/awsquery"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// checkSubnets checks that the subnets exist, are in the VPC, and let tasks pull their image and write their logs: by a default route, or by VPC endpoints.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html#ecr-minimum-system-requirements
func checkSubnets(ctx context.Context, cfg aws.Config, in *terraform.Inputs) (problems []string, err error) {
	closed := false
	for _, id := range in.Subnets {
		vpc, err := awsquery.SubnetVPC(ctx, cfg, id)
		if stack.Missing(err) || stack.Code(err) == "InvalidSubnetID.Malformed" {
			problems = append(problems, fmt.Sprintf("the subnet %s does not exist in %s: `%s` lists the existing ones", id, cfg.Region,
				console.AWS(cfg.Region, "aws ec2 describe-subnets --filters Name=vpc-id,Values=%s", in.VPC)))
			continue
		}
		if err != nil {
			return problems, fmt.Errorf("the subnet %s cannot be read: %w", id, err)
		}
		if vpc != in.VPC {
			problems = append(problems, fmt.Sprintf("the subnet %s is in %s, not in the vpc_id %s: use subnets of one VPC", id, vpc, in.VPC))
			continue
		}
		way, err := awsquery.WayOut(ctx, cfg, in.VPC, id)
		if err != nil {
			return problems, fmt.Errorf("the routes of the subnet %s cannot be read: %w", id, err)
		}
		switch {
		case strings.HasPrefix(way, "igw-") && !in.Load.AssignPublicIP:
			problems = append(problems, fmt.Sprintf("the subnet %s has a route to an internet gateway, which tasks can use only with a public address: use a subnet with a NAT gateway, or set load = { assign_public_ip = true }", id))
		case way == "":
			closed = true
		}
	}
	if !closed {
		return problems, nil
	}
	want := []string{"ecr.api", "ecr.dkr", "s3", "logs"}
	if in.Auth {
		want = append(want, "ssm")
	}
	services, err := awsquery.EndpointServices(ctx, cfg, in.VPC)
	if err != nil {
		return problems, fmt.Errorf("the endpoints of %s cannot be read: %w", in.VPC, err)
	}
	for _, service := range services {
		// com.amazonaws.REGION.SERVICE, in China with the prefix cn.: https://docs.amazonaws.cn/en_us/vpc/latest/userguide/vpc-endpoints.html
		_, service, _ = strings.Cut(service, "."+cfg.Region+".")
		want = slices.DeleteFunc(want, func(w string) bool { return w == service })
	}
	if len(want) > 0 {
		problems = append(problems, fmt.Sprintf("the subnets have no outbound access: add a default route to a NAT gateway, or VPC endpoints for %s", strings.Join(want, ", ")))
	} else if !strings.Contains(in.Load.Image, ".dkr.ecr.") {
		problems = append(problems, fmt.Sprintf("the subnets reach AWS through endpoints only, and the image %s is not in ECR: copy it there and set load = { image = \"ACCOUNT.dkr.ecr.%s.%s/NAME:TAG\" }", in.Load.Image, cfg.Region, domain(cfg.Region)))
	}
	return problems, nil
}

// partition returns a Region's AWS partition. China and GovCloud have their own.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func domain(region string) string {
	if partition(region) == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}
