package ops

import (
	"fmt"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// Docker Hub limits pulls without a login per IPv4 address or IPv6 /64: https://docs.docker.com/docker-hub/usage/pulls/. The page has changed between 100 in
// six hours and 10 an hour; the registry's own header (ratelimit-limit) has been 100;w=21600.
const anonymousPulls = 100

// pullWarning warns when a few starts of the load reach Docker Hub's limit; "" otherwise. Every Fargate task pulls, because Fargate does not cache images:
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html. Behind a NAT gateway all tasks share one address; with public
// addresses each has its own.
func pullWarning(in *terraform.Inputs) string {
	tasks := in.Load.TaskCount
	if !fromDockerHub(in.Load.Image) || in.Load.ImageCredentials != "" || in.Load.AssignPublicIP || tasks <= anonymousPulls/10 {
		return ""
	}
	first := "by the first start"
	if starts := anonymousPulls / tasks; starts == 1 {
		first = "after one start in that time"
	} else if starts > 1 {
		first = fmt.Sprintf("after %d starts in that time", starts)
	}
	return fmt.Sprintf("warning: each of the %d tasks pulls %s from Docker Hub without a login, and Docker Hub allows %d of these pulls in 6 hours from one address, such as a NAT gateway's: "+
		"the limit is reached %s, sooner if others share the address, and then tasks do not start. Use an image in ECR, for instance through a pull-through cache (load.image), "+
		"or log in (load.image_credentials_arn)", tasks, in.Load.Image, anonymousPulls, first)
}

// fromDockerHub reports whether an image is Docker Hub's: no registry's host is in front. https://pkg.go.dev/github.com/distribution/reference
func fromDockerHub(image string) bool {
	host, _, path := strings.Cut(image, "/")
	if !path || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return true
	}
	return host == "docker.io" || host == "index.docker.io" || host == "registry-1.docker.io"
}

// threadsWarning warns when the load has more threads than vCPUs; "" otherwise. Such threads wait for each other, so the longest latencies are the load's own.
func threadsWarning(in *terraform.Inputs) string {
	vcpus := max(1, in.Load.CPU/1024)
	if in.Load.Threads <= vcpus {
		return ""
	}
	return fmt.Sprintf("warning: load.threads is %d, and load.cpu = %d is %g vCPU: threads that share one wait for each other, and the longest latencies are then the load generator's own. "+
		"Leave load.threads out to get one for each vCPU, or set load.cpu = %d with a memory size that Fargate allows for it", in.Load.Threads, in.Load.CPU, float64(in.Load.CPU)/1024, in.Load.Threads*1024)
}
