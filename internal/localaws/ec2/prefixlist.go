package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
)

// managedList is a list of addresses that rules of security groups can name: the account's own, or AWS's.
// https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html
type managedList struct {
	id, name, owner string
	most            int // entries
	entries         []listEntry
	state, why      string
}

type listEntry struct{ Cidr, Description string }

func (l *managedList) ident() string { return l.id }

func (l *managedList) properties() map[string][]string {
	return map[string][]string{"owner-id": {l.owner}, "prefix-list-id": {l.id}, "prefix-list-name": {l.name}}
}

// lists are the account's and those that AWS keeps of the services behind gateway endpoints; the caller holds the lock.
func (s *Service) lists() []*managedList {
	all := slices.Clone(s.managed)
	for name, id := range prefixLists {
		all = append(all, &managedList{id: id, name: "com.amazonaws." + s.acct.Region + "." + name, owner: "AWS", most: 1, state: "create-complete", entries: []listEntry{{Cidr: awsAddresses}}})
	}
	return sorted(all, (*managedList).ident)
}

type managedListOut struct {
	PrefixListId, AddressFamily, State string
	StateMessage                       *string
	PrefixListArn, PrefixListName      string
	MaxEntries, Version                *int
	OwnerId                            string
	TagSet                             []tagset.Tag
}

func (s *Service) managedListOut(l *managedList) managedListOut {
	o := managedListOut{PrefixListId: l.id, AddressFamily: "IPv4", State: l.state, StateMessage: optional(l.why), PrefixListName: l.name, OwnerId: l.owner, TagSet: s.tagSet(l.id),
		PrefixListArn: strings.Replace(s.acct.ARN("ec2", "prefix-list/"+l.id), ":"+s.acct.ID+":", ":"+strings.ToLower(l.owner)+":", 1)}
	if l.owner != "AWS" { // these have neither
		version := 1
		o.MaxEntries, o.Version = &l.most, &version
	}
	return o
}

type createListIn struct {
	PrefixListName   string `wire:",required"`
	MaxEntries       int    `wire:",required"`
	AddressFamily    string `wire:",required"`
	Entry            []listEntry
	ClientToken      string
	TagSpecification []tagSpecification
}

type listOut struct{ PrefixList managedListOut }

