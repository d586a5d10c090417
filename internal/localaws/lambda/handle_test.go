package lambda

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/proc"
)

// A function that answers at once asks for the next event before anybody has looked at its answer: neither gets lost.
func TestAnAnswerAndTheNextQuestionAtOnce(t *testing.T) {
	p, err := proc.Start(proc.Spec{Path: "/bin/sleep", Args: []string{"3600"}})
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	b := &sandbox{service: &Service{ctx: context.Background()}, process: p, events: make(chan invocation), ready: make(chan struct{}, 1), posted: make(chan outcome, 1)}
	b.ready <- struct{}{} // it has started and asks for its first event
	for range 200 {
		go func() {
			<-b.events
			b.answer(outcome{payload: []byte("{}")})
			b.ready <- struct{}{}
		}()
		out, status := b.handle(invocation{id: "id"}, 10*time.Minute)
		require.Equal(t, "success", status)
		require.Equal(t, "{}", string(out.payload))
	}
}
