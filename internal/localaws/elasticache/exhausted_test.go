package elasticache_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

// There is no capacity: the group stays in create-failed, tells nobody its tags, and can be deleted.
func TestNoCapacity(t *testing.T) {
	clock := wiretest.NewClock()
	w := start(t, func(a *account.Account) { a.Clock, a.Delays.CacheCreate = clock, time.Minute })
	w.svc.Exhausted(true)
	created, err := w.c.CreateReplicationGroup(t.Context(), input())
	require.NoError(t, err)
	arn := created.ReplicationGroup.ARN
	tags := func() error {
		_, err := w.c.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceName: arn})
		return err
	}
	require.ErrorContains(t, tags(), "InvalidReplicationGroupState: Cluster not in available state to perform tagging operations.")
	clock.Next(t, time.Minute)
	wiretest.Until(t, "the group is create-failed", func() (any, bool) {
		out, err := w.c.DescribeReplicationGroups(t.Context(), &sdk.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("perf")})
		require.NoError(t, err)
		return *out.ReplicationGroups[0].Status, *out.ReplicationGroups[0].Status == "create-failed"
	})
	require.ErrorContains(t, tags(), "InvalidReplicationGroupState")
	events, err := w.c.DescribeEvents(t.Context(), &sdk.DescribeEventsInput{})
	require.NoError(t, err)
	require.Contains(t, *events.Events[len(events.Events)-1].Message, "not sufficient capacity")
	w.remove(t)
	w.svc.Exhausted(false)
	_, err = w.c.CreateReplicationGroup(t.Context(), input())
	require.NoError(t, err)
	clock.Next(t, time.Minute)
	w.await(t, "available")
	require.NoError(t, tags())
}

// Events are kept for 14 days. https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeEvents.html
func TestEventsAreForgotten(t *testing.T) {
	clock := wiretest.NewClock()
	w := start(t, func(a *account.Account) { a.Clock = clock })
	w.svc.Exhausted(true)
	_, err := w.c.CreateReplicationGroup(t.Context(), input())
	require.NoError(t, err)
	since := aws.Time(clock.Now())
	events := func() []types.Event {
		out, err := w.c.DescribeEvents(t.Context(), &sdk.DescribeEventsInput{StartTime: since})
		require.NoError(t, err)
		return out.Events
	}
	wiretest.Until(t, "the group is create-failed", func() (any, bool) { e := events(); return e, len(e) == 2 })
	clock.Move(14 * 24 * time.Hour)
	require.Len(t, events(), 2)
	clock.Move(time.Second)
	require.Empty(t, events())
}