// createManagedPrefixList: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateManagedPrefixList.html
func (s *Service) createManagedPrefixList(_ context.Context, in *createListIn) (*listOut, error) {
	tags, err := specified(in.TagSpecification, "pl")
	switch {
	case err != nil:
		return nil, err
	case in.AddressFamily != "IPv4":
		return nil, badValue("localaws has IPv4 only: AddressFamily is %q", in.AddressFamily)
	case strings.HasPrefix(in.PrefixListName, "com.amazonaws") || len(in.PrefixListName) > 255:
		return nil, badValue("Invalid value '%s' for PrefixListName. It must have up to 255 characters and cannot start with com.amazonaws.", in.PrefixListName)
	case in.MaxEntries < 1 || in.MaxEntries > 1000: // https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-prefix-lists
		return nil, badValue("Invalid value '%d' for MaxEntries. It must be between 1 and 1000.", in.MaxEntries)
	case len(in.Entry) > in.MaxEntries:
		return nil, fail("PrefixListMaxEntriesExceeded", "The prefix list has a maximum of %d entries, and %d are to be added", in.MaxEntries, len(in.Entry))
	case len(in.Entry) > 100:
		return nil, badValue("A request adds at most 100 entries to a prefix list, not %d", len(in.Entry))
	}
	l := &managedList{id: newID("pl"), name: in.PrefixListName, owner: s.acct.ID, most: in.MaxEntries, state: "create-complete"}
	for _, e := range in.Entry {
		p, err := netip.ParsePrefix(e.Cidr)
		if err != nil || !p.Addr().Is4() {
			return nil, badValue("The CIDR '%s' is invalid", e.Cidr)
		}
		e.Cidr = p.Masked().String()
		if slices.ContainsFunc(l.entries, func(o listEntry) bool { return o.Cidr == e.Cidr }) {
			return nil, badValue("Request cannot contain duplicate Cidr %s", e.Cidr)
		}
		l.entries = append(l.entries, e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.managed = append(s.managed, l)
	s.tags[l.id] = tags.Clone()
	out := &listOut{s.managedListOut(l)}
	out.PrefixList.State = "create-in-progress" // complete by the next look
	return out, nil
}

type describeListsIn struct {
	PrefixListId []string
	Filter       []filter
	MaxResults   *int
	NextToken    string
}

type describeListsOut struct {
	PrefixListSet []managedListOut
	NextToken     string `wire:",omitempty"`
}

// listPage is one page of at most 100, unless fewer are asked for.
func listPage[T any](all []T, name func(T) string, most *int, token string) ([]T, string, error) {
	size, ok := paging.Size(most, 100, 1, 100)
	if !ok {
		return nil, "", badValue("Value ( %d ) for parameter maxResults is invalid. Expecting a value between 1 and 100.", size)
	}
	out, next, ok := paging.Cut(all, name, size, token)
	if !ok {
		return nil, "", fail("InvalidPaginationToken", "Token is invalid")
	}
	return out, next, nil
}

// describeManagedPrefixLists: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeManagedPrefixLists.html
func (s *Service) describeManagedPrefixLists(_ context.Context, in *describeListsIn) (*describeListsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, _, err := list(s, s.lists(), "pl", in.PrefixListId, in.Filter, page{})
	if err != nil {
		return nil, err
	}
	found, next, err := listPage(found, (*managedList).ident, in.MaxResults, in.NextToken)
	out := &describeListsOut{[]managedListOut{}, next}
	for _, l := range found {
		out.PrefixListSet = append(out.PrefixListSet, s.managedListOut(l))
	}
	return out, err
}

type listEntriesIn struct {
	PrefixListId  string `wire:",required"`
	TargetVersion *int
	MaxResults    *int
	NextToken     string
}

type listEntriesOut struct {
	EntrySet  []entryOut
	NextToken string `wire:",omitempty"`
}

type entryOut struct {
	Cidr        string
	Description *string
}

// getManagedPrefixListEntries: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetManagedPrefixListEntries.html
func (s *Service) getManagedPrefixListEntries(_ context.Context, in *listEntriesIn) (*listEntriesOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := byID(s.lists(), "pl", in.PrefixListId)
	if err != nil {
		return nil, err
	}
	if in.TargetVersion != nil && *in.TargetVersion != 1 {
		return nil, badValue("The prefix list %s has no version %d: localaws has the first alone", l.id, *in.TargetVersion)
	}
	found, next, err := listPage(l.entries, func(e listEntry) string { return e.Cidr }, in.MaxResults, in.NextToken)
	out := &listEntriesOut{[]entryOut{}, next}
	for _, e := range found {
		out.EntrySet = append(out.EntrySet, entryOut{e.Cidr, optional(e.Description)})
	}
	return out, err
}

// deleteManagedPrefixList takes the order for a list that a rule names, too, and then fails: https://github.com/hashicorp/terraform-provider-aws/issues/20991
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteManagedPrefixList.html
func (s *Service) deleteManagedPrefixList(_ context.Context, in *struct {
	PrefixListId string `wire:",required"`
}) (*listOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := byID(s.managed, "pl", in.PrefixListId)
	if err != nil {
		return nil, err
	}
	out := &listOut{s.managedListOut(l)}
	out.PrefixList.State, out.PrefixList.StateMessage = "delete-in-progress", nil
	if i := slices.IndexFunc(s.rules, func(r *rule) bool { return r.list == l.id }); i >= 0 {
		l.state, l.why = "delete-failed", "The prefix list is referenced by the security group "+s.rules[i].group
		return out, nil
	}
	s.managed = slices.DeleteFunc(s.managed, func(o *managedList) bool { return o == l })
	delete(s.tags, l.id)
	return out, nil
}

// weight is how many rules of the quota a rule takes: one with a prefix list as many as that may have entries.
// https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html
func (s *Service) weight(r *rule) int {
	if l, err := byID(s.lists(), "pl", r.list); r.list != "" && err == nil {
		return l.most
	}
	return 1
}
