package test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/ops"
)

// Commands that act on a stack.
var commands = map[string]ops.Command{"deploy": ops.Deploy, "destroy": ops.Destroy, "stop": ops.Stop, "export": ops.Export, "report": ops.Report, "status": ops.Status,
	"watch": ops.Watch}

// Commands that need no state.
var stateless = map[string]ops.Command{"sweep": ops.Sweep}

// Commands that act on a campaign's stacks, each of which has its own state.
var ofCampaigns = map[string]ops.Command{"campaign": ops.Campaign, "campaign:status": ops.CampaignStatus, "campaign:destroy": ops.CampaignDestroy, "campaign:report": ops.CampaignReport}

// A run belongs to its state: after a rename, or with another Region or account, nothing is replaced, removed or stopped. A colleague with an empty state
// and the same name cannot end it, and no message says how to.
func TestRunBelongsToItsState(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	w := newEnvironment(t)
	ann := newPerson(t, w, map[string]any{"load": light(nil)})
	said, err := ann.run(ops.Deploy, "")
	require.NoError(t, err, said)
	ann.loads(t, 1)
	before := ann.ecsService(t)

	kept := ann.workspace.Env
	ann.workspace.Env = append(kept[:len(kept):len(kept)], "APPROVE=1", "FORCE=1")
	changed := filepath.Join(ann.workspace.Stack, "changed.auto.tfvars.json")
	for says, input := range map[string]map[string]any{
		"the state holds elasticache-perf, the inputs say two":                {"name": "two"},
		"the state holds resources in us-east-1, the inputs select eu-west-1": {"aws_region": "eu-west-1"},
	} {
		write(t, ann.workspace.Stack, filepath.Base(changed), input)
		for name, command := range commands {
			said, err = ann.run(command, "")
			require.ErrorContains(t, err, says, "%s: %s", name, said)
			require.ErrorContains(t, err, "nothing was done")
		}
	}
	require.NoError(t, os.Remove(changed))

	// With another account's credentials, nothing changes in either account.
	config := ann.workspace.AWS
	ann.useCredentials(w.local.Account("210987654321"))
	for name, command := range commands {
		said, err = ann.run(command, "")
		require.ErrorContains(t, err, "the state holds resources in 123456789012, the credentials are for 210987654321", "%s: %s", name, said)
		require.ErrorContains(t, err, "nothing was done")
	}
	theirs, err := ann.workspace.AWS(t.Context(), "")
	require.NoError(t, err)
	clusters, err := ecs.NewFromConfig(theirs).ListClusters(t.Context(), &ecs.ListClustersInput{})
	require.NoError(t, err)
	require.Empty(t, clusters.ClusterArns)
	ann.workspace.AWS, ann.workspace.Env = config, kept

	bob := newPerson(t, w, map[string]any{"load": light(nil)})
	bob.workspace.Env = append(bob.workspace.Env, "APPROVE=1", "FORCE=1")
	for name, command := range map[string]ops.Command{"deploy": ops.Deploy, "destroy": ops.Destroy, "stop": ops.Stop} {
		said, err = bob.run(command, "")
		require.ErrorContains(t, err, "there is already a stack elasticache-perf in account 123456789012, Region us-east-1, and it was not created from this state", "%s: %s", name, said)
		require.ErrorContains(t, err, "set another name (name = \"elasticache-perf-2\"")
		for _, advice := range []string{"mage destroy", "delete", "aws "} {
			require.NotContains(t, strings.ReplaceAll(err.Error(), "nothing was done. AWS has", ""), advice, name)
		}
	}
	// Nor can somebody in another Region deploy: IAM role names are unique in the account, and the first stack has these roles.
	carol := newPerson(t, w, map[string]any{"load": light(nil), "aws_region": "eu-west-1"})
	carol.useCredentials(w.local.Env()) // the deployer's policy is for one Region
	said, err = carol.run(ops.Deploy, "")
	require.ErrorContains(t, err, "there is already a stack elasticache-perf in account 123456789012, Region eu-west-1", said)
	require.ErrorContains(t, err, "the IAM role elasticache-perf-stop")
	require.ErrorContains(t, err, "it is in another Region, because roles belong to the account")

	said, err = bob.run(ops.Status, "")
	require.NoError(t, err)
	require.Contains(t, said, "this one does not hold the run")

	after := ann.ecsService(t)
	require.Equal(t, *before.ServiceArn, *after.ServiceArn)
	require.Equal(t, before.CreatedAt, after.CreatedAt)
	require.EqualValues(t, 1, after.DesiredCount)
	status, err := ann.cacheStatus(t.Context())
	require.NoError(t, err)
	require.Equal(t, "available", status)

	said, err = ann.run(ops.Destroy, "")
	require.NoError(t, err, said)
	require.Contains(t, said, "is ended and exported")
	ann.assertNothingLeft()
}

// useCredentials gives a person different credentials.
func (p *person) useCredentials(keys map[string]string) {
	id, secret, token, config := keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"], p.workspace.AWS
	p.workspace.Env = append(p.workspace.Env, "AWS_ACCESS_KEY_ID="+id, "AWS_SECRET_ACCESS_KEY="+secret, "AWS_SESSION_TOKEN="+token)
	p.workspace.AWS = func(ctx context.Context, region string) (aws.Config, error) {
		cfg, err := config(ctx, region)
		cfg.Credentials = credentials.NewStaticCredentialsProvider(id, secret, token)
		return cfg, err
	}
}

func (s *stack) ecsService(t *testing.T) types.Service {
	t.Helper()
	out, err := ecs.NewFromConfig(s.Config).DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: &s.name, Services: []string{s.name + "-load"}})
	require.NoError(t, err)
	require.Len(t, out.Services, 1)
	return out.Services[0]
}
