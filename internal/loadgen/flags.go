package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// config is what the command line asks for, named after memtier's own flags.
type config struct {
	network, server            string
	dial                       func(ctx context.Context, network, addr string) (net.Conn, error)
	port                       int
	uri, protocol, credentials string
	selectDB                   int

	tls, skipVerify        bool
	cert, key, cacert, sni string

	cluster                    bool
	threads, clients, pipeline int
	requests                   uint64 // per client; 0 when the time ends the run
	allKeys                    bool
	testTime                   int // seconds; 0 when the number of requests ends the run
	rate                       int // requests a second on each connection; 0 is no limit
	ratio                      [2]int

	commands             []command // --command; else SET and GET
	ratioSet, patternSet bool

	size          span // equal bounds are a fixed size
	fixed, ranged bool // which of --data-size and --data-size-range gave it
	sizes         []weight
	sizePattern   byte
	randomData    bool
	expiry        span

	prefix                  string
	keyMin, keyMax          uint64
	keyPattern              string
	stddev, median, zipfExp float64

	distinctSeed, randomize bool
	reconnectEvery          int
	reconnect               bool
	maxReconnects           int
	backoff                 float64
	connectTimeout          int // seconds; 0 is ours, see connectLimit

	outFile, jsonFile, hdrPrefix, clientStats string
	hideHistogram                             bool
	percentiles                               []float64

	version, help bool
}

type span struct{ min, max int }

func (s span) defined() bool { return s.max > 0 }

type weight struct{ size, weight int }

// option is one flag; one without a value gets "" to set.
type option struct {
	long  string
	short byte
	value bool
	set   func(c *config, v string) error
}

func text(p func(*config) *string) func(*config, string) error {
	return func(c *config, v string) error { *p(c) = v; return nil }
}

func toggle(p func(*config) *bool) func(*config, string) error {
	return func(c *config, _ string) error { *p(c) = true; return nil }
}

// number stores an integer from low on; the message is memtier's.
func number[T int | uint64](low T, message string, p func(*config) *T) func(*config, string) error {
	return func(c *config, v string) error {
		n, err := strconv.ParseUint(v, 10, 63)
		if err != nil || T(n) < low {
			return errors.New(message)
		}
		*p(c) = T(n)
		return nil
	}
}

func decimal(low, high float64, message string, p func(*config) *float64) func(*config, string) error {
	return func(c *config, v string) error {
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || !(n > low) || !(n < high) {
			return errors.New(message)
		}
		*p(c) = n
		return nil
	}
}

func pair(v, separator string) (a, b int, ok bool) {
	left, right, found := strings.Cut(v, separator)
	x, err1 := strconv.ParseUint(left, 10, 31)
	y, err2 := strconv.ParseUint(right, 10, 31)
	return int(x), int(y), found && err1 == nil && err2 == nil
}

func between(low int, message string, p func(*config) *span) func(*config, string) error {
	return func(c *config, v string) error {
		a, b, ok := pair(v, "-")
		if !ok || a < low || b < 1 || a > b {
			return errors.New(message)
		}
		*p(c) = span{a, b}
		return nil
	}
}

