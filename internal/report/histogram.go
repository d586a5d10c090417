package report

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// chunks collects the lines "load: hdr sha256=SUM part=1/3 TEXT", by which a task writes its histogram to the log. A line can be repeated, and it can
// be split by a tool that splits long lines.
type chunks struct {
	sum     string
	parts   []string
	last    int // part of the last line
	err     error
	decoded *hdrhistogram.Histogram
}

const (
	histogramLine = "load: hdr "
	maxParts      = 64 // 12 MB: memtier's histogram has 220 KB before compression
)

func (c *chunks) add(message string) {
	if c.decoded != nil {
		return
	}
	f := strings.Fields(message) // load: hdr sha256=... part=1/3 TEXT
	if len(f) != 5 {
		c.err = fmt.Errorf("a line of the histogram has %s, not 5", Quantity(len(f), "word"))
		return
	}
	sum, isSum := strings.CutPrefix(f[2], "sha256=")
	part, isPart := strings.CutPrefix(f[3], "part=")
	index, of, _ := strings.Cut(part, "/")
	i, err1 := strconv.Atoi(index)
	n, err2 := strconv.Atoi(of)
	if !isSum || !isPart || err1 != nil || err2 != nil || i < 1 || i > n || n > maxParts {
		c.err = errors.New("a line of the histogram does not say sha256 and part")
		return
	}
	if c.parts == nil || sum != c.sum || n != len(c.parts) { // a new histogram
		*c = chunks{sum: sum, parts: make([]string, n)}
	}
	c.last, c.parts[i-1] = i, strings.Clone(f[4])
	c.decode()
}

// more adds the continuation of a split line.
func (c *chunks) more(text string) {
	if c.decoded == nil && c.last > 0 {
		c.parts[c.last-1] += strings.TrimSpace(text)
		c.decode()
	}
}

// isPayload reports whether a text is only base64.
func isPayload[T string | []byte](text T) bool {
	for _, b := range []byte(text) {
		if (b < 'A' || b > 'Z') && (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '+' && b != '/' && b != '=' {
			return false
		}
	}
	return len(text) > 0
}

func (c *chunks) have() (n int) {
	for _, p := range c.parts {
		if p != "" {
			n++
		}
	}
	return n
}

func (c *chunks) decode() {
	if c.have() < len(c.parts) {
		return
	}
	text := strings.Join(c.parts, "")
	if sum := sha256.Sum256([]byte(text)); hex.EncodeToString(sum[:]) != c.sum {
		c.err = errors.New("the histogram does not have the checksum that its lines say")
		return
	}
	h, err := hdrhistogram.Decode([]byte(text))
	if err != nil {
		c.err = fmt.Errorf("the histogram cannot be read: %w", err)
		return
	}
	c.decoded, c.err, c.parts = h, nil, nil // frees memory
}

// problem returns why there is no histogram; "" if there is one.
func (c *chunks) problem() string {
	switch {
	case c == nil:
		return "printed no histogram"
	case c.err != nil:
		return c.err.Error()
	case c.decoded == nil:
		return fmt.Sprintf("printed %d of %s of its histogram", c.have(), Quantity(len(c.parts), "part"))
	}
	return ""
}

var shown = []float64{50, 90, 95, 99, 99.9, 99.99}

// percentilesOf returns the usual percentiles; memtier counts in microseconds.
func percentilesOf(h *hdrhistogram.Histogram) []Percentile {
	out := []Percentile{}
	for _, p := range shown {
		out = append(out, Percentile{Percent: p, MS: float64(h.ValueAtPercentile(p)) / 1000})
	}
	return out
}

// merge adds histograms in one with the widest range and the finest resolution. Histograms of the same geometry, as of one generator, lose nothing.
func merge(all []*hdrhistogram.Histogram) *hdrhistogram.Histogram {
	low, high, digits := int64(math.MaxInt64), int64(0), int64(0)
	for _, h := range all {
		low, high, digits = min(low, h.LowestTrackableValue()), max(high, h.HighestTrackableValue()), max(digits, h.SignificantFigures())
	}
	sum := hdrhistogram.New(low, high, int(max(1, digits)))
	for _, h := range all {
		sum.Merge(h)
	}
	return sum
}

// latencies merges the histograms of the tasks.
func (l *load) latencies(r *Results) {
	out := &r.Client.Latency
	var all []*hdrhistogram.Histogram
	missing := 0
	for _, k := range l.order {
		if why := k.histogram.problem(); why != "" {
			missing++
			if k.operations > 0 {
				r.warn("task %s %s: its operations are not in the latencies", k.task.ID, why)
			}
			continue
		}
		h := k.histogram.decoded
		if n := float64(h.TotalCount()); k.restarts == 0 && math.Abs(n-k.operations) > 0.02*k.operations+1000 {
			r.warn("task %s: its histogram has %s operations, its last progress record %s", k.task.ID, Thousands(n), Thousands(k.operations))
		}
		if h.TotalCount() > 0 {
			all = append(all, h)
		}
	}
	if len(all) == 0 {
		out.Note = "no task wrote its histogram to the log; percentiles of tables are not merged, because that would be meaningless"
		r.lack("latency", "%s", out.Note)
		return
	}
	h := merge(all)
	out.Window, out.Tasks, out.Operations = r.Phases.Load, len(all), h.TotalCount()
	out.MeanMS, out.MinMS, out.MaxMS = known(h.Mean()/1000), known(float64(h.Min())/1000), known(float64(h.Max())/1000)
	out.Percentiles = percentilesOf(h)
	out.Curve = curve(h)
	for _, ms := range []float64{1, 5, 10} {
		over := int64(0)
		for _, bar := range h.Distribution() {
			if float64(bar.From) >= ms*1000 {
				over += bar.Count
			}
		}
		out.Over = append(out.Over, Over{ms, 100 * float64(over) / float64(h.TotalCount())})
	}
	switch limit := r.Configuration.RateLimit; {
	case limit != nil && *limit > 0:
		out.Loop = "rate_limited"
		out.Note = "Coordinated omission: memtier's rate limit waits for the replies that are due and then does not send what it missed, so that requests during a stall are neither sent nor counted. Latency as users would see it at this rate is higher than these percentiles."
	default:
		out.Loop = "closed"
		out.Note = "Coordinated omission: a closed loop, each connection waits for its reply before it sends again. A stall delays one request per connection and hides those that would have been sent meanwhile, so that high percentiles are lower than users at a fixed rate would see."
	}
	if missing > 0 {
		out.Note = fmt.Sprintf("Of %d of %s. ", len(all), Quantity(len(l.order), "task")) + out.Note
	}
}

// curve returns percentiles for a chart whose axis is the number of nines: 8 points per nine.
func curve(h *hdrhistogram.Histogram) []Percentile {
	out := []Percentile{{Percent: 0, MS: float64(h.Min()) / 1000}}
	for i := 1; ; i++ {
		rest := math.Pow(10, -float64(i)/8)
		if rest*float64(h.TotalCount()) < 1 || i > 64 {
			break
		}
		p := 100 * (1 - rest)
		out = append(out, Percentile{Percent: math.Round(p*1e7) / 1e7, MS: float64(h.ValueAtPercentile(p)) / 1000})
	}
	return append(out, Percentile{Percent: 100, MS: float64(h.Max()) / 1000})
}
