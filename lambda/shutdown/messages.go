package shutdown

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/reference"
)

// The texts of the messages, one for each step of a run.

// started notifies that the run starts. The preflight sends it last, which proves that the later messages can be sent.
func (r *run) started(ctx context.Context) error {
	current, err := r.current(ctx)
	if err != nil {
		return err
	}
	return r.publish(ctx, "started", fmt.Sprintf("Run %s of %s starts: its cache and its load are being created, and the load runs for %d minutes once it is up.\n"+
		"Whatever happens, the run ends by %s. `go tool mage status` shows where it stands, `go tool mage stop` ends it now.\n",
		r.id, r.cfg.Name, r.cfg.Minutes, current.StopBy.Format(time.RFC3339)))
}

// advice is the command to run if the run does not end.
func (r *run) advice() string {
	return fmt.Sprintf("It is tried again every %v minutes. `go tool mage status` shows where it stands, `RUN=%s go tool mage export` exports by hand, `go tool mage destroy` ends and removes it.\n",
		WatchEvery.Minutes(), r.id)
}

// runningMessage describes the load at its start: when it ends, and what is billed until then.
func (r *run) runningMessage(service *types.Service, stops, stopBy time.Time) string {
	return fmt.Sprintf("The load of run %s of %s is running: %d of %d tasks.\n"+
		"It stops at about %s, and the run ends by %s in any case.\n"+
		"Billed until then: %s; %s. %s\n",
		r.id, r.cfg.Name, service.RunningCount, service.DesiredCount, stops.Format(time.RFC3339), stopBy.Format(time.RFC3339), r.cacheSize(), r.loadSize(int(service.DesiredCount)), r.price(int(service.DesiredCount)))
}

// sizes are the billed sizes in the stack's settings.
type sizes struct {
	Cache struct {
		Engine   string `json:"engine"`
		NodeType string `json:"node_type"`
		Shards   int    `json:"shards"` // 0: cluster mode off
		Replicas int    `json:"replicas"`
	} `json:"cache"`
	Load struct {
		Architecture string `json:"architecture"`
		CPU          int    `json:"cpu"`    // 1,024 a vCPU
		Memory       int    `json:"memory"` // MiB

		ContainerInsights string `json:"container_insights"`
	} `json:"load"`
}

func (r *run) sizes() (s sizes) {
	_ = json.Unmarshal(r.cfg.Settings, &s) // settings of another form: the sizes are reported as not known
	return s
}

func (r *run) cacheSize() string {
	c := r.sizes().Cache
	switch {
	case r.cache() == nil || !r.cfg.Cache.Delete:
		return "the cache existed before, and is not billed to this run"
	case r.cfg.Cache.Serverless != "":
		return "serverless cache " + r.cfg.Cache.Serverless + ", by data and requests"
	case c.NodeType == "":
		return r.cache().String()
	}
	return fmt.Sprintf("%d x %s, partial hours billed as full hours", max(c.Shards, 1)*(1+c.Replicas), c.NodeType)
}

func (r *run) loadSize(tasks int) string {
	l := r.sizes().Load
	if l.CPU == 0 || l.Memory == 0 {
		return fmt.Sprintf("%d Fargate tasks", tasks)
	}
	return fmt.Sprintf("%d Fargate tasks x %g vCPU and %g GB, by the second", tasks, float64(l.CPU)/1024, float64(l.Memory)/1024)
}

// price is the cost of cache and load per hour, by list prices where they are known.
func (r *run) price(tasks int) string {
	const pages = "see https://aws.amazon.com/elasticache/pricing/ and https://aws.amazon.com/fargate/pricing/"
	known, c, l := reference.Known(), r.sizes().Cache, r.sizes().Load
	hour, ok := known.Fargate[[2]string{r.aws.Region, l.Architecture}]
	usd := float64(tasks) * (float64(l.CPU)/1024*hour[0] + float64(l.Memory)/1024*hour[1])
	what, source := "The tasks cost", "as of "+known.Tasks.AsOf
	if ok = ok && l.CPU > 0 && l.Memory > 0; ok && r.cfg.Cache.Delete && r.cfg.Cache.Serverless == "" {
		var node float64
		node, ok = known.NodeHour[[3]string{r.aws.Region, c.NodeType, c.Engine}]
		usd += float64(max(c.Shards, 1)*(1+c.Replicas)) * node
		what, source = "Together they cost", "nodes as of "+known.Nodes.AsOf+", tasks as of "+known.Tasks.AsOf
	}
	if !ok {
		return "What that costs in " + r.aws.Region + " is not known here: " + pages
	}
	return fmt.Sprintf("%s about %.3g USD an hour by list prices (%s); %s", what, usd, source, pages)
}

// noCache is the text when AWS could not create the cache.
func (r *run) noCache() string {
	return fmt.Sprintf("The cache of run %s of %s could not be created: %s is create-failed, most often because AWS has no capacity for the node type in that zone.\n"+
		"`go tool mage deploy` deletes it and tries again, `go tool mage destroy` removes everything. If you do neither, the guard deletes it and ends the run.\n", r.id, r.cfg.Name, r.cache())
}