// options are those of memtier_benchmark 2.3.1 that a Redis load needs; its manual page says what each means:
// https://github.com/redis/memtier_benchmark/blob/master/memtier_benchmark.1
var options = []option{
	{"server", 's', true, text(func(c *config) *string { return &c.server })},
	{"host", 'h', true, text(func(c *config) *string { return &c.server })},
	{"port", 'p', true, setPort},
	{"ipv4", '4', false, func(c *config, _ string) error { c.network = "tcp4"; return nil }},
	{"ipv6", '6', false, func(c *config, _ string) error { c.network = "tcp6"; return nil }},
	{"protocol", 'P', true, setProtocol},
	{"authenticate", 'a', true, text(func(c *config) *string { return &c.credentials })},
	{"uri", 'u', true, setURI},
	{"select-db", 0, true, number(0, "select-db must be greater or equal zero.", func(c *config) *int { return &c.selectDB })},
	{"tls", 0, false, toggle(func(c *config) *bool { return &c.tls })},
	{"cert", 0, true, text(func(c *config) *string { return &c.cert })},
	{"key", 0, true, text(func(c *config) *string { return &c.key })},
	{"cacert", 0, true, text(func(c *config) *string { return &c.cacert })},
	{"tls-skip-verify", 0, false, toggle(func(c *config) *bool { return &c.skipVerify })},
	{"sni", 0, true, text(func(c *config) *string { return &c.sni })},
	{"cluster-mode", 0, false, toggle(func(c *config) *bool { return &c.cluster })},
	{"threads", 't', true, number(1, "threads must be greater than zero.", func(c *config) *int { return &c.threads })},
	{"clients", 'c', true, number(1, "clients must be greater than zero.", func(c *config) *int { return &c.clients })},
	{"requests", 'n', true, setRequests},
	{"test-time", 0, true, number(1, "test time must be greater than zero.", func(c *config) *int { return &c.testTime })},
	{"pipeline", 0, true, number(1, "pipeline must be greater than zero.", func(c *config) *int { return &c.pipeline })},
	{"rate-limiting", 0, true, number(1, "rate must be greater than zero.", func(c *config) *int { return &c.rate })},
	{"ratio", 0, true, setRatio},
	{"data-size", 'd', true, setDataSize},
	{"data-size-range", 0, true, setSizeRange},
	{"data-size-list", 0, true, setSizes},
	{"data-size-pattern", 0, true, setSizePattern},
	{"random-data", 'R', false, toggle(func(c *config) *bool { return &c.randomData })},
	{"expiry-range", 0, true, between(0, "expiry-range must be expressed as [0-n]-[1-n].", func(c *config) *span { return &c.expiry })},
	{"key-prefix", 0, true, text(func(c *config) *string { return &c.prefix })},
	{"key-minimum", 0, true, number(1, "key-minimum must be greater than zero.", func(c *config) *uint64 { return &c.keyMin })},
	{"key-maximum", 0, true, number(1, "key-maximum must be greater than zero.", func(c *config) *uint64 { return &c.keyMax })},
	{"key-pattern", 0, true, setKeyPattern},
	{"command", 0, true, addCommand},
	{"command-ratio", 0, true, setCommandRatio},
	{"command-key-pattern", 0, true, setCommandPattern},
	{"key-stddev", 0, true, decimal(0, math.Inf(1), "key-stddev must be greater than zero.", func(c *config) *float64 { return &c.stddev })},
	{"key-median", 0, true, decimal(0, math.Inf(1), "key-median must be greater than zero.", func(c *config) *float64 { return &c.median })},
	{"key-zipf-exp", 0, true, decimal(0, 5, "key-zipf-exp must be within interval (0, 5).", func(c *config) *float64 { return &c.zipfExp })},
	{"distinct-client-seed", 0, false, toggle(func(c *config) *bool { return &c.distinctSeed })},
	{"randomize", 0, false, toggle(func(c *config) *bool { return &c.randomize })},
	{"reconnect-interval", 0, true, number(1, "reconnect-interval must be greater than zero.", func(c *config) *int { return &c.reconnectEvery })},
	{"reconnect-on-error", 0, false, toggle(func(c *config) *bool { return &c.reconnect })},
	{"max-reconnect-attempts", 0, true, number(0, "max-reconnect-attempts must be a valid number.", func(c *config) *int { return &c.maxReconnects })},
	{"reconnect-backoff-factor", 0, true, decimal(0, math.Inf(1), "reconnect-backoff-factor must be greater than zero.", func(c *config) *float64 { return &c.backoff })},
	{"connection-timeout", 0, true, number(0, "connection-timeout must be a valid number.", func(c *config) *int { return &c.connectTimeout })},
	{"out-file", 'o', true, text(func(c *config) *string { return &c.outFile })},
	{"json-out-file", 0, true, text(func(c *config) *string { return &c.jsonFile })},
	{"client-stats", 0, true, text(func(c *config) *string { return &c.clientStats })},
	{"hdr-file-prefix", 0, true, text(func(c *config) *string { return &c.hdrPrefix })},
	{"hide-histogram", 0, false, toggle(func(c *config) *bool { return &c.hideHistogram })},
	{"print-percentiles", 0, true, setPercentiles},
	{"version", 'v', false, toggle(func(c *config) *bool { return &c.version })},
	{"help", 0, false, toggle(func(c *config) *bool { return &c.help })},
}

// unserved are memtier's other flags: known, so that the message can say where they work.
var unserved = []string{"unix-socket", "tls-protocols", "run-count", "debug", "show-config", "print-all-runs",
	"statsd-host", "statsd-port", "statsd-prefix", "statsd-run-label", "graphite-port", "thread-conn-start-min-jitter-micros",
	"thread-conn-start-max-jitter-micros", "multi-key-get", "command-stats-breakdown", "clients-start", "clients-step", "step-duration",
	"monitor-input", "monitor-pattern", "scan-incremental-iteration", "scan-incremental-max-iterations", "data-offset", "data-import",
	"data-verify", "verify-only", "generate-keys", "no-expiry", "wait-ratio", "num-slaves", "wait-timeout"}

