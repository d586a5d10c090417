package ec2

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
)

type group struct{ id, vpc, name, description, owner string }

// SecurityGroup is a security group as other services see it.
type SecurityGroup struct{ ID, VPC, Name string }

// SecurityGroup finds a security group by its id.
func (s *Service) SecurityGroup(id string) (SecurityGroup, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := byID(s.groups, "sg", id)
	if err != nil {
		return SecurityGroup{}, false
	}
	return SecurityGroup{g.id, g.vpc, g.name}, true
}

// DefaultSecurityGroup is the id of the VPC's default group, which an interface gets when none is named.
func (s *Service) DefaultSecurityGroup(vpc string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.defaultGroup(vpc)
}

func (g *group) ident() string { return g.id }

// described joins a group with its rules, for filters on them.
type described struct {
	*group
	rules []*rule
}

func (d described) properties() map[string][]string {
	p := map[string][]string{"group-id": {d.id}, "group-name": {d.name}, "vpc-id": {d.vpc}, "description": {d.description}, "owner-id": {d.owner}}
	for _, way := range []string{"", "egress."} {
		for _, name := range []string{"cidr", "ipv6-cidr", "from-port", "to-port", "protocol", "group-id", "prefix-list-id"} {
			p[way+"ip-permission."+name] = nil
		}
		for _, r := range d.rules {
			if r.egress != (way != "") {
				continue
			}
			for name, value := range map[string]string{"cidr": r.cidr4, "ipv6-cidr": r.cidr6, "from-port": number(r.from), "to-port": number(r.to), "protocol": r.protocol, "group-id": r.peer, "prefix-list-id": r.list} {
				if value != "" {
					p[way+"ip-permission."+name] = append(p[way+"ip-permission."+name], value)
				}
			}
		}
	}
	return p
}

func (g *group) properties() map[string][]string { return described{g, nil}.properties() }

var groupText = regexp.MustCompile(`^[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}$`)

type createGroupIn struct {
	GroupName        string `wire:",required"`
	GroupDescription string `wire:",required"`
	VpcId            string
	TagSpecification []tagSpecification
}

type createGroupOut struct {
	GroupId, SecurityGroupArn string
	TagSet                    []tagset.Tag
}

// createSecurityGroup makes a group that lets everything out and nothing in.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
func (s *Service) createSecurityGroup(_ context.Context, in *createGroupIn) (*createGroupOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.VpcId == "" {
		return nil, fail("VPCIdNotSpecified", "No default VPC for this user")
	}
	if _, err := byID(s.vpcs, "vpc", in.VpcId); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"group name": in.GroupName, "security group description": in.GroupDescription} {
		if !groupText.MatchString(text) {
			return nil, badValue("Value (%s) for parameter %s is invalid. Character sets beyond ASCII are not supported.", text, name)
		}
	}
	if strings.HasPrefix(strings.ToLower(in.GroupName), "sg-") || in.GroupName == "default" {
		return nil, badValue("Value (%s) for parameter GroupName is invalid. Group names may not be in the format sg-*, and default is reserved.", in.GroupName)
	}
	if slices.ContainsFunc(s.groups, func(g *group) bool { return g.vpc == in.VpcId && g.name == in.GroupName }) {
		return nil, fail("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", in.GroupName, in.VpcId)
	}
	tags, err := specified(in.TagSpecification, "sg")
	if err != nil {
		return nil, err
	}
	g := &group{newID("sg"), in.VpcId, in.GroupName, in.GroupDescription, s.acct.ID}
	s.groups = append(s.groups, g)
	s.rules = append(s.rules, &rule{id: newID("sgr"), group: g.id, egress: true, protocol: "-1", from: -1, to: -1, cidr4: "0.0.0.0/0", owner: g.owner})
	s.tags[g.id] = tags.Clone()
	return &createGroupOut{g.id, s.acct.ARN("ec2", "security-group/"+g.id), s.tagSet(g.id)}, nil
}

type groupOut struct {
	OwnerId, GroupName, GroupDescription, GroupId, VpcId, SecurityGroupArn string
	IpPermissions, IpPermissionsEgress                                     []permission
	TagSet                                                                 []tagset.Tag
}

type describeGroupsIn struct {
	GroupId   []string
	GroupName []string
	Filter    []filter
	page
}

