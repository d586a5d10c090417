package ec2_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/stretchr/testify/require"
)

func (w fixture) prefixes(most int32, blocks ...string) (*sdk.CreateManagedPrefixListOutput, error) {
	in := &sdk.CreateManagedPrefixListInput{PrefixListName: aws.String("vpn"), MaxEntries: &most, AddressFamily: aws.String("IPv4"),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypePrefixList, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("search")}}}}}
	for _, b := range blocks {
		in.Entries = append(in.Entries, types.AddPrefixListEntry{Cidr: &b, Description: aws.String("of " + b)})
	}
	return w.c.CreateManagedPrefixList(w.Context(), in)
}

func listed(id string) types.IpPermission {
	return types.IpPermission{PrefixListIds: []types.PrefixListId{{PrefixListId: &id, Description: aws.String("vpn")}}}
}

// A rule with a prefix list lets in whoever has an address of it, counts for as many rules as the list may have entries, and keeps the list.
func TestManagedPrefixLists(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	made, err := w.prefixes(5, "10.0.1.7/24", "192.0.2.0/28")
	require.NoError(t, err)
	require.Equal(t, types.PrefixListStateCreateInProgress, made.PrefixList.State)
	id := *made.PrefixList.PrefixListId
	shown := func(id string) types.ManagedPrefixList {
		t.Helper()
		out, err := w.c.DescribeManagedPrefixLists(ctx, &sdk.DescribeManagedPrefixListsInput{PrefixListIds: []string{id}})
		require.NoError(t, err)
		return out.PrefixLists[0]
	}
	l := shown(id)
	require.Equal(t, types.PrefixListStateCreateComplete, l.State)
	require.Equal(t, []any{"vpn", "123456789012", "arn:aws:ec2:us-east-1:123456789012:prefix-list/" + id, int32(5), int64(1), "search"},
		[]any{*l.PrefixListName, *l.OwnerId, *l.PrefixListArn, *l.MaxEntries, *l.Version, *l.Tags[0].Value})
	entries, err := w.c.GetManagedPrefixListEntries(ctx, &sdk.GetManagedPrefixListEntriesInput{PrefixListId: &id, MaxResults: aws.Int32(1)})
	require.NoError(t, err)
	require.Equal(t, "10.0.1.0/24", *entries.Entries[0].Cidr, "addresses become canonical")
	entries, err = w.c.GetManagedPrefixListEntries(ctx, &sdk.GetManagedPrefixListEntriesInput{PrefixListId: &id, NextToken: entries.NextToken})
	require.NoError(t, err)
	require.Equal(t, "of 192.0.2.0/28", *entries.Entries[0].Description)
	require.Nil(t, entries.NextToken)
	aws3, err := w.c.DescribeManagedPrefixLists(ctx, &sdk.DescribeManagedPrefixListsInput{Filters: filter("prefix-list-name", "com.amazonaws.us-east-1.s3")})
	require.NoError(t, err)
	require.Equal(t, "AWS", *aws3.PrefixLists[0].OwnerId)

	cache, other := w.group("cache"), w.group("other")
	reach := func() bool { return w.s.Reaches([]string{other}, []string{cache}, 6379) }
	release := w.s.Attach("task", w.subnets[0], []string{other}) // 10.0.1.4
	defer release()
	require.False(t, reach())
	rule := w.ingress(cache, tcp(6379, listed(id))).SecurityGroupRules[0]
	require.True(t, reach())
	require.Equal(t, id, *rule.PrefixListId)
	require.Equal(t, id, *w.describe(cache).IpPermissions[0].PrefixListIds[0].PrefixListId)
	_, err = w.c.AuthorizeSecurityGroupIngress(ctx, &sdk.AuthorizeSecurityGroupIngressInput{GroupId: &cache, IpPermissions: tcp(6379, listed(id))})
	w.fails("InvalidPermission.Duplicate", err)
	byList, err := w.c.DescribeSecurityGroups(ctx, &sdk.DescribeSecurityGroupsInput{Filters: filter("ip-permission.prefix-list-id", id)})
	require.NoError(t, err)
	require.Len(t, byList.SecurityGroups, 1)
	for port := range int32(11) {
		w.ingress(cache, tcp(port+1, listed(id)))
	}
	_, err = w.c.AuthorizeSecurityGroupIngress(ctx, &sdk.AuthorizeSecurityGroupIngressInput{GroupId: &cache, IpPermissions: tcp(99, cidr("10.0.0.0/8"))})
	w.fails("RulesPerSecurityGroupLimitExceeded", err)

	_, err = w.c.DeleteManagedPrefixList(ctx, &sdk.DeleteManagedPrefixListInput{PrefixListId: &id})
	require.NoError(t, err)
	l = shown(id)
	require.Equal(t, types.PrefixListStateDeleteFailed, l.State)
	require.Contains(t, *l.StateMessage, cache)
	_, err = w.c.DeleteSecurityGroup(ctx, &sdk.DeleteSecurityGroupInput{GroupId: &cache})
	require.NoError(t, err)
	_, err = w.c.DeleteManagedPrefixList(ctx, &sdk.DeleteManagedPrefixListInput{PrefixListId: &id})
	require.NoError(t, err)
	_, err = w.c.DescribeManagedPrefixLists(ctx, &sdk.DescribeManagedPrefixListsInput{PrefixListIds: []string{id}})
	w.fails("InvalidPrefixListID.NotFound", err)
}

func TestManagedPrefixListsRefused(t *testing.T) {
	w := start(t)
	_, err := w.prefixes(1, "10.0.0.0/8", "192.0.2.0/28")
	w.fails("PrefixListMaxEntriesExceeded", err)
	_, err = w.prefixes(5, "10.0.0.0/33")
	w.fails("InvalidParameterValue", err)
	_, err = w.prefixes(5, "10.0.0.0/8", "10.1.0.0/8")
	w.fails("InvalidParameterValue", err)
	_, err = w.prefixes(0)
	w.fails("InvalidParameterValue", err)
	g := w.group("g")
	_, err = w.c.AuthorizeSecurityGroupIngress(t.Context(), &sdk.AuthorizeSecurityGroupIngressInput{GroupId: &g, IpPermissions: tcp(1, listed("pl-00000000000000000"))})
	w.fails("InvalidPrefixListID.NotFound", err)
	owned := "pl-63a5400a"
	_, err = w.c.DeleteManagedPrefixList(t.Context(), &sdk.DeleteManagedPrefixListInput{PrefixListId: &owned})
	w.fails("InvalidPrefixListID.NotFound", err)
}