func setPort(c *config, v string) error {
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil || n == 0 {
		return errors.New("port must be a number in the range [1-65535].")
	}
	c.port = int(n)
	return nil
}

func setProtocol(c *config, v string) error {
	if v != "redis" && v != "resp2" && v != "resp3" {
		return errors.New("supported protocols are 'redis', 'resp2' and 'resp3'.")
	}
	c.protocol = v
	return nil
}

func setURI(c *config, v string) error {
	u, err := url.Parse(v)
	if err != nil || (u.Scheme != "redis" && u.Scheme != "rediss") || u.Hostname() == "" {
		return errors.New("URI must be redis[s]://[[user:]password@]host[:port][/db].")
	}
	c.uri, c.server, c.tls = v, u.Hostname(), c.tls || u.Scheme == "rediss"
	if u.User != nil {
		c.credentials = u.User.Username()
		if password, ok := u.User.Password(); ok {
			c.credentials += ":" + password
		}
	}
	if u.Port() != "" {
		if err := setPort(c, u.Port()); err != nil {
			return err
		}
	}
	if db := strings.Trim(u.Path, "/"); db != "" {
		if c.selectDB, err = strconv.Atoi(db); err != nil || c.selectDB < 0 {
			return fmt.Errorf("invalid database number '%s'.", db)
		}
	}
	return nil
}

func setRequests(c *config, v string) error {
	if v == "allkeys" {
		c.allKeys = true
		return nil
	}
	return number(1, "requests must be greater than zero.", func(c *config) *uint64 { return &c.requests })(c, v)
}

func setRatio(c *config, v string) error {
	a, b, ok := pair(v, ":")
	if !ok || a+b == 0 {
		return errors.New("ratio must be expressed as [0-n]:[0-n], not both zero.")
	}
	c.ratio, c.ratioSet = [2]int{a, b}, true
	return nil
}

func setDataSize(c *config, v string) error {
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil || n == 0 {
		return errors.New("data-size must be greater than zero.")
	}
	c.size, c.fixed = span{int(n), int(n)}, true
	return nil
}

func setSizeRange(c *config, v string) error {
	c.ranged = true
	return between(1, "data-size-range must be expressed as [1-n]-[1-n].", func(c *config) *span { return &c.size })(c, v)
}

func setSizes(c *config, v string) error {
	c.sizes = nil
	for item := range strings.SplitSeq(v, ",") {
		size, w, ok := pair(item, ":")
		if !ok || size < 1 || w < 1 {
			return errors.New("data-size-list must be expressed as [size1:weight1],...[sizeN:weightN].")
		}
		c.sizes = append(c.sizes, weight{size, w})
	}
	return nil
}

func setSizePattern(c *config, v string) error {
	if v != "R" && v != "S" {
		return errors.New("data-size-pattern must be either R or S.")
	}
	c.sizePattern = v[0]
	return nil
}

func setKeyPattern(c *config, v string) error {
	if len(v) != 3 || v[1] != ':' || !strings.Contains("SRGPZ", v[:1]) || !strings.Contains("SRGPZ", v[2:]) {
		return errors.New("key-pattern must be in the format of [S/R/G/P/Z]:[S/R/G/P/Z].")
	}
	if (v[0] == 'P') != (v[2] == 'P') {
		return errors.New("parallel key-pattern must be configured for both SET and GET commands.")
	}
	c.keyPattern, c.patternSet = v, true
	return nil
}

func setPercentiles(c *config, v string) error {
	c.percentiles = nil
	for item := range strings.SplitSeq(v, ",") {
		p, err := strconv.ParseFloat(item, 64)
		if err != nil || p < 0 || p > 100 {
			return errors.New("quantiles must be expressed as [0.0-100.0],[0.0-100.0](,...) .")
		}
		c.percentiles = append(c.percentiles, p)
	}
	slices.Sort(c.percentiles)
	return nil
}

