package ecs

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
)

// performance is Container Insights' log event of a task for a period. It is written one period later.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-reference-performance-logs-ECS.html
type performance struct {
	Version, Type, TaskId, TaskDefinitionFamily, TaskDefinitionRevision, ServiceName, ClusterName string
	Timestamp                                                                                     int64
	CpuUtilized, CpuReserved, MemoryUtilized, MemoryReserved                                      float64
}

func (x *sample) performance(at time.Time) performance {
	p := performance{Version: "0", Type: "Task", TaskId: x.t.id, TaskDefinitionFamily: x.t.definition.Family, TaskDefinitionRevision: fmt.Sprint(x.t.definition.Revision),
		ClusterName: x.t.cluster.name, Timestamp: at.UnixMilli(), CpuUtilized: x.cpu, CpuReserved: x.cpuHeld, MemoryUtilized: x.memory, MemoryReserved: x.memoryHeld}
	if x.t.service != nil {
		p.ServiceName = x.t.service.name
	}
	return p
}

// write creates the log group if it does not exist: ECS's service-linked role may create groups below /aws/ecs.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonECSServiceRolePolicy.html
func (s *Service) write(p performance) {
	group := "/aws/ecs/containerinsights/" + p.ClusterName + "/performance"
	text, err := json.Marshal(p)
	if err == nil {
		err = s.deps.Logs.Create(group)
	}
	if err == nil {
		h := fnv.New32()
		fmt.Fprint(h, p.TaskId)
		err = s.deps.Logs.Put(group, fmt.Sprintf("FargateTelemetry-%04d", h.Sum32()%10000), logs.Event{Time: time.UnixMilli(p.Timestamp), Message: string(text)})
	}
	if err != nil {
		s.acct.Log.Error("a performance log event is lost", "group", group, "error", err)
	}
}
