package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/lambda/reference"
)

const runLayout = "2006-01-02T15-04-05Z"

// hoursOfMonth is AWS's own month: https://aws.amazon.com/calculator/
const hoursOfMonth = 730

// cost prices node-hours, vCPU-hours and GB-hours by list prices. A missing price or amount is reported, never guessed.
func (a *analysis) cost() {
	c := &a.Cost
	conf := a.Configuration
	c.Region, c.SuccessfulOperations = conf.Region, a.Client.SuccessfulOperations
	c.NotIncluded = []string{"CloudWatch (metrics read, logs, dashboard, alarms, Container Insights)", "traffic through NAT and endpoints", "S3, Lambda, EventBridge, SNS and SQS", "discounts, reserved nodes and Savings Plans"}
	ref := reference.Known()
	hourly, all := 0.0, true
	item := func(name, unit, how, source string, quantity, price *float64) {
		i := CostItem{Name: name, Quantity: quantity, Unit: unit, PriceUSD: price, Source: source, How: how}
		switch {
		case quantity == nil:
			c.Missing = append(c.Missing, "amount of "+name+": "+how)
		case price == nil:
			c.Missing = append(c.Missing, "price of "+name+first(" in "+conf.Region, ""))
			i.Source = ""
		default:
			i.USD = known(*quantity * *price)
		}
		all = all && i.USD != nil
		c.Items = append(c.Items, i)
	}
	price := func(v float64, ok bool) *float64 {
		if !ok {
			return nil
		}
		return &v
	}
	node := price(lookup(ref.NodeHour, [3]string{conf.Region, conf.NodeType, conf.Engine}))
	if conf.ServerlessCache != "" {
		prices, priced := ref.Serverless[[2]string{conf.Region, conf.Engine}]
		millions, stored, how := a.serverlessUse(prices[2])
		name := "ElastiCache Serverless, " + first(conf.Engine, "unknown engine")
		item(name+", requests", "million ECPUs", how[0], ref.Caches.String(), millions, price(prices[0], priced))
		item(name+", data", "GB-hours", how[1], ref.Caches.String(), stored, price(prices[1], priced))
	} else {
		hours, how := a.nodeHours()
		item(fmt.Sprintf("%s, %s", first(conf.NodeType, "cache nodes of an unknown type"), first(conf.Engine, "unknown engine")), "node-hours", how, ref.Nodes.String(), hours, node)
	}

	ofCache := len(c.Items)
	prices, priced := ref.Fargate[[2]string{conf.Region, conf.Architecture}]
	taskHours, how := a.taskHours()
	of := func(units int, per float64) *float64 {
		if taskHours == nil || units == 0 {
			return nil
		}
		return known(*taskHours * float64(units) / per)
	}
	if taskHours != nil && (conf.TaskCPUUnits == 0 || conf.TaskMemoryMiB == 0) {
		how = "the tasks' CPU and memory are not in the manifest"
	}
	item("Fargate vCPU, "+first(conf.Architecture, "unknown architecture"), "vCPU-hours", how, ref.Tasks.String(), of(conf.TaskCPUUnits, 1024), price(prices[0], priced))
	item("Fargate memory, "+first(conf.Architecture, "unknown architecture"), "GB-hours", how, ref.Tasks.String(), of(conf.TaskMemoryMiB, 1024), price(prices[1], priced))

	if crossed, how := a.betweenZones(); crossed != nil {
		item("Transfer between zones", "GB", how, zonePrice, crossed, known(0.01))
	} else {
		c.NotIncluded = append(c.NotIncluded, "data transfer between Availability Zones: "+how)
	}

	if all {
		sum, test := 0.0, 0.0
		for i, item := range c.Items {
			if sum += *item.USD; i >= ofCache {
				test += *item.USD
			}
		}
		c.TotalUSD, c.TestUSD = &sum, &test
		if n := a.Client.Operations; n > 0 {
			c.USDPerMillionOps = known(sum / float64(n) * 1e6)
		}
	}
	var steady *float64
	if a.Phases.Load != nil {
		steady, _, _ = throughputOf(a, a.window())
	}
	if node != nil && conf.Nodes > 0 {
		hour := float64(conf.Nodes) * *node
		c.CacheUSDPerHour, c.CacheUSDPerMonth = &hour, known(hour*hoursOfMonth)
		if steady != nil && *steady > 0 {
			c.CacheUSDPerMillion = known(hour / (*steady * 3600) * 1e6)
		}
	}
	if node != nil && priced && conf.Nodes > 0 && conf.Tasks > 0 && conf.TaskCPUUnits > 0 && conf.TaskMemoryMiB > 0 {
		hourly = float64(conf.Nodes)**node + float64(conf.Tasks)*(float64(conf.TaskCPUUnits)/1024*prices[0]+float64(conf.TaskMemoryMiB)/1024*prices[1])
		c.USDPerHour = &hourly
		if a.Client.Throughput != nil && steady != nil && *steady > 0 {
			c.SteadyUSDPerMillion = known(hourly / (*steady * 3600) * 1e6)
		}
	}
	c.Note = "List prices, on demand. AWS bills a partial node-hour as a full hour (https://aws.amazon.com/elasticache/pricing/), so that a short run costs more per operation than its steady state."
	if conf.ServerlessCache != "" {
		c.Note = "On demand. The prices of the serverless cache are a third party's, not AWS's own page: " + ref.Caches.String() + "."
	}
	if len(c.Missing) > 0 {
		c.Note = "Not complete, so no total: see what is missing."
	}
	if a.m != nil && a.m.APIEndpoint != "" {
		c.Note = "Nothing was billed, because this was the embedded AWS: the figures are what the same run would cost on AWS. " + c.Note
	}
	if c.TotalUSD == nil && c.USDPerHour == nil {
		a.lack("cost", "a price or an amount is missing: %s", c.Missing[0])
	}
}

