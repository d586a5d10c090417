package ec2

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
)

// rule is one direction, one protocol, one range of ports and one peer. Ports are -1 when the protocol has none.
type rule struct {
	id, group, owner   string
	egress             bool
	protocol           string
	from, to           int
	cidr4, cidr6, peer string
	list               string // of prefixes
	description        string
}

func (r *rule) ident() string { return r.id }

func (r *rule) properties() map[string][]string {
	return map[string][]string{"group-id": {r.group}, "security-group-rule-id": {r.id}}
}

// same compares what a rule allows; descriptions do not count.
func (r *rule) same(o *rule) bool {
	return r.group == o.group && r.egress == o.egress && r.protocol == o.protocol && r.from == o.from && r.to == o.to && r.cidr4 == o.cidr4 && r.cidr6 == o.cidr6 && r.peer == o.peer && r.list == o.list
}

func number(port int) string {
	if port < 0 {
		return ""
	}
	return strconv.Itoa(port)
}

func (s *Service) rulesOf(group string) []*rule {
	var out []*rule
	for _, r := range s.rules {
		if r.group == group {
			out = append(out, r)
		}
	}
	return out
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

var protocols = map[string]string{"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": "-1"}

// ports checks and normalizes protocol and range.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
func (r *rule) ports(protocol string, from, to *int) error {
	r.protocol, r.from, r.to = strings.ToLower(protocol), -1, -1
	if name, ok := protocols[r.protocol]; ok {
		r.protocol = name
	}
	switch r.protocol {
	case "tcp", "udp":
		if from == nil || to == nil {
			return badValue("Invalid value for portRange. Must specify both from and to ports with TCP/UDP.")
		}
		if *from < 0 || *from > 65535 || *to < 0 || *to > 65535 {
			return badValue("Invalid value '%d-%d' for portRange. Ports must be between 0 and 65535.", *from, *to)
		}
		if *from > *to {
			return badValue("Invalid TCP/UDP port range (%d:%d)", *from, *to)
		}
		r.from, r.to = *from, *to
	case "icmp", "icmpv6": // type and code; -1 is every one
		if from != nil {
			r.from = *from
		}
		if to != nil {
			r.to = *to
		}
	case "-1":
	default:
		if n, err := strconv.Atoi(r.protocol); err != nil || n < 0 || n > 255 {
			return badValue("Invalid value '%s' for IP protocol. Unknown protocol.", protocol)
		}
	}
	return nil
}

var descriptionText = regexp.MustCompile(`^[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{0,255}$`)

func (r *rule) describe(text *string) error {
	r.description = ""
	if text == nil {
		return nil
	}
	if !descriptionText.MatchString(*text) {
		return badValue("Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")
	}
	r.description = *text
	return nil
}

// source sets the peer of a rule: exactly one of the four.
func (s *Service) source(r *rule, cidr4, cidr6, peer, list string) error {
	r.cidr4, r.cidr6, r.peer, r.list = "", "", "", ""
	block := cidr4 + cidr6
	switch {
	case list != "" && block+peer == "":
		l, err := byID(s.lists(), "pl", list)
		if err != nil {
			return err
		}
		r.list = l.id
	case block != "" && peer+list == "":
		p, err := netip.ParsePrefix(block)
		if err != nil || p.Addr().Is4() != (cidr4 != "") {
			return badValue("CIDR block %s is malformed", block)
		}
		if block = p.Masked().String(); cidr4 != "" { // AWS keeps the canonical form
			r.cidr4 = block
		} else {
			r.cidr6 = block
		}
	case peer != "" && block+list == "":
		g, err := byID(s.groups, "sg", peer)
		if err != nil {
			return err
		}
		own, err := byID(s.groups, "sg", r.group)
		if err != nil {
			return err
		}
		if g.vpc != own.vpc {
			return fail("InvalidParameter", "You have specified two resources that belong to different networks.")
		}
		r.peer = peer
	default:
		return fail("MissingParameter", "Source/Destination must be exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId")
	}
	return nil
}

type authorizeIn struct {
	GroupId          string `wire:",required"`
	IpPermissions    []permission
	TagSpecification []tagSpecification
}

type referencedGroup struct{ GroupId, UserId string }

type ruleOut struct {
	SecurityGroupRuleId, SecurityGroupRuleArn, GroupId, GroupOwnerId string
	IsEgress                                                         bool
	IpProtocol                                                       string
	FromPort, ToPort                                                 int
	CidrIpv4, CidrIpv6, PrefixListId                                 *string
	ReferencedGroupInfo                                              *referencedGroup
	Description                                                      *string
	TagSet                                                           []tagset.Tag
}

func (s *Service) ruleOut(r *rule) ruleOut {
	o := ruleOut{r.id, s.acct.ARN("ec2", "security-group-rule/"+r.id), r.group, r.owner, r.egress, r.protocol, r.from, r.to,
		optional(r.cidr4), optional(r.cidr6), optional(r.list), nil, optional(r.description), s.tagSet(r.id)}
	if r.peer != "" {
		o.ReferencedGroupInfo = &referencedGroup{r.peer, r.owner}
	}
	return o
}

type rulesOut struct {
	Return               bool
	SecurityGroupRuleSet []ruleOut
}

// rulesPerGroup is the quota on either direction: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups
const rulesPerGroup = 60

func (s *Service) authorize(in *authorizeIn, egress bool) (*rulesOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := byID(s.groups, "sg", in.GroupId); err != nil {
		return nil, err
	}
	rules, err := s.expand(in.GroupId, egress, in.IpPermissions)
	if err != nil {
		return nil, err
	}
	tags, err := specified(in.TagSpecification, "sgr")
	if err != nil {
		return nil, err
	}
	n := 0
	for _, have := range s.rulesOf(in.GroupId) {
		if have.egress == egress {
			n += s.weight(have)
		}
		if slices.ContainsFunc(rules, have.same) {
			peer := have.cidr4 + have.cidr6 + have.peer + have.list
			detail := fmt.Sprintf("peer: %s, ALL, ALLOW", peer)
			if have.protocol != "-1" {
				detail = fmt.Sprintf("peer: %s, %s, from port: %d, to port: %d, ALLOW", peer, strings.ToUpper(have.protocol), have.from, have.to)
			}
			return nil, fail("InvalidPermission.Duplicate", `the specified rule "%s" already exists`, detail)
		}
	}
	for _, r := range rules {
		n += s.weight(r)
	}
	if n > rulesPerGroup {
		return nil, fail("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
	}
	out := &rulesOut{true, []ruleOut{}}
	for _, r := range rules {
		r.id = newID("sgr")
		s.rules = append(s.rules, r)
		s.tags[r.id] = tags.Clone()
		out.SecurityGroupRuleSet = append(out.SecurityGroupRuleSet, s.ruleOut(r))
	}
	return out, nil
}

func (s *Service) authorizeIngress(_ context.Context, in *authorizeIn) (*rulesOut, error) {
	return s.authorize(in, false)
}

func (s *Service) authorizeEgress(_ context.Context, in *authorizeIn) (*rulesOut, error) {
	return s.authorize(in, true)
}

type revokeIn struct {
	GroupId             string `wire:",required"`
	IpPermissions       []permission
	SecurityGroupRuleId []string
}

func (s *Service) revoke(in *revokeIn, egress bool) (*done, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := byID(s.groups, "sg", in.GroupId); err != nil {
		return nil, err
	}
	var gone []*rule
	for _, id := range in.SecurityGroupRuleId {
		r, err := byID(s.rules, "sgr", id)
		if err != nil {
			return nil, err
		}
		if r.group != in.GroupId || r.egress != egress {
			return nil, missing("sgr", id)
		}
		gone = append(gone, r)
	}
	if len(in.IpPermissions) > 0 || len(gone) == 0 {
		rules, err := s.expand(in.GroupId, egress, in.IpPermissions)
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			i := slices.IndexFunc(s.rules, r.same)
			if i < 0 {
				return nil, fail("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
			}
			gone = append(gone, s.rules[i])
		}
	}
	for _, r := range gone {
		s.rules = slices.DeleteFunc(s.rules, func(o *rule) bool { return o == r })
		delete(s.tags, r.id)
	}
	return &done{true}, nil
}

func (s *Service) revokeIngress(_ context.Context, in *revokeIn) (*done, error) {
	return s.revoke(in, false)
}

func (s *Service) revokeEgress(_ context.Context, in *revokeIn) (*done, error) {
	return s.revoke(in, true)
}

type describeRulesIn struct {
	SecurityGroupRuleId []string
	Filter              []filter
	page
}

type describeRulesOut struct {
	SecurityGroupRuleSet []ruleOut
	NextToken            string `wire:",omitempty"`
}

func (s *Service) describeSecurityGroupRules(_ context.Context, in *describeRulesIn) (*describeRulesOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, next, err := list(s, s.rules, "sgr", in.SecurityGroupRuleId, in.Filter, in.page)
	out := &describeRulesOut{[]ruleOut{}, next}
	for _, r := range found {
		out.SecurityGroupRuleSet = append(out.SecurityGroupRuleSet, s.ruleOut(r))
	}
	return out, err
}

type ruleRequest struct {
	IpProtocol                                          string
	FromPort, ToPort                                    *int
	CidrIpv4, CidrIpv6, PrefixListId, ReferencedGroupId string
	Description                                         *string
}

type ruleUpdate struct {
	SecurityGroupRuleId string `wire:",required"`
	SecurityGroupRule   ruleRequest
}

type modifyRulesIn struct {
	GroupId           string       `wire:",required"`
	SecurityGroupRule []ruleUpdate `wire:",required"`
}

// modifySecurityGroupRules replaces everything about rules but the kind of their peer.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html
func (s *Service) modifySecurityGroupRules(_ context.Context, in *modifyRulesIn) (*done, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := byID(s.groups, "sg", in.GroupId); err != nil {
		return nil, err
	}
	type change struct{ old, new *rule }
	var changes []change
	for _, u := range in.SecurityGroupRule {
		r, err := byID(s.rules, "sgr", u.SecurityGroupRuleId)
		if err != nil {
			return nil, err
		}
		if r.group != in.GroupId {
			return nil, missing("sgr", r.id)
		}
		next, req := *r, u.SecurityGroupRule
		if err := next.ports(req.IpProtocol, req.FromPort, req.ToPort); err != nil {
			return nil, err
		}
		if err := next.describe(req.Description); err != nil {
			return nil, err
		}
		if err := s.source(&next, req.CidrIpv4, req.CidrIpv6, req.ReferencedGroupId, req.PrefixListId); err != nil {
			return nil, err
		}
		if (next.cidr4 == "") != (r.cidr4 == "") || (next.cidr6 == "") != (r.cidr6 == "") || (next.list == "") != (r.list == "") {
			return nil, badValue("The source type of security group rule %s cannot be changed", r.id)
		}
		if slices.ContainsFunc(s.rules, func(o *rule) bool { return o != r && o.same(&next) }) {
			return nil, fail("InvalidPermission.Duplicate", "the specified rule already exists")
		}
		changes = append(changes, change{r, &next})
	}
	for _, c := range changes {
		*c.old = *c.new
	}
	return &done{true}, nil
}
