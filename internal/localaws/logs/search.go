package logs

import "time"

// Found is an event with its stream.
type Found struct {
	Event
	Stream string
}

// Newest returns at most limit events of a group since a time whose messages match, newest first; none if the group does not exist.
func (s *Service) Newest(group string, since time.Time, limit int, match func(message string) bool) ([]Found, error) {
	s.mu.Lock()
	g := s.groups[group]
	s.mu.Unlock()
	if g == nil {
		return nil, nil
	}
	streams, err := s.choose(g, nil, nil)
	if err != nil {
		return nil, err
	}
	m, err := newMerge(streams, ending, true)
	if err != nil {
		return nil, err
	}
	records, _, _, err := window{since.UnixMilli(), ending.at}.read(m, limit, searchBytes, match)
	if err != nil {
		return nil, err
	}
	found := make([]Found, 0, len(records))
	for _, r := range records {
		found = append(found, Found{Event{time.UnixMilli(r.at).UTC(), r.message}, r.stream.name})
	}
	return found, nil
}
