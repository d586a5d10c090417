package ops

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/campaign"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
)

// underWay tracks the cells that this command is running, with the last log line and view of each.
type underWay struct {
	mu    sync.Mutex
	words map[string]string      // by cell: the last line of its log, never ""
	views map[string]*stack.View // by cell: the last view of its stack
	took  time.Duration          // total of the cells that have ended
}

func newUnderWay() *underWay {
	return &underWay{words: map[string]string{}, views: map[string]*stack.View{}}
}

func (u *underWay) start(cell campaign.Cell) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.words[key(cell)] = "starts"
}

func (u *underWay) end(cell campaign.Cell, took time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.words, key(cell))
	u.took += took
}

// noteLine keeps the last line of a cell's log.
func (u *underWay) noteLine(cell campaign.Cell, line string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.words[key(cell)] != "" {
		u.words[key(cell)] = line
	}
}

// see keeps the last view of a cell's stack.
func (u *underWay) see(cell campaign.Cell, v *stack.View) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.views[key(cell)] = v
}

// last returns the last log line and view of a cell; "" if it is not under way.
func (u *underWay) last(cell campaign.Cell) (word string, v *stack.View) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if word = u.words[key(cell)]; word == "" {
		return "", nil
	}
	return word, u.views[key(cell)]
}

// names returns the keys of the cells under way.
func (u *underWay) names() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Collect(maps.Keys(u.words))
}