// parse reads a command line as getopt_long would: "--flag=value", "--flag
// value", any unambiguous beginning of a flag, "-c4", "-c 4", "-R4c2". The last of
// several equal flags wins.
func parse(args []string) (*config, error) {
	c := &config{network: "tcp", dial: (&net.Dialer{}).DialContext, server: "localhost", port: 6379, protocol: "redis", threads: 4, clients: 50, pipeline: 1,
		ratio: [2]int{1, 10}, sizePattern: 'R', prefix: "memtier-", keyMax: 10_000_000, keyPattern: "R:R", zipfExp: 1,
		percentiles: []float64{50, 99, 99.9}}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case strings.HasPrefix(arg, "--") && len(arg) > 2:
			name, v, inline := strings.Cut(arg[2:], "=")
			o, err := long(name)
			switch {
			case err != nil:
				return nil, err
			case inline && !o.value:
				return nil, fmt.Errorf("memtier_benchmark: option '--%s' doesn't allow an argument", o.long)
			case !inline && o.value:
				if len(args) == 0 {
					return nil, fmt.Errorf("memtier_benchmark: option '--%s' requires an argument", o.long)
				}
				v, args = args[0], args[1:]
			}
			if err := o.set(c, v); err != nil {
				return nil, fmt.Errorf("error: %w", err)
			}
		case strings.HasPrefix(arg, "-") && len(arg) > 1:
			for rest := arg[1:]; rest != ""; {
				i := slices.IndexFunc(options, func(o option) bool { return o.short == rest[0] })
				if i < 0 {
					return nil, fmt.Errorf("memtier_benchmark: invalid option -- '%c'", rest[0])
				}
				o, v := options[i], ""
				rest = rest[1:]
				if o.value {
					if v, rest = rest, ""; v == "" {
						if len(args) == 0 {
							return nil, fmt.Errorf("memtier_benchmark: option requires an argument -- '%c'", o.short)
						}
						v, args = args[0], args[1:]
					}
				}
				if err := o.set(c, v); err != nil {
					return nil, fmt.Errorf("error: %w", err)
				}
			}
		default:
			return nil, fmt.Errorf("memtier_benchmark: unexpected argument '%s'", arg)
		}
	}
	return c, c.complete()
}

func long(name string) (option, error) {
	var found []option
	for _, o := range options {
		if o.long == name {
			return o, nil
		}
		if strings.HasPrefix(o.long, name) {
			found = append(found, o)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return option{}, fmt.Errorf("memtier_benchmark: option '--%s' is ambiguous", name)
	case slices.Contains(unserved, name):
		return option{}, fmt.Errorf("memtier_benchmark: option '--%s' is not served by this generator; install memtier_benchmark to use it", name)
	}
	return option{}, fmt.Errorf("memtier_benchmark: unrecognized option '--%s'", name)
}

// complete checks what single flags cannot and fills in what depends on others.
func (c *config) complete() error {
	switch {
	case c.testTime > 0 && (c.requests > 0 || c.allKeys):
		return errors.New("error: --test-time and --requests are mutually exclusive.")
	case c.keyMax < c.keyMin:
		return errors.New("error: key-maximum must be at least key-minimum.")
	case (c.stddev > 0 || c.median > 0) && !strings.Contains(c.keyPattern, "G"):
		return errors.New("error: key-stddev and key-median are only allowed together with key-pattern set to G.")
	case c.median > 0 && (c.median < float64(c.keyMin) || c.median > float64(c.keyMax)):
		return errors.New("error: key-median must be between key-minimum and key-maximum.")
	case c.cluster && c.reconnectEvery > 0:
		return errors.New("error: cluster mode dose not support reconnect-interval option.")
	case c.cluster && c.selectDB > 0:
		return errors.New("error: database selection not supported in cluster mode. Redis Cluster only supports database 0.")
	case c.fixed && (c.ranged || c.sizes != nil):
		return errors.New("error: data-size cannot be used with data-size-list or data-size-range.")
	case c.ranged && c.sizes != nil:
		return errors.New("error: data-size-list cannot be used with data-size-range.")
	case c.commands != nil && c.patternSet:
		return errors.New("error: when using arbitrary command, key pattern is configured with --command-key-pattern option.")
	case c.commands != nil && c.ratioSet:
		return errors.New("error: when using arbitrary command, ratio is configured with --command-ratio option.")
	}
	parallel := 0
	for i := range c.commands {
		if c.commands[i].pattern == 'P' {
			parallel++
		}
	}
	if parallel > 0 && parallel < len(c.commands) {
		return errors.New("error: parallel key-pattern must be configured to all commands.")
	}
	if !c.size.defined() && c.sizes == nil {
		c.size = span{32, 32}
	}
	if c.allKeys {
		// Not one more for the last key unless in parts: memtier counts the distance too.
		c.requests = c.keyMax - c.keyMin
		if c.keyPattern == "P:P" {
			c.requests = c.requests/uint64(c.clients*c.threads) + 1
		}
	}
	if c.requests == 0 && c.testTime == 0 {
		c.requests = 10000
	}
	return nil
}
