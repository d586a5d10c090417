package ec2

import "slices"

type (
	ipRange struct {
		CidrIp      string
		Description *string
	}
	ipv6Range struct {
		CidrIpv6    string
		Description *string
	}
	prefixList struct {
		PrefixListId string
		Description  *string
	}
	pair struct {
		UserId      *string
		GroupId     string
		Description *string
	}
	// permission groups rules of one protocol and range: the older form of rules, in requests and answers.
	permission struct {
		IpProtocol       string
		FromPort, ToPort *int
		Groups           []pair
		IpRanges         []ipRange
		Ipv6Ranges       []ipv6Range
		PrefixListIds    []prefixList
	}
)

// permissions puts rules into the older form.
func permissions(rules []*rule, egress bool) []permission {
	out := []permission{}
	for _, shared := range rules {
		if shared.egress != egress {
			continue
		}
		r := *shared // the answer is written after the lock is gone
		p := permission{IpProtocol: r.protocol, Groups: []pair{}, IpRanges: []ipRange{}, Ipv6Ranges: []ipv6Range{}, PrefixListIds: []prefixList{}}
		if r.protocol != "-1" {
			p.FromPort, p.ToPort = &r.from, &r.to
		}
		i := slices.IndexFunc(out, func(o permission) bool {
			return o.IpProtocol == p.IpProtocol && (o.FromPort == nil) == (p.FromPort == nil) && (o.FromPort == nil || *o.FromPort == r.from && *o.ToPort == r.to)
		})
		if i < 0 {
			i, out = len(out), append(out, p)
		}
		d := optional(r.description)
		switch {
		case r.peer != "":
			out[i].Groups = append(out[i].Groups, pair{&r.owner, r.peer, d})
		case r.list != "":
			out[i].PrefixListIds = append(out[i].PrefixListIds, prefixList{r.list, d})
		case r.cidr6 != "":
			out[i].Ipv6Ranges = append(out[i].Ipv6Ranges, ipv6Range{r.cidr6, d})
		default:
			out[i].IpRanges = append(out[i].IpRanges, ipRange{r.cidr4, d})
		}
	}
	return out
}

// expand turns permissions into rules without ids; the caller holds the lock.
func (s *Service) expand(group string, egress bool, in []permission) ([]*rule, error) {
	var out []*rule
	add := func(p permission, cidr4, cidr6, peer, list string, description *string) error {
		r := &rule{group: group, owner: s.acct.ID, egress: egress}
		if err := r.ports(p.IpProtocol, p.FromPort, p.ToPort); err != nil {
			return err
		}
		if err := r.describe(description); err != nil {
			return err
		}
		if err := s.source(r, cidr4, cidr6, peer, list); err != nil {
			return err
		}
		if slices.ContainsFunc(out, r.same) {
			return badValue("The same permission must not appear multiple times")
		}
		out = append(out, r)
		return nil
	}
	for _, p := range in {
		n := len(out)
		for _, l := range p.PrefixListIds {
			if err := add(p, "", "", "", l.PrefixListId, l.Description); err != nil {
				return nil, err
			}
		}
		for _, g := range p.Groups {
			if g.UserId != nil && *g.UserId != "" && *g.UserId != s.acct.ID {
				return nil, fail("InvalidGroup.NotFound", "security group %s of account %s: localaws serves rules within one account only", g.GroupId, *g.UserId)
			}
			if err := add(p, "", "", g.GroupId, "", g.Description); err != nil {
				return nil, err
			}
		}
		for _, c := range p.IpRanges {
			if err := add(p, c.CidrIp, "", "", "", c.Description); err != nil {
				return nil, err
			}
		}
		for _, c := range p.Ipv6Ranges {
			if err := add(p, "", c.CidrIpv6, "", "", c.Description); err != nil {
				return nil, err
			}
		}
		if len(out) == n {
			return nil, fail("MissingParameter", "Source group missing.")
		}
	}
	if len(out) == 0 {
		return nil, fail("MissingParameter", "The request must contain the parameter ipPermissions")
	}
	return out, nil
}
