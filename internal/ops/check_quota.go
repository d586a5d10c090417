package ops

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas/types"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// checkQuota: the account may run that many vCPU of Fargate at once. What already runs is not counted: AWS has no figure for it. A quota that
// cannot be read is in nobody's way: ECS says itself when there is too little.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
func checkQuota(ctx context.Context, con *console.Console, cfg aws.Config, in *terraform.Inputs) ([]string, error) {
	const quota = "L-3032A538" // Fargate On-Demand vCPU resource count
	client, code := servicequotas.NewFromConfig(cfg), aws.String("fargate")
	var has *float64
	out, err := client.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: code, QuotaCode: aws.String(quota)})
	if err == nil && out.Quota != nil {
		has = out.Quota.Value
	}
	// An account that never had a quota of its own may have no applied one: then AWS's default holds.
	// https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
	var none *types.NoSuchResourceException
	if errors.As(err, &none) {
		var byDefault *servicequotas.GetAWSDefaultServiceQuotaOutput
		byDefault, err = client.GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: code, QuotaCode: aws.String(quota)})
		if err == nil && byDefault.Quota != nil {
			has = byDefault.Quota.Value
		}
	}
	if err != nil {
		con.Say("the Fargate quota %s is not known; servicequotas:GetServiceQuota and GetAWSDefaultServiceQuota allow to read it (%v)", quota, err)
		return nil, ctx.Err()
	}
	want := float64(in.Load.TaskCount) * float64(in.Load.CPU) / 1024
	if has == nil || *has >= want {
		return nil, nil
	}
	return []string{fmt.Sprintf("the load needs %g vCPU of Fargate (%d tasks x %g), and the account may have %g in %s: ask for more with `%s`, or take fewer tasks",
		want, in.Load.TaskCount, float64(in.Load.CPU)/1024, *has, cfg.Region,
		console.AWS(cfg.Region, "aws service-quotas request-service-quota-increase --service-code fargate --quota-code %s --desired-value %g", quota, want))}, nil
}
