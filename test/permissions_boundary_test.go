package test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/gruntwork-io/terratest/modules/terraform"
	"github.com/stretchr/testify/require"
)

// A permissions boundary denies one of the calls that end a run: the preflight fails the apply before anything billed is created.
func TestPermissionsBoundaryDeniesTheStop(t *testing.T) {
	t.Parallel()
	onlyLocal(t)
	onlyLong(t)
	for action, cache := range map[string]map[string]any{
		"ecs:UpdateService":                  nil,
		"elasticache:DeleteReplicationGroup": nil,
		"elasticache:DeleteServerlessCache":  {"serverless": map[string]any{}},
		"logs:DeleteLogDelivery":             nil, // what AWS's documentation requires
		"scheduler:DeleteSchedule":           nil,
	} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			w := newEnvironment(t)
			boundary, err := iam.NewFromConfig(w.Config).CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("boundary"), PolicyDocument: aws.String(fmt.Sprintf(
				`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":%q,"Resource":"*"}]}`, action))})
			require.NoError(t, err)
			inputs := map[string]any{"iam": map[string]any{"permissions_boundary": *boundary.Policy.Arn}, "notifications": map[string]any{"email": "team@example.com"}}
			if cache != nil {
				inputs["cache"] = cache
			}
			s := newStack(t, w, ".", inputs)
			_, err = terraform.ApplyContextE(t, t.Context(), s.options)
			require.ErrorContains(t, err, "preflight: allow ")
			text := strings.Join(strings.Fields(err.Error()), " ")
			require.Contains(t, text, action)
			require.Contains(t, text, "module.scheduler.aws_lambda_invocation.preflight")
			run, _ := s.guard(t)
			require.Contains(t, s.waitForMessages(t, run, "preflight failed")[0], action)
			status, err := s.cacheStatus(t.Context())
			require.NoError(t, err)
			require.Empty(t, status, "no cache was created")
			services, err := ecs.NewFromConfig(w.Config).ListServices(t.Context(), &ecs.ListServicesInput{Cluster: &s.name})
			if err == nil {
				require.Empty(t, services.ServiceArns, "no load was created")
			}
			s.destroy(t.Context(), t)
		})
	}
}
