package ec2

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type networkInterface struct {
	id, owner, description, kind, subnet, vpc, zone, address string
	groups                                                   []string
	attachment                                               string
	created                                                  time.Time
}

func (i *networkInterface) ident() string { return i.id }

func (i *networkInterface) properties() map[string][]string {
	return map[string][]string{"network-interface-id": {i.id}, "subnet-id": {i.subnet}, "vpc-id": {i.vpc}, "availability-zone": {i.zone}, "group-id": i.groups,
		"description": {i.description}, "status": {"in-use"}, "private-ip-address": {i.address}, "addresses.private-ip-address": {i.address}, "interface-type": {i.kind},
		"owner-id": {i.owner}, "requester-managed": {"true"}, "attachment.attachment-id": {i.attachment}, "attachment.status": {"attached"},
		"attachment.instance-id": nil, "attachment.instance-owner-id": {"amazon-aws"}, "requester-id": {i.owner}}
}

// Attach puts a network interface into a subnet for a cache node, a task or another owner whose name becomes its
// description. The groups cannot be deleted before release, which may be called twice.
func (s *Service) Attach(owner, subnet string, groups []string) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, free := s.attach(owner, subnet, groups)
	var once sync.Once
	return func() {
		once.Do(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			free()
		})
	}
}

// Interface is a network interface as its owner shows it.
type Interface struct{ ID, Subnet, PrivateIP, MAC string }

// Interface finds the interface that was attached for an owner.
func (s *Service) Interface(owner string) (Interface, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.interfaces {
		if i.description == owner {
			return Interface{i.id, i.subnet, i.address, i.mac()}, true
		}
	}
	return Interface{}, false
}

// mac makes a locally administered address of the interface's id.
func (i *networkInterface) mac() string {
	h := i.id[len(i.id)-10:]
	return "02:" + h[:2] + ":" + h[2:4] + ":" + h[4:6] + ":" + h[6:8] + ":" + h[8:]
}

// attach is Attach with the lock held; so is its release.
func (s *Service) attach(owner, subnetID string, groups []string) (*networkInterface, func()) {
	i := &networkInterface{id: newID("eni"), owner: s.acct.ID, description: owner, kind: "interface", subnet: subnetID, groups: slices.Clone(groups),
		attachment: "eni-attach-" + account.NewID(17), created: s.acct.Clock.Now()}
	if n, err := byID(s.subnets, "subnet", subnetID); err == nil {
		i.vpc, i.zone, i.address = n.vpc, n.zone, s.freeAddress(n)
	}
	s.interfaces = append(s.interfaces, i)
	return i, func() {
		s.interfaces = slices.DeleteFunc(s.interfaces, func(o *networkInterface) bool { return o == i })
		delete(s.tags, i.id)
	}
}

// freeAddress is the first free one of a subnet; the first four belong to AWS.
func (s *Service) freeAddress(n *subnet) string {
	prefix := netip.MustParsePrefix(n.cidr)
	a := prefix.Addr()
	for range 4 {
		a = a.Next()
	}
	for slices.ContainsFunc(s.interfaces, func(i *networkInterface) bool { return i.subnet == n.id && i.address == a.String() }) {
		a = a.Next()
	}
	return a.String()
}

type attachmentOut struct {
	AttachmentId, InstanceOwnerId, Status string
	DeviceIndex                           int
	DeleteOnTermination                   bool
	AttachTime                            *wire.Time
}

type addressOut struct {
	PrivateIpAddress string
	Primary          bool
}

type interfaceOut struct {
	NetworkInterfaceId, SubnetId, VpcId, AvailabilityZone, Description, OwnerId, RequesterId, Status, MacAddress, PrivateIpAddress, InterfaceType string
	RequesterManaged, SourceDestCheck                                                                                                             bool
	GroupSet                                                                                                                                      []groupIdentifier
	Attachment                                                                                                                                    attachmentOut
	PrivateIpAddressesSet                                                                                                                         []addressOut
	TagSet                                                                                                                                        []tagset.Tag
}

type describeInterfacesIn struct {
	NetworkInterfaceId      []string
	Filter                  []filter
	IncludeManagedResources bool
	page
}

type describeInterfacesOut struct {
	NetworkInterfaceSet []interfaceOut
	NextToken           string `wire:",omitempty"`
}

func (s *Service) describeNetworkInterfaces(_ context.Context, in *describeInterfacesIn) (*describeInterfacesOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, next, err := list(s, s.interfaces, "eni", in.NetworkInterfaceId, in.Filter, in.page)
	out := &describeInterfacesOut{[]interfaceOut{}, next}
	for _, i := range found {
		out.NetworkInterfaceSet = append(out.NetworkInterfaceSet, interfaceOut{i.id, i.subnet, i.vpc, i.zone, i.description, i.owner, i.owner, "in-use", i.mac(), i.address, i.kind,
			true, true, s.identifiers(i.groups), attachmentOut{i.attachment, "amazon-aws", "attached", 1, false, wire.At(i.created)}, []addressOut{{i.address, true}}, s.tagSet(i.id)})
	}
	return out, err
}
