package ecs

// Processes counts the process objects that tasks hold.
func (s *Service) Processes() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tasks {
		for _, c := range t.containers {
			if c.process != nil {
				n++
			}
		}
	}
	return n
}
