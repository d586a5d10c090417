package loadgen

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// object writes a JSON object member by member, in order and one to a line, as
// memtier's file has them: the task's wrapper picks its line with sed.
type object struct {
	w     *bufio.Writer
	depth int
	empty bool
}

func (o *object) name(name string) {
	if !o.empty {
		o.w.WriteString(",")
	}
	o.empty = false
	fmt.Fprintf(o.w, "\n%s%q: ", strings.Repeat("\t", o.depth), name)
}

func (o *object) open(name string) {
	if o.depth > 0 {
		o.name(name)
	}
	o.w.WriteString("{")
	o.depth++
	o.empty = true
}

func (o *object) close() {
	o.depth--
	fmt.Fprintf(o.w, "\n%s}", strings.Repeat("\t", o.depth))
	o.empty = false
}

func (o *object) member(name, format string, v any) {
	o.name(name)
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		format, v = "%s", "null"
	}
	fmt.Fprintf(o.w, format, v)
}

func (o *object) text(name, v string) {
	quoted, _ := json.Marshal(v) // of a string it cannot fail
	o.member(name, "%s", quoted)
}

func (o *object) flag(name string, v bool) { o.text(name, fmt.Sprint(v)) }

// json writes memtier's --json-out-file, format version 2.
func (r *results) json(out io.Writer) error {
	o := &object{w: bufio.NewWriter(out)}
	o.open("")
	r.configuration(o)
	o.open("run information")
	o.member("Threads", "%d", r.cfg.threads)
	o.member("Connections per thread", "%d", r.cfg.clients)
	if r.cfg.requests > 0 {
		o.member("Requests per client", "%d", r.cfg.requests)
	} else {
		o.member("Seconds", "%d", r.cfg.testTime)
	}
	o.member("Format version", "%d", 2)
	o.close()
	o.open("ALL STATS")
	o.open("Runtime")
	o.member("Start time", "%d", r.began)
	o.member("Finish time", "%d", r.end)
	o.member("Total duration", "%d", r.end-r.began)
	o.text("Time unit", "MILLISECONDS")
	o.flag("Interrupted", r.interrupted)
	o.close()
	for _, i := range r.shown() {
		if err := r.row(o, i); err != nil {
			return err
		}
	}
	if !r.cfg.hideHistogram {
		for i, name := range histogramNames {
			r.distribution(o, name, r.rows[i].latency)
		}
	}
	o.close()
	o.close()
	o.w.WriteString("\n")
	return o.w.Flush()
}

func (r *results) row(o *object, i int) error {
	w := &r.rows[i]
	errors := int64(0)
	if i == totals {
		errors = r.errors
	}
	mean := 0.0
	if w.ops > 0 {
		mean = float64(w.tally.latency) / float64(w.ops) / 1000
	}
	o.open(r.name(i))
	o.member("Count", "%d", w.ops)
	o.member("Ops/sec", "%.2f", r.rate(w.ops))
	o.member("Hits/sec", "%.2f", r.rate(w.hits))
	o.member("Misses/sec", "%.2f", r.rate(w.misses))
	if r.cfg.cluster {
		o.member("MOVED/sec", "%.2f", r.rate(w.moved))
		o.member("ASK/sec", "%.2f", r.rate(w.ask))
	}
	o.member("Connection Errors/sec", "%.2f", r.rate(errors))
	o.member("Connection Errors", "%d", errors)
	o.member("Latency", "%.3f", mean)
	o.member("Average Latency", "%.3f", mean)
	o.member("Accumulated Latency", "%d", w.tally.latency/1000)
	o.member("Min Latency", "%.3f", float64(w.latency.Min())/1000)
	o.member("Max Latency", "%.3f", float64(w.latency.Max())/1000)
	o.member("KB/sec", "%.2f", r.kbytes(w.rx+w.tx))
	o.member("KB/sec RX/TX", "%.2f", r.kbytes(w.rx+w.tx))
	o.member("KB/sec RX", "%.2f", r.kbytes(w.rx))
	o.member("KB/sec TX", "%.2f", r.kbytes(w.tx))
	o.open("Time-Serie")
	for at := range r.series {
		r.second(o, at, i)
	}
	o.close()
	o.open("Percentile Latencies")
	for _, p := range r.cfg.percentiles {
		o.member(percentileName(p), "%.3f", w.percentile(p))
	}
	payload, err := w.latency.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return fmt.Errorf("histogram of %s: %w", rowNames[i], err)
	}
	o.open("Histogram log format")
	o.text("Compressed Histogram", string(payload))
	o.close()
	o.close()
	o.close()
	return nil
}