func lookup(prices map[[3]string]float64, key [3]string) (float64, bool) {
	v, ok := prices[key]
	return v, ok
}

// life is how long this run paid for the cache: from its creation to the request to delete it, by the manifest. A missing creation is replaced
// by the run's start, a missing deletion by the manifest's own time, which is after the run's stop. Without a manifest it is the time that the
// metrics cover. how says which.
func (a *analysis) life() (w Window, how string) {
	begin, err := time.Parse(runLayout, a.Run)
	if a.m == nil || err != nil || !a.m.CreatedAt.After(begin) {
		if a.s == nil || !a.s.to.After(a.s.from) {
			return Window{}, ""
		}
		return Window{"metrics", a.s.from, a.s.to}, "from the first datapoint to the last, shorter than the cache lived"
	}
	w = Window{"run", begin, a.m.CreatedAt.UTC()}
	from, to := "the run's start, a little before its creation", "the manifest"
	if g := a.m.Membership; g != nil {
		if c := g.CreatedAt; c != nil && c.Before(begin) {
			from = "the run's start, because the cache existed before"
		} else if c != nil {
			w.Start, from = c.UTC(), "its creation"
		}
		if d := g.DeletionRequestedAt; d != nil && d.After(w.Start) {
			w.End, to = d.UTC(), "the request to delete it"
		}
	}
	if from == "its creation" && to == "the request to delete it" {
		w.Phase = "cache"
	}
	return w, "from " + from + ", to " + to
}

// nodeHours are the hours that AWS bills for: partial hours as full hours.
func (a *analysis) nodeHours() (*float64, string) {
	w, how := a.life()
	n := a.Configuration.Nodes
	switch {
	case n == 0:
		return nil, "the number of nodes is not known"
	case w.Duration() == 0:
		return nil, "how long the cache lived is not known"
	}
	hours := w.Duration().Hours()
	return known(float64(n) * math.Ceil(hours)), fmt.Sprintf("%s for %.2f h, partial hours billed as full hours; the cache's time is %s", Quantity(n, "node"), hours, how)
}

// serverlessUse is what AWS meters of a serverless cache: ECPUs, and the mean data size, at least the minimum in GB, over its lifetime.
// https://aws.amazon.com/elasticache/pricing/
func (a *analysis) serverlessUse(least float64) (millions, stored *float64, how [2]string) {
	how = [2]string{"ElastiCacheProcessingUnits is not in the metrics", "BytesUsedForCache is not in the metrics"}
	w, life := a.life()
	if sum := combine(a.s.of(a.nodes, ecpus, (*samples).grid), add).over(w, total); sum != nil {
		millions, how[0] = known(*sum/1e6), "the sum of ElastiCacheProcessingUnits"
	}
	if mean := combine(a.s.of(a.nodes, usedMemory, (*samples).grid), add).over(w, mean); mean != nil && w.Duration() > 0 {
		gb, hours := *mean/1e9, w.Duration().Hours()
		how[1] = fmt.Sprintf("mean BytesUsedForCache of %.3g GB (of 10^9 bytes), at least %.3g GB, for %.2f h; the cache's time is %s", gb, least, hours, life)
		stored = known(max(gb, least) * hours)
	}
	return millions, stored, how
}

// taskHours sums the lifetimes of the tasks; Fargate bills per second, at least a minute: https://aws.amazon.com/fargate/pricing/
func (a *analysis) taskHours() (*float64, string) {
	sum, n := 0.0, 0
	for _, t := range a.m.tasks() {
		from := t.CreatedAt
		if from == nil {
			from = t.StartedAt
		}
		if from == nil || t.StoppedAt == nil {
			return nil, "ECS did not say when task " + t.ID + " ran"
		}
		sum += max(time.Minute, t.StoppedAt.Sub(*from)).Hours()
		n++
	}
	if n > 0 {
		return &sum, Quantity(n, "task") + " from creation to stop, by ECS"
	}
	if a.l.window() == nil {
		return nil, "how long the tasks ran is not known"
	}
	for _, k := range a.l.order {
		if !k.task.Started.IsZero() && k.seen.After(k.task.Started) {
			sum += max(time.Minute, k.seen.Sub(k.task.Started)).Hours()
		}
	}
	return &sum, Quantity(len(a.l.order), "task") + " from the first log line to the last, shorter than what is billed"
}

// Quantity is a number with its noun: "1 node", "2 nodes", "2 addresses".
func Quantity(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "s") {
		what += "e"
	}
	return Thousands(float64(n)) + " " + what + "s"
}
