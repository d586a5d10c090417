package authorize

import "slices"

// Members are the input members that the line of an action reads; false without a line.
func Members(service, action string) ([]string, bool) {
	r, ok := rules[service][action]
	return slices.Compact(slices.Sorted(slices.Values(r.members()))), ok
}