type describeGroupsOut struct {
	SecurityGroupInfo []groupOut
	NextToken         string `wire:",omitempty"`
}

func (s *Service) describeSecurityGroups(_ context.Context, in *describeGroupsIn) (*describeGroupsOut, error) {
	if len(in.GroupName) > 0 { // names are for the default VPC, which is not there
		return nil, fail("InvalidGroup.NotFound", "The security group '%s' does not exist in default VPC", in.GroupName[0])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var every []described
	for _, g := range s.groups {
		every = append(every, described{g, s.rulesOf(g.id)})
	}
	found, next, err := list(s, every, "sg", in.GroupId, in.Filter, in.page)
	out := &describeGroupsOut{[]groupOut{}, next}
	for _, d := range found {
		out.SecurityGroupInfo = append(out.SecurityGroupInfo, groupOut{d.owner, d.name, d.description, d.id, d.vpc, s.acct.ARN("ec2", "security-group/"+d.id),
			permissions(d.rules, false), permissions(d.rules, true), s.tagSet(d.id)})
	}
	return out, err
}

type deleteGroupIn struct {
	GroupId string `wire:",required"`
}

type deleteGroupOut struct {
	Return  bool
	GroupId string
}

// deleteSecurityGroup refuses a group that an interface has or that a rule of another group names.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
func (s *Service) deleteSecurityGroup(_ context.Context, in *deleteGroupIn) (*deleteGroupOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := byID(s.groups, "sg", in.GroupId)
	if err != nil {
		return nil, err
	}
	if g.name == "default" {
		return nil, fail("CannotDelete", `the specified group: "%s" name: "default" cannot be deleted by a user`, g.id)
	}
	if slices.ContainsFunc(s.interfaces, func(i *networkInterface) bool { return slices.Contains(i.groups, g.id) }) ||
		slices.ContainsFunc(s.rules, func(r *rule) bool { return r.peer == g.id && r.group != g.id }) {
		return nil, fail("DependencyViolation", "resource %s has a dependent object", g.id)
	}
	for _, r := range s.rulesOf(g.id) {
		delete(s.tags, r.id)
	}
	s.rules = slices.DeleteFunc(s.rules, func(r *rule) bool { return r.group == g.id })
	s.groups = slices.DeleteFunc(s.groups, func(o *group) bool { return o == g })
	delete(s.tags, g.id)
	return &deleteGroupOut{true, g.id}, nil
}

// Reaches tells whether TCP from something with the groups from gets to port of something with the groups to: a
// rule of from has to let it out and one of to has to let it in; answers need no rules.
// https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
// A rule with addresses, or with a list of them, holds when one covers every interface with the other side's groups, or, when there is none
// yet, the whole VPC.
func (s *Service) Reaches(from, to []string, port int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lets(from, true, to, port) && s.lets(to, false, from, port)
}

func (s *Service) lets(groups []string, egress bool, peers []string, port int) bool {
	for _, r := range s.rules {
		if r.egress != egress || !slices.Contains(groups, r.group) || r.protocol != "-1" && (r.protocol != "tcp" || port < r.from || port > r.to) {
			continue
		}
		if r.peer != "" && slices.Contains(peers, r.peer) || r.cidr4 != "" && s.covers(r.cidr4, peers) {
			return true
		}
		if l, err := byID(s.lists(), "pl", r.list); r.list != "" && err == nil && slices.ContainsFunc(l.entries, func(e listEntry) bool { return s.covers(e.Cidr, peers) }) {
			return true
		}
	}
	return false
}

func (s *Service) covers(cidr string, groups []string) bool {
	prefix := netip.MustParsePrefix(cidr)
	attached := false
	for _, i := range s.interfaces {
		if i.address != "" && slices.ContainsFunc(i.groups, func(g string) bool { return slices.Contains(groups, g) }) {
			if attached = true; !prefix.Contains(netip.MustParseAddr(i.address)) {
				return false
			}
		}
	}
	if attached {
		return true
	}
	for _, id := range groups {
		g, err := byID(s.groups, "sg", id)
		if err != nil {
			continue
		}
		v, err := byID(s.vpcs, "vpc", g.vpc)
		if err != nil {
			continue
		}
		whole := netip.MustParsePrefix(v.cidr)
		return prefix.Bits() <= whole.Bits() && prefix.Contains(whole.Addr())
	}
	return false
}
