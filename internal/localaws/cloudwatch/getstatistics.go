package cloudwatch

import (
	"context"
	"slices"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type getMetricStatisticsIn struct {
	Namespace  string `wire:",required"`
	MetricName string `wire:",required"`
	Dimensions []Dimension
	StartTime  wire.Time `wire:",required"`
	EndTime    wire.Time `wire:",required"`
	Period     int       `wire:",required"`
	Statistics []string
	Extended   []string `wire:"ExtendedStatistics"`
	Unit       *string
}

type datapoint struct {
	Timestamp                                   *wire.Time
	SampleCount, Sum, Average, Minimum, Maximum *float64
	ExtendedStatistics                          map[string]float64
	Unit                                        string
}

type getMetricStatisticsOut struct {
	Label      string
	Datapoints []datapoint
}

// getMetricStatistics: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
func (s *Service) getMetricStatistics(_ context.Context, in *getMetricStatisticsIn) (*getMetricStatisticsOut, error) {
	if err := checkMetric(in.Namespace, in.MetricName, in.Dimensions); err != nil {
		return nil, err
	}
	if err := checkPeriod("Period", in.Period); err != nil {
		return nil, err
	}
	unit, err := checkUnit(in.Unit)
	if err != nil {
		return nil, err
	}
	if len(in.Statistics)+len(in.Extended) == 0 {
		return nil, invalidCombination("At least one of the parameters Statistics and ExtendedStatistics must be specified.")
	}
	if in.StartTime.Unix() >= in.EndTime.Unix() { // https://github.com/influxdata/telegraf/issues/2022
		return nil, invalidValue("The parameter StartTime must be less than the parameter EndTime.")
	}
	if n := int(in.EndTime.Sub(in.StartTime.Time).Seconds()) / in.Period; n > 1440 {
		return nil, invalidCombination("You have requested up to %d datapoints, which exceeds the limit of 1,440. You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n)
	}
	stats := map[string]statistic{}
	for _, name := range slices.Concat(in.Statistics, in.Extended) {
		f, err := parseStatistic(name)
		if err != nil {
			return nil, err
		}
		if _, isPlain := plain[name]; isPlain == slices.Contains(in.Extended, name) {
			return nil, invalidValue("The statistic %s belongs into the other one of Statistics and ExtendedStatistics.", name)
		}
		stats[name] = f
	}
	out := &getMetricStatisticsOut{Label: in.MetricName, Datapoints: []datapoint{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrive()
	of := s.metrics[identity(in.Namespace, in.MetricName, sorted(in.Dimensions))]
	if of == nil {
		return out, nil
	}
	now := s.acct.Clock.Now()
	for _, x := range of.units { // a datapoint has one unit
		if unit != "" && unit != x.unit {
			continue
		}
		for _, p := range of.window(roundStart(in.StartTime.Time, now, in.Period).Unix(), in.EndTime.Unix(), int64(in.Period), x.unit, now) {
			d := datapoint{Timestamp: wire.At(time.Unix(p.at, 0)), Unit: x.unit}
			for name, f := range stats {
				v, ok := f(p)
				if !ok {
					continue
				}
				switch name {
				case "SampleCount":
					d.SampleCount = &v
				case "Sum":
					d.Sum = &v
				case "Average":
					d.Average = &v
				case "Minimum":
					d.Minimum = &v
				case "Maximum":
					d.Maximum = &v
				default:
					if d.ExtendedStatistics == nil {
						d.ExtendedStatistics = map[string]float64{}
					}
					d.ExtendedStatistics[name] = v
				}
			}
			out.Datapoints = append(out.Datapoints, d)
		}
	}
	return out, nil
}
