package report

// CraftedDay is a run of so many hours of 100 tasks on 90 nodes. sparse has a progress record a minute and a datapoint each five, which give the
// same number of points on the page; else it has all that such a run leaves: in 24 h about 1 GB of CSV and 2 GB of log.
func CraftedDay(hours int, sparse bool) Run {
	c := crafted{minutes: 60 * hours, tasks: 100, nodes: 90, taskCPU: 40, bulk: 45}
	if sparse {
		c.bulk, c.every, c.period = 0, 60, 5
	}
	return c.run()
}

// CraftedHour is an hour of 4 tasks on 3 nodes, the usual run.
func CraftedHour() Run { return crafted{minutes: 60, tasks: 4, nodes: 3, taskCPU: 40, bulk: 50}.run() }
