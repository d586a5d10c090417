package localaws

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/ec2"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

// A task is cut off when there are caches and its groups reach none of them, on the port that each has.
func TestIsolated(t *testing.T) {
	network, r := ec2.New(wiretest.Account(t)), wire.NewRegistry()
	network.Register(r)
	vpc, _ := network.Seed()
	client := sdk.NewFromConfig(wiretest.Config(t, r))
	group := func(name string) string {
		out, err := client.CreateSecurityGroup(t.Context(), &sdk.CreateSecurityGroupInput{GroupName: &name, Description: &name, VpcId: &vpc})
		require.NoError(t, err)
		return *out.GroupId
	}
	load, cache, other := group("load"), group("cache"), group("other")
	caches := []elasticache.Listener{{SecurityGroups: []string{other}, Port: 6379}, {SecurityGroups: []string{cache}, Port: 6380}}
	require.False(t, isolated(network, nil, []string{load}), "no cache to be kept from")
	require.True(t, isolated(network, caches, []string{load}))
	_, err := client.AuthorizeSecurityGroupIngress(t.Context(), &sdk.AuthorizeSecurityGroupIngressInput{GroupId: &cache, IpPermissions: []types.IpPermission{{
		IpProtocol: aws.String("tcp"), FromPort: aws.Int32(6379), ToPort: aws.Int32(6380), UserIdGroupPairs: []types.UserIdGroupPair{{GroupId: &load}}}}})
	require.NoError(t, err)
	require.False(t, isolated(network, caches, []string{load}))
	require.True(t, isolated(network, caches, []string{other}))
	require.True(t, isolated(network, caches[:1], []string{load}), "the other cache is not open to it")
}