// result summarizes the run, with links to the objects.
func (r *run) result() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Run %s of %s has ended", r.id, r.cfg.Name)
	if w := r.state.Window; w == nil {
		b.WriteString(". No load ever ran, so there is nothing to export.\n")
	} else {
		fmt.Fprintf(&b, " and is exported.\nLoad: %s to %s%s\n%s", w.Start.Format(time.RFC3339), w.End.Format(time.RFC3339), endings(r.state.Tasks), r.measured())
	}
	if m := r.state.Metrics; m != nil {
		fmt.Fprintf(&b, "Metrics: %d datapoints of %d series\n", m.Points, m.SeriesFound)
	}
	if l := r.state.Logs; l != nil {
		fmt.Fprintf(&b, "Logs: %d events of %d streams\n", l.Events, l.Streams)
	}
	b.WriteString("Exports:\n")
	for _, key := range append(r.keys(), r.cfg.ManifestKey(r.id)) {
		fmt.Fprintf(&b, "  s3://%s/%s\n  %s\n", r.cfg.Bucket, key, r.link(key))
	}
	for _, text := range r.state.Warnings {
		fmt.Fprintf(&b, "Warning: %s\n", text)
	}
	if r.cache() != nil && r.cfg.Cache.Delete && !r.gone {
		fmt.Fprintf(&b, "%s is not gone yet; the message `gone` follows when it is.\n", r.cache())
	}
	return b.String()
}

// incomplete is the text when a run is given up before its exports are complete.
func (r *run) incomplete() string {
	return fmt.Sprintf("The exports of run %s of %s are incomplete, and are given up a day after its load:\n  %s\n"+
		"What was exported is in the bucket, and s3://%s/%s lists it. `RUN=%s go tool mage export` tries once more.\n",
		r.id, r.cfg.Name, strings.Join(r.problems(), "\n  "), r.cfg.Bucket, r.cfg.ManifestKey(r.id), r.id)
}

// measured summarizes the tasks' last tables.
func (r *run) measured() string {
	if r.state.Logs == nil || r.state.Logs.Results.Tables == 0 {
		return "Throughput and p99: not known, because no task printed its final table\n"
	}
	m := r.state.Logs.Results
	p99 := "p99 latency: not known, because the tables have no such column\n"
	if m.P99 > 0 {
		p99 = fmt.Sprintf("p99 latency: %.3f ms, the highest of the tasks' own\n", m.P99)
	}
	of := ""
	if n := len(r.state.Tasks); n != m.Tables {
		of = fmt.Sprintf(", and ECS knows %d tasks", n)
	}
	return fmt.Sprintf("Throughput: %.0f operations/s, the sum of %d final tables%s\n%s", m.OpsPerSecond, m.Tables, of, p99)
}

// nothingLeft is the text when a check has just found nothing of this run that is billed.
func (r *run) nothingLeft(service *types.Service) string {
	load, cache := "is gone", "there is none that this stack knows by name"
	if service != nil {
		load = fmt.Sprintf("runs %d tasks and should run %d", service.RunningCount+service.PendingCount, service.DesiredCount)
	}
	switch c := r.cache(); {
	case c != nil && r.cfg.Cache.Delete:
		cache = c.String() + " does not exist any more"
	case c != nil:
		cache = c.String() + " stays: it existed before this run"
	}
	return fmt.Sprintf("Nothing of run %s of %s is billed by the hour any more. Seen at %s:\n"+
		"  load: ECS service %s %s\n  cache: %s\n  schedules: %s is removed; %s, which guarded the run until now, is removed right after this message\n"+
		"What stays until `go tool mage destroy` costs little: the function, alarms, dashboard and logs. The exports in s3://%s stay after it.\n",
		r.id, r.cfg.Name, r.clock.Now().UTC().Format(time.RFC3339), r.cfg.Service, load, cache, r.cfg.Schedules.Stop, r.cfg.Schedules.Watch, r.cfg.Bucket)
}

// endings lists how each task ended; for many tasks, how many ended in each way.
func endings(tasks []export.Task) string {
	var b strings.Builder
	if len(tasks) <= 20 {
		for _, t := range tasks {
			fmt.Fprintf(&b, "; task %s %s", t.ID, ending(t))
		}
		return b.String()
	}
	count := map[string]int{}
	for _, t := range tasks {
		count[ending(t)]++
	}
	ways := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	for _, way := range ways[:min(len(ways), 20)] {
		fmt.Fprintf(&b, "; %d tasks %s", count[way], way)
	}
	if len(ways) > 20 {
		fmt.Fprintf(&b, "; and %d more ways", len(ways)-20)
	}
	return b.String()
}

func ending(t export.Task) string {
	if t.ExitCode == nil {
		return strings.ToLower(t.LastStatus) + ": " + t.StoppedReason
	}
	return fmt.Sprintf("exited with %d", *t.ExitCode)
}

// link is an object's address in the console.
func (r *run) link(key string) string {
	return fmt.Sprintf("https://s3.console.aws.amazon.com/s3/object/%s?%s", r.cfg.Bucket, url.Values{"region": {r.aws.Region}, "prefix": {key}}.Encode())
}

func (r *run) keys() (keys []string) {
	for _, o := range r.state.Objects {
		keys = append(keys, o.Key)
	}
	return keys
}
