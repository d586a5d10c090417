package report

import (
	"fmt"
	"math"
	"time"
)

const runLayout = "2006-01-02T15-04-05Z"

// cost prices node-hours, vCPU-hours and GB-hours by list prices. What has no price or amount is said, never guessed.
func (a *analysis) cost() {
	c := &a.Cost
	conf := a.Configuration
	c.Region, c.SuccessfulOperations = conf.Region, a.Client.SuccessfulOperations
	c.NotIncluded = []string{"CloudWatch (metrics read, logs, dashboard, alarms, Container Insights)", "data transfer between Availability Zones, NAT and endpoints", "S3, Lambda, EventBridge, SNS and SQS", "discounts, reserved nodes and Savings Plans"}
	ref := facts()
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
	node := price(lookup(ref.nodeHour, [3]string{conf.Region, conf.NodeType, conf.Engine}))
	hours, how := a.nodeHours()
	item(fmt.Sprintf("%s, %s", first(conf.NodeType, "cache nodes of an unknown type"), first(conf.Engine, "unknown engine")), "node-hours", how, ref.nodes.String(), hours, node)

	prices, priced := ref.fargate[[2]string{conf.Region, conf.Architecture}]
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
	item("Fargate vCPU, "+first(conf.Architecture, "unknown architecture"), "vCPU-hours", how, ref.tasks.String(), of(conf.TaskCPUUnits, 1024), price(prices[0], priced))
	item("Fargate memory, "+first(conf.Architecture, "unknown architecture"), "GB-hours", how, ref.tasks.String(), of(conf.TaskMemoryMiB, 1024), price(prices[1], priced))

	if all {
		sum := 0.0
		for _, i := range c.Items {
			sum += *i.USD
		}
		c.TotalUSD = &sum
		if n := c.SuccessfulOperations; n > 0 {
			c.USDPerMillionOps = known(sum / float64(n) * 1e6)
		}
	}
	if node != nil && priced && conf.Nodes > 0 && conf.Tasks > 0 && conf.TaskCPUUnits > 0 && conf.TaskMemoryMiB > 0 {
		hourly = float64(conf.Nodes)**node + float64(conf.Tasks)*(float64(conf.TaskCPUUnits)/1024*prices[0]+float64(conf.TaskMemoryMiB)/1024*prices[1])
		c.USDPerHour = &hourly
		if a.Client.Throughput != nil {
			if v := a.l.ops.grid(*a.Phases.Load, nil).over(a.window(), mean); v != nil && *v > 0 {
				c.SteadyUSDPerMillion = known(hourly / (*v * 3600) * 1e6)
			}
		}
	}
	c.Note = "List prices, on demand. AWS bills a begun node-hour as a whole one (https://aws.amazon.com/elasticache/pricing/), so that a short run costs more per operation than its steady state."
	if len(c.Missing) > 0 {
		c.Note = "Not complete, so no total: see what is missing."
	}
	if c.TotalUSD == nil && c.USDPerHour == nil {
		a.lack("cost", "a price or an amount is missing: %s", c.Missing[0])
	}
}

func lookup(prices map[[3]string]float64, key [3]string) (float64, bool) {
	v, ok := prices[key]
	return v, ok
}

// life is how long the cache lived, as far as the files show: from the run's begin, which is before the cache's, to the manifest, written after
// its deletion; else what the metrics cover, which is shorter.
func (a *analysis) life() Window {
	begin, err := time.Parse(runLayout, a.Run)
	switch {
	case a.m != nil && err == nil && a.m.CreatedAt.After(begin):
		return Window{"run", begin, a.m.CreatedAt.UTC()}
	case a.s != nil && a.s.to.After(a.s.from):
		return Window{"metrics", a.s.from, a.s.to}
	}
	return Window{}
}

// nodeHours is the hours that AWS bills for, begun ones whole.
func (a *analysis) nodeHours() (*float64, string) {
	w, n := a.life(), a.Configuration.Nodes
	switch {
	case n == 0:
		return nil, "the number of nodes is not known"
	case w.Duration() == 0:
		return nil, "how long the cache lived is not known"
	}
	how := "from the run's begin to its manifest, a little longer than the cache lived"
	if w.Phase != "run" {
		how = "from the first datapoint to the last, shorter than the cache lived"
	}
	hours := w.Duration().Hours()
	return known(float64(n) * math.Ceil(hours)), fmt.Sprintf("%d nodes for %.2f h, begun hours whole; %s", n, hours, how)
}

// taskHours adds up the tasks' lives; Fargate bills by the second, at least a minute: https://aws.amazon.com/fargate/pricing/
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
		return &sum, fmt.Sprintf("%d tasks from creation to stop, by ECS", n)
	}
	if a.l.window() == nil {
		return nil, "how long the tasks ran is not known"
	}
	for _, k := range a.l.order {
		if !k.task.Started.IsZero() && k.seen.After(k.task.Started) {
			sum += max(time.Minute, k.seen.Sub(k.task.Started)).Hours()
		}
	}
	return &sum, fmt.Sprintf("%d tasks from their first word in the log to their last, shorter than what is billed", len(a.l.order))
}
