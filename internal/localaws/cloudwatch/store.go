package cloudwatch

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// Metric says which metric a value belongs to; Unit is one of CloudWatch's, "None" when empty.
type Metric struct {
	Namespace, Name, Unit string
	Dimensions            []Dimension
}

// Dimension is a name and a value; a metric is its namespace, its name and all of its dimensions.
type Dimension struct{ Name, Value string }

// Put records one measured value at t, to the second.
func (s *Service) Put(m Metric, t time.Time, value float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(m, t, one(value))
}

const (
	fine      = 3 * time.Hour       // data by the second
	retention = 15 * 24 * time.Hour // data by the minute
)

// sample is what was put into one second, later one minute.
type sample struct {
	at            int64 // Unix seconds
	n             float64
	sum, min, max float64
	values        []weighted // nil when n is 1, or when only a statistic set was given
}

type weighted struct{ value, count float64 }

func one(v float64) sample { return sample{n: 1, sum: v, min: v, max: v} }

// raw gives the values themselves; ok is false when only a statistic set is known. A percentile of a set exists
// only for one sample or for equal ones.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html#Percentiles
func (p sample) raw() (values []weighted, ok bool) {
	if p.values != nil {
		return p.values, true
	}
	return []weighted{{p.min, p.n}}, p.n == 1 || p.min == p.max
}

func (p *sample) merge(q sample) {
	a, okA := p.raw()
	b, okB := q.raw()
	p.values = nil
	if okA && okB {
		p.values = slices.Concat(a, b)
	}
	p.n, p.sum, p.min, p.max = p.n+q.n, p.sum+q.sum, math.Min(p.min, q.min), math.Max(p.max, q.max)
}

// series is the data of one metric in one unit, in time order.
type series struct {
	unit    string
	samples []sample
	rolled  int // how many of samples are by the minute already
}

type metric struct {
	namespace, name string
	dimensions      []Dimension // sorted by name
	units           []*series
	first, last     time.Time // when it was first and last put to, by the account's clock
}

func identity(namespace, name string, sorted []Dimension) string {
	var b strings.Builder
	b.WriteString(namespace + "\x00" + name)
	for _, d := range sorted {
		b.WriteString("\x00" + d.Name + "\x00" + d.Value)
	}
	return b.String()
}

func sorted(dims []Dimension) []Dimension {
	return slices.SortedFunc(slices.Values(dims), func(a, b Dimension) int { return cmp.Compare(a.Name, b.Name) })
}

// add takes a value in, which is seen once it has arrived. The lock is held.
func (s *Service) add(m Metric, t time.Time, p sample) {
	s.arrive()
	if d := s.acct.Delays.MetricsReady; d > 0 {
		s.coming = append(s.coming, coming{s.acct.Clock.Now().Add(d), m, t, p})
		return
	}
	s.keep(m, t, p)
}

// coming is a value on its way.
type coming struct {
	at time.Time
	m  Metric
	t  time.Time
	p  sample
}

// arrive keeps what is not on its way any more: CloudWatch shows values some time after they were measured, and readers come before. The lock is held.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
func (s *Service) arrive() {
	now, n := s.acct.Clock.Now(), 0
	for n < len(s.coming) && !now.Before(s.coming[n].at) {
		s.keep(s.coming[n].m, s.coming[n].t, s.coming[n].p)
		n++
	}
	s.coming = slices.Delete(s.coming, 0, n)
}

func (s *Service) keep(m Metric, t time.Time, p sample) {
	dims := sorted(m.Dimensions)
	key, now := identity(m.Namespace, m.Name, dims), s.acct.Clock.Now()
	of := s.metrics[key]
	if of == nil {
		of = &metric{namespace: m.Namespace, name: m.Name, dimensions: dims, first: now}
		s.metrics[key] = of
	}
	of.last = now
	unit := cmp.Or(m.Unit, "None")
	i := slices.IndexFunc(of.units, func(x *series) bool { return x.unit == unit })
	if i < 0 {
		i = len(of.units)
		of.units = append(of.units, &series{unit: unit})
	}
	p.at = t.Unix()
	of.units[i].insert(p)
	of.units[i].trim(now)
}

func (x *series) insert(p sample) {
	i, found := slices.BinarySearchFunc(x.samples, p.at, func(q sample, at int64) int { return cmp.Compare(q.at, at) })
	if found {
		x.samples[i].merge(p)
		return
	}
	x.samples = slices.Insert(x.samples, i, p)
	if i < x.rolled {
		x.rolled++
	}
}

// trim forgets what is too old, and rolls seconds up into minutes, an hour's worth at a time.
func (x *series) trim(now time.Time) {
	if oldest := now.Add(-retention - time.Hour).Unix(); len(x.samples) > 0 && x.samples[0].at < oldest {
		i, _ := slices.BinarySearchFunc(x.samples, now.Add(-retention).Unix(), func(q sample, at int64) int { return cmp.Compare(q.at, at) })
		x.samples, x.rolled = slices.Clone(x.samples[i:]), max(0, x.rolled-i)
	}
	if x.rolled >= len(x.samples) || x.samples[x.rolled].at > now.Add(-fine-time.Hour).Unix() {
		return
	}
	end, _ := slices.BinarySearchFunc(x.samples, now.Add(-fine).Truncate(time.Minute).Unix(), func(q sample, at int64) int { return cmp.Compare(q.at, at) })
	out := x.samples[:x.rolled:x.rolled]
	for _, p := range x.samples[x.rolled:end] {
		p.at -= p.at % 60
		if last := len(out) - 1; last >= 0 && out[last].at == p.at {
			out[last].merge(p)
		} else {
			out = append(out, p)
		}
	}
	x.rolled = len(out)
	x.samples = append(out, x.samples[end:]...)
}

// window merges the samples of [start, end) into periods that count from start; unit "" takes all units.
func (m *metric) window(start, end, period int64, unit string, now time.Time) []sample {
	var out []sample
	for _, x := range m.units {
		if unit != "" && unit != x.unit {
			continue
		}
		from, _ := slices.BinarySearchFunc(x.samples, start, func(q sample, at int64) int { return cmp.Compare(q.at, at) })
		for _, p := range x.samples[from:] {
			if p.at >= end {
				break
			}
			if period < 60 && p.at < now.Add(-fine).Unix() {
				continue // older than 3 hours, a period under a minute returns nothing
			}
			p.at = start + (p.at-start)/period*period
			i, found := slices.BinarySearchFunc(out, p.at, func(q sample, at int64) int { return cmp.Compare(q.at, at) })
			if found {
				out[i].merge(p)
			} else {
				p.values = slices.Clone(p.values)
				out = slices.Insert(out, i, p)
			}
		}
	}
	return out
}
