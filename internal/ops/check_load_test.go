package ops

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

func TestPullsOfDockerHub(t *testing.T) {
	const hub = "redislabs/memtier_benchmark:2.3.1"
	for name, c := range map[string]struct {
		tasks              int
		image, credentials string
		public             bool
		want               string
	}{
		"ten tasks":         {tasks: 10, image: hub},
		"eleven":            {tasks: 11, image: hub, want: "each of the 11 tasks pulls redislabs/memtier_benchmark:2.3.1 from Docker Hub without a login"},
		"starts are said":   {tasks: 40, image: hub, want: "the limit is reached after 2 starts in that time"},
		"one start":         {tasks: 90, image: hub, want: "the limit is reached after one start in that time"},
		"none":              {tasks: 101, image: hub, want: "the limit is reached by the first start"},
		"ways out":          {tasks: 40, image: "docker.io/" + hub, want: "Use an image in ECR, for instance through a pull-through cache (load.image), or log in (load.image_credentials_arn)"},
		"official":          {tasks: 40, image: "redis:8", want: "pulls redis:8 from Docker Hub"},
		"with a login":      {tasks: 40, image: hub, credentials: "arn:aws:secretsmanager:us-east-1:123456789012:secret:hub"},
		"own addresses":     {tasks: 40, image: hub, public: true},
		"ECR":               {tasks: 40, image: "123456789012.dkr.ecr.us-east-1.amazonaws.com/docker-hub/" + hub},
		"another registry":  {tasks: 40, image: "ghcr.io/" + hub},
		"registry by port":  {tasks: 40, image: "registry:5000/" + hub},
		"registry at home ": {tasks: 40, image: "localhost/" + hub},
	} {
		t.Run(name, func(t *testing.T) {
			in := &terraform.Inputs{}
			in.Load.TaskCount, in.Load.Image, in.Load.ImageCredentials, in.Load.AssignPublicIP = c.tasks, c.image, c.credentials, c.public
			if c.want == "" {
				require.Empty(t, pullWarning(in))
			} else {
				require.Contains(t, pullWarning(in), c.want)
			}
		})
	}
}

func TestThreadsAboveCPU(t *testing.T) {
	in := &terraform.Inputs{}
	for threads, cpu := range map[int]int{0: 1024, 1: 256, 2: 2048, 4: 4096} {
		in.Load.Threads, in.Load.CPU = threads, cpu
		require.Empty(t, threadsWarning(in))
	}
	in.Load.Threads, in.Load.CPU = 4, 1024
	require.Contains(t, threadsWarning(in), "load.threads is 4, and load.cpu = 1024 is 1 vCPU")
	require.Contains(t, threadsWarning(in), "set load.cpu = 4096")
}
