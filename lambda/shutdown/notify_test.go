package shutdown

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// SNS takes messages of 256 KiB: 5,000 tasks are told by how they ended, and what is longer all the same is cut.
func TestMessagesOfThousandsOfTasks(t *testing.T) {
	w := newWorld()
	for i := range 5_000 {
		task := w.tasks[i%2]
		task.TaskArn = aws.String(fmt.Sprintf("arn:aws:ecs:us-east-1:123456789012:task/perf/%032d", i))
		if i%1000 == 7 {
			task.Containers, task.StoppedReason = nil, aws.String("Task failed to start")
		}
		w.tasks = append(w.tasks, task)
	}
	_, err := w.handle("stop", ActionStop)
	require.NoError(t, err)
	w.assertEnded(t)
	require.Len(t, w.published, 1)
	assert.Contains(t, w.published[0], "; 4997 tasks exited with 0; 5 tasks stopped: Task failed to start\n")
	assert.Less(t, len(w.published[0]), 2_000)

	w = newWorld()
	w.before = func(_ int, op string) error {
		if op == "GetMetricData" {
			return apiError(strings.Repeat("ü", 300_000))
		}
		return nil
	}
	_, err = w.handle("stop", ActionStop)
	require.Error(t, err)
	require.Len(t, w.published, 1)
	assert.Less(t, len(w.published[0]), 256<<10)
	assert.True(t, utf8.ValidString(w.published[0]))
	assert.Contains(t, w.published[0], "... and more: see the manifest")
}
