package report

import "fmt"

// zonePrice is the source of the price of a GB between zones. ElastiCache does not bill it; the other end is billed like an EC2 instance, in and out
// at the same price: https://aws.amazon.com/elasticache/pricing/
const zonePrice = "https://aws.amazon.com/ec2/pricing/on-demand/ (0.01 USD a GB in each direction, on the tasks' side only), as of 2026-11-28"

// betweenZones is how many GB (10^9 bytes) of requests and replies crossed zones. A task's traffic is assumed to be spread evenly over the nodes that
// serve it: it crosses zones in the share of those nodes that are in other zones.
func (a *analysis) betweenZones() (gb *float64, how string) {
	if a.m == nil || a.m.Membership == nil || a.l == nil || a.Configuration.ServerlessCache != "" {
		return nil, "the zones are not known"
	}
	var zones []string
	for _, n := range a.m.Membership.Nodes {
		if serves := map[bool]string{true: "replica", false: "primary"}[a.reads == "replicas"]; n.Role != "" && n.Role != serves {
			continue
		}
		if n.AvailabilityZone == "" {
			return nil, "the zones of the nodes are not known"
		}
		zones = append(zones, n.AvailabilityZone)
	}
	if len(zones) == 0 {
		return nil, "the zones of the nodes are not known"
	}
	all, crossed, of := 0.0, 0.0, a.m.zones()
	for _, k := range a.l.order {
		zone := of[shortID(k.task.ID)]
		if zone == "" {
			return nil, "the zones of the tasks are not known"
		}
		elsewhere := 0
		for _, z := range zones {
			if z != zone {
				elsewhere++
			}
		}
		all += k.bytes
		crossed += k.bytes * float64(elsewhere) / float64(len(zones))
	}
	return known(crossed / 1e9), fmt.Sprintf("of %.3g GB of requests and replies, by the share of task-node pairs in different zones; without prefill and protocol overhead", all/1e9)
}
