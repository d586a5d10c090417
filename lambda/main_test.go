package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLimitsFollowTheFunctionsMemory(t *testing.T) {
	for memory, want := range map[string][2]int64{"": {192, 64}, "256": {192, 64}, "512": {192, 64}, "2048": {192 + 1152, 64 + 768}} {
		runtime, pages := limits(memory)
		assert.Equal(t, want, [2]int64{runtime >> 20, pages >> 20}, memory)
	}
}
