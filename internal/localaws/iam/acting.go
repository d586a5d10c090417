package iam

import (
	"maps"
	"slices"
	"time"
)

// grants are what a role's policies are.
type grants struct {
	inline   map[string]inline
	attached []string // ARNs
	boundary string   // ARN
}

// past is grants that still apply until a time, after new ones were written.
type past struct {
	grants
	until time.Time
}

// write is called before the policies of a role change: the old ones still apply for a while, because IAM is eventually consistent. The caller holds the lock.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency
func (s *Service) write(r *role) {
	if d := s.acct.Delays.PolicyReady; d > 0 {
		was := grants{maps.Clone(r.inline), slices.Clone(r.attached), r.boundary}
		r.past = append(r.past, past{was, s.acct.Clock.Now().Add(d)})
	}
}

// acting returns the grants that apply now. The caller holds the lock.
func (s *Service) acting(r *role) grants {
	now := s.acct.Clock.Now()
	r.past = slices.DeleteFunc(r.past, func(p past) bool { return !now.Before(p.until) })
	if len(r.past) > 0 {
		return r.past[0].grants
	}
	return r.grants
}

// Act makes all policies apply as they are written, for tests that have an embedded AWS of their own.
func (s *Service) Act() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.roles {
		r.past = nil
	}
}