// second writes one entry of the time series.
func (r *results) second(o *object, at, i int) {
	s := &r.series[at]
	var t tally
	var shape spread
	switch i {
	case sets:
		t, shape = s.tally[set], s.spread[set]
	case gets:
		t, shape = s.tally[get], s.spread[get]
	case totals:
		t, shape = s.tally[get], s.spread[2]
		t.add(s.tally[set])
	}
	o.open(fmt.Sprint(at))
	defer o.close()
	o.member("Bytes RX", "%d", t.rx)
	o.member("Bytes TX", "%d", t.tx)
	o.member("Count", "%d", t.ops)
	if t.ops == 0 {
		return
	}
	o.member("Average Latency", "%.3f", float64(t.latency)/float64(t.ops)/1000)
	o.member("Accumulated Latency", "%d", t.latency/1000)
	o.member("Min Latency", "%.3f", float64(shape.min)/1000)
	o.member("Max Latency", "%.3f", float64(shape.max)/1000)
	for j, v := range shape.quantiles {
		o.member(percentileName(r.cfg.percentiles[j]), "%.3f", float64(v)/1000)
	}
}

// percentileName is p50.00, p99.90; a deeper one keeps its digits, which memtier cuts off.
func percentileName(p float64) string {
	name := fmt.Sprintf("p%.10g", p)
	if short := fmt.Sprintf("p%.2f", p); len(name) < len(short) {
		return short
	}
	return name
}

func (r *results) distribution(o *object, name string, h *hdrhistogram.Histogram) {
	o.name(name)
	o.w.WriteString("[")
	for i, s := range h.CumulativeDistributionWithTicks(histogramTicks) {
		if i > 0 {
			o.w.WriteString(",")
		}
		fmt.Fprintf(o.w, "\n\t\t\t{\"<=msec\": %.3f, \"percent\": %.3f}", float64(s.ValueAt)/1000, s.Quantile)
	}
	o.w.WriteString("]")
}

// configuration writes the 53 members of memtier 2.3.1, those of flags that are
// not served with memtier's defaults.
func (r *results) configuration(o *object) {
	c := r.cfg
	text := func(name, v string) { // absent is null
		if v == "" {
			o.member(name, "%s", "null")
			return
		}
		o.text(name, v)
	}
	family := map[string]string{"tcp4": "AF_INET", "tcp6": "AF_INET6"}[c.network]
	if family == "" {
		family = "Unspecified"
	}
	secret := func(v string) string {
		if v == "" {
			return ""
		}
		return "***"
	}
	var list []string
	for _, w := range c.sizes {
		list = append(list, fmt.Sprintf("%d:%d", w.size, w.weight))
	}
	fixed, sizes := c.size.min, span{}
	if c.size.min != c.size.max {
		fixed, sizes = 0, c.size
	}
	o.open("configuration")
	text("server", c.server)
	o.member("port", "%d", c.port)
	o.text("uri", secret(c.uri))
	text("unix socket", "")
	o.text("address family", family)
	o.text("protocol", c.protocol)
	text("out_file", c.outFile)
	o.flag("tls", c.tls)
	text("cert", c.cert)
	text("key", c.key)
	text("cacert", c.cacert)
	o.flag("tls_skip_verify", c.skipVerify)
	text("sni", c.sni)
	text("client_stats", c.clientStats)
	o.member("run_count", "%d", 1)
	o.member("debug", "%d", 0)
	o.member("requests", "%d", c.requests)
	o.member("rate_limit", "%d", c.rate)
	o.member("clients", "%d", c.clients)
	o.member("threads", "%d", c.threads)
	o.member("test_time", "%d", c.testTime)
	o.text("ratio", fmt.Sprintf("%d:%d", c.ratio[0], c.ratio[1]))
	o.member("pipeline", "%d", c.pipeline)
	o.member("data_size", "%d", fixed)
	o.member("data_offset", "%d", 0)
	o.flag("random_data", c.randomData)
	o.text("data_size_range", fmt.Sprintf("%d:%d", sizes.min, sizes.max))
	o.text("data_size_list", strings.Join(list, ","))
	o.text("data_size_pattern", string(c.sizePattern))
	o.text("expiry_range", fmt.Sprintf("%d:%d", c.expiry.min, c.expiry.max))
	text("data_import", "")
	o.flag("data_verify", false)
	o.flag("verify_only", false)
	o.flag("generate_keys", false)
	o.text("key_prefix", c.prefix)
	o.member("key_minimum", "%11d", c.keyMin)
	o.member("key_maximum", "%11d", c.keyMax)
	o.text("key_pattern", c.keyPattern)
	o.member("key_stddev", "%f", c.stddev)
	o.member("key_median", "%f", c.median)
	o.member("key_zipf_exp", "%f", c.zipfExp)
	o.member("reconnect_interval", "%d", c.reconnectEvery)
	o.member("connection_timeout", "%d", c.connectTimeout)
	o.member("thread_conn_start_min_jitter_micros", "%d", 0)
	o.member("thread_conn_start_max_jitter_micros", "%d", 0)
	o.member("multi_key_get", "%d", 0)
	o.text("authenticate", secret(c.credentials))
	o.member("select-db", "%d", c.selectDB)
	o.flag("no-expiry", false)
	o.text("wait-ratio", "0:0")
	o.text("num-slaves", "0:0")
	o.text("wait-timeout", "0-0")
	o.flag("print-all-runs", false)
	o.close()
}
