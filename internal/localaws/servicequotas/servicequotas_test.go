package servicequotas_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/servicequotas"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

func TestQuotas(t *testing.T) {
	s := servicequotas.New(wiretest.Account(t))
	r := wire.NewRegistry()
	s.Register(r)
	c := sdk.NewFromConfig(wiretest.Config(t, r))
	vcpu := func() float64 {
		out, err := c.GetServiceQuota(t.Context(), &sdk.GetServiceQuotaInput{ServiceCode: aws.String("fargate"), QuotaCode: aws.String("L-3032A538")})
		require.NoError(t, err)
		require.Equal(t, "Fargate On-Demand vCPU resource count", *out.Quota.QuotaName)
		return *out.Quota.Value
	}
	require.Equal(t, 6.0, vcpu())
	s.Apply("L-3032A538", 100)
	require.Equal(t, 100.0, vcpu())
	require.Equal(t, 100.0, s.Value("L-3032A538"))
	d, err := c.GetAWSDefaultServiceQuota(t.Context(), &sdk.GetAWSDefaultServiceQuotaInput{ServiceCode: aws.String("fargate"), QuotaCode: aws.String("L-3032A538")})
	require.NoError(t, err)
	require.Equal(t, 6.0, *d.Quota.Value)

	_, err = c.GetServiceQuota(t.Context(), &sdk.GetServiceQuotaInput{ServiceCode: aws.String("fargate"), QuotaCode: aws.String("L-0")})
	var none *types.NoSuchResourceException
	require.ErrorAs(t, err, &none)

	ask := func(value float64) (*sdk.RequestServiceQuotaIncreaseOutput, error) {
		return c.RequestServiceQuotaIncrease(t.Context(), &sdk.RequestServiceQuotaIncreaseInput{ServiceCode: aws.String("fargate"), QuotaCode: aws.String("L-3032A538"), DesiredValue: &value})
	}
	_, err = ask(100)
	var illegal *types.IllegalArgumentException
	require.ErrorAs(t, err, &illegal, "no more than there is")
	asked, err := ask(200)
	require.NoError(t, err)
	require.Equal(t, types.RequestStatusPending, asked.RequestedQuota.Status)
	require.Equal(t, 100.0, vcpu(), "people decide on it")
	_, err = ask(300)
	var open *types.ResourceAlreadyExistsException
	require.ErrorAs(t, err, &open)
}
