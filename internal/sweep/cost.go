package sweep

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"

	"github.com/elasticache-perf/elasticache-perf/internal/price"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// Cost is the cost of a stack so far, at list prices.
type Cost struct {
	USD     float64
	Of      string // what USD was computed from
	Missing string // what has no price, so is not in USD
}

// costOf prices what runs now, since its creation. If nothing runs, it takes the cost of the latest run from its manifest.
func costOf(ctx context.Context, s *stack.Stack) (c Cost, err error) {
	now, prices := time.Now(), price.Dated(s.AWS.Region)
	var of, missing []string
	if group := s.Config.Cache.ReplicationGroup; s.Config.Cache.Delete && group != "" {
		out, err := elasticache.NewFromConfig(s.AWS).DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &group})
		if err != nil && !stack.Missing(err) {
			return c, fmt.Errorf("cache %s: %w", group, err)
		}
		if err == nil && len(out.ReplicationGroups) > 0 {
			g := out.ReplicationGroups[0]
			// A started node-hour counts as a whole one: https://aws.amazon.com/elasticache/pricing/
			hours := math.Ceil(now.Sub(aws.ToTime(g.ReplicationGroupCreateTime)).Hours()) * float64(len(g.MemberClusters))
			usd, ok := prices.NodeHour(aws.ToString(g.CacheNodeType), aws.ToString(g.Engine))
			c.USD += hours * usd
			of = append(of, fmt.Sprintf("%.0f node-hours", hours))
			if !ok {
				missing = append(missing, fmt.Sprintf("%s with %s in %s", aws.ToString(g.CacheNodeType), aws.ToString(g.Engine), s.AWS.Region))
			}
		}
	}
	if name := s.Config.Cache.Serverless; s.Config.Cache.Delete && name != "" {
		if status, err := s.CacheStatus(ctx); err != nil {
			return c, err
		} else if status != "" {
			missing = append(missing, "the serverless cache, which is billed by its data and requests")
		}
	}
	service, err := s.Service(ctx)
	if err != nil {
		return c, err
	}
	if service != nil && service.RunningCount > 0 {
		usd, tasks, lacks, err := fargate(ctx, s, aws.ToString(service.TaskDefinition), int(service.RunningCount), now.Sub(aws.ToTime(service.CreatedAt)))
		if err != nil {
			return c, err
		}
		c.USD += usd
		of, missing = append(of, tasks), append(missing, lacks...)
	}
	if len(of)+len(missing) == 0 && s.Config.Bucket != "" {
		m, err := s.Latest(ctx)
		if err == nil && m != nil { // a bucket that cannot be read is no reason to fail
			whole := false
			if c.USD, whole = OfManifest(ctx, m); !whole {
				missing = append(missing, "all of that run")
			}
			of = append(of, "the manifest of "+m.Run)
		}
	}
	c.Of, c.Missing = strings.Join(of, ", "), strings.Join(missing, ", ")
	return c, nil
}

// fargate prices tasks as if they had all run since their service was created.
func fargate(ctx context.Context, s *stack.Stack, definition string, tasks int, since time.Duration) (usd float64, of string, missing []string, err error) {
	out, err := ecs.NewFromConfig(s.AWS).DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &definition})
	if err != nil {
		return 0, "", nil, fmt.Errorf("task definition %s: %w", definition, err)
	}
	architecture := "X86_64"
	if p := out.TaskDefinition.RuntimePlatform; p != nil && p.CpuArchitecture != "" {
		architecture = string(p.CpuArchitecture)
	}
	cpu, _ := strconv.ParseFloat(aws.ToString(out.TaskDefinition.Cpu), 64)
	memory, _ := strconv.ParseFloat(aws.ToString(out.TaskDefinition.Memory), 64)
	vcpu, gb, ok := price.Dated(s.AWS.Region).Fargate(architecture)
	if !ok {
		missing = append(missing, fmt.Sprintf("Fargate with %s in %s", architecture, s.AWS.Region))
	}
	hours := since.Hours() * float64(tasks)
	return hours * (cpu/1024*vcpu + memory/1024*gb), fmt.Sprintf("%.1f task-hours", hours), missing, nil
}

// OfManifest returns the cost of a run in USD by its manifest, and whether that is all of it: what has no price counts as 0.
func OfManifest(ctx context.Context, m *export.Manifest) (usd float64, whole bool) {
	r, err := report.Analyze(ctx, report.Run{Manifest: m})
	if err != nil {
		return 0, false
	}
	for _, item := range r.Cost.Items {
		if item.USD != nil {
			usd += *item.USD
		}
	}
	return usd, r.Cost.TotalUSD != nil
}
