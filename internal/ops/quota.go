package ops

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas/types"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
)

// quota is a quota of the account in a Region.
type quota struct{ service, code, what string }

// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html and
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/quota-limits.html
var (
	fargateVCPU = quota{"fargate", "L-3032A538", "Fargate quota"}         // Fargate On-Demand vCPU resource count
	cacheNodes  = quota{"elasticache", "L-DFE45DF3", "ElastiCache quota"} // Nodes per Region
)

// more is the command that requests a higher quota.
func (q quota) more(region string, want float64) string {
	return console.AWS(region, "aws service-quotas request-service-quota-increase --service-code %s --quota-code %s --desired-value %g", q.service, q.code, want)
}

// quotaOf returns the account's value of a quota. If it cannot be read, it prints that, and known is false.
func quotaOf(ctx context.Context, con *console.Console, cfg aws.Config, q quota) (has float64, known bool) {
	client := servicequotas.NewFromConfig(cfg)
	out, err := client.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: &q.service, QuotaCode: &q.code})
	if err == nil && out.Quota != nil && out.Quota.Value != nil {
		return *out.Quota.Value, true
	}
	// An account without a quota of its own may have no applied value. Then AWS's default applies.
	// https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
	var none *types.NoSuchResourceException
	if errors.As(err, &none) {
		var byDefault *servicequotas.GetAWSDefaultServiceQuotaOutput
		byDefault, err = client.GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: &q.service, QuotaCode: &q.code})
		if err == nil && byDefault.Quota != nil && byDefault.Quota.Value != nil {
			return *byDefault.Quota.Value, true
		}
	}
	if err != nil {
		con.Say("the %s %s is not known: allow servicequotas:GetServiceQuota and GetAWSDefaultServiceQuota to read it (%v)", q.what, q.code, err)
	}
	return 0, false
}
