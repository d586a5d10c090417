package loadgen

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	fields := strings.Fields
	for _, tc := range []struct {
		name  string
		args  []string
		check func(*require.Assertions, *config)
	}{
		{"defaults are memtier's", nil, func(r *require.Assertions, c *config) {
			r.Equal("localhost", c.server)
			r.Equal([]int{6379, 4, 50, 1}, []int{c.port, c.threads, c.clients, c.pipeline})
			r.EqualValues(10000, c.requests)
			r.Equal([2]int{1, 10}, c.ratio)
			r.Equal(span{32, 32}, c.size)
			r.Equal("memtier-", c.prefix)
			r.EqualValues(10_000_000, c.keyMax)
			r.Equal("R:R", c.keyPattern)
			r.Equal([]float64{50, 99, 99.9}, c.percentiles)
		}},
		{"long forms", fields("--server=10.0.0.1 --port 7000 --threads=2 --clients 8 --test-time=60 --pipeline=16 --data-size=100 --ratio=1:1"), func(r *require.Assertions, c *config) {
			r.Equal("10.0.0.1", c.server)
			r.Equal([]int{7000, 2, 8, 60, 16}, []int{c.port, c.threads, c.clients, c.testTime, c.pipeline})
			r.Zero(c.requests)
			r.Equal(span{100, 100}, c.size)
		}},
		{"short forms", fields("-s a -p7000 -t 2 -c8 -n 5 -d 9 -R -a u:p -P resp3"), func(r *require.Assertions, c *config) {
			r.Equal("a", c.server)
			r.Equal([]int{7000, 2, 8}, []int{c.port, c.threads, c.clients})
			r.EqualValues(5, c.requests)
			r.True(c.randomData)
			r.Equal([]string{"AUTH", "u", "p"}, login(c.credentials))
			r.Equal("resp3", c.protocol)
		}},
		{"-h is the host, and the last one wins", fields("-h a --host=b"), func(r *require.Assertions, c *config) { r.Equal("b", c.server) }},
		{"unambiguous beginnings", fields("--cluster --tls-skip"), func(r *require.Assertions, c *config) { r.True(c.cluster && c.skipVerify && !c.tls) }},
		{"a value may look like a flag", []string{"--authenticate", "--x"}, func(r *require.Assertions, c *config) { r.Equal("--x", c.credentials) }},
		{"all keys", fields("-n allkeys --key-minimum=1 --key-maximum=1000"), func(r *require.Assertions, c *config) { r.EqualValues(999, c.requests) }},
		{"all keys in parallel", fields("-n allkeys --key-minimum=1 --key-maximum=1000 --key-pattern=P:P -t2 -c5"), func(r *require.Assertions, c *config) { r.EqualValues(100, c.requests) }},
		{"uri", fields("-u rediss://me:pw@h:1234/3"), func(r *require.Assertions, c *config) {
			r.Equal([]any{"h", 1234, "me:pw", 3, true}, []any{c.server, c.port, c.credentials, c.selectDB, c.tls})
		}},
		{"sizes", fields("--data-size-list=10:1,200:3"), func(r *require.Assertions, c *config) { r.Equal([]weight{{10, 1}, {200, 3}}, c.sizes) }},
		{"percentiles", fields("--print-percentiles=99,50,99.99"), func(r *require.Assertions, c *config) { r.Equal([]float64{50, 99, 99.99}, c.percentiles) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := parse(tc.args)
			require.NoError(t, err)
			tc.check(require.New(t), c)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for args, message := range map[string]string{
		"--nonsense":                            "memtier_benchmark: unrecognized option '--nonsense'",
		"-z":                                    "memtier_benchmark: invalid option -- 'z'",
		"--wait-ratio=1:1":                      "option '--wait-ratio' is not served by this generator",
		"--command=PING --ratio=1:1":            "ratio is configured with --command-ratio option",
		"--command=PING --key-pattern=R:R":      "key pattern is configured with --command-key-pattern option",
		"--command-ratio=2":                     "error: no arbitrary command found.",
		"--command=GET --command-key-pattern=X": "error: key-pattern for command GET must be in the format of [S/R/Z/G/P].",
		"--command=A --command-key-pattern=P --command=B": "parallel key-pattern must be configured to all commands",
		"--command=__key__":                          "failed to parse arbitrary command",
		"--command=SET_x__data__":                    "data placeholder can't combined with other data",
		"--data-size=1 --data-size-range=1-2":        "data-size cannot be used with data-size-list or data-size-range",
		"--data-size-list=1:1 --data-size-range=1-2": "data-size-list cannot be used with data-size-range",
		"--data-size-list=1:1 -d1":                   "data-size cannot be used with",
		"--clients-start=1":                          "option '--clients-start' is not served by this generator",
		"--cluster-mode --reconnect-interval=1":      "cluster mode dose not support reconnect-interval",
		"--port":                                     "option '--port' requires an argument",
		"-s":                                         "option requires an argument -- 's'",
		"--tls=yes":                                  "option '--tls' doesn't allow an argument",
		"--data-size-":                               "option '--data-size-' is ambiguous",
		"stray":                                      "unexpected argument 'stray'",
		"-p 70000":                                   "error: port must be a number in the range [1-65535].",
		"--clients=0":                                "error: clients must be greater than zero.",
		"--ratio=1-1":                                "error: ratio must be expressed as [0-n]:[0-n]",
		"--ratio=0:0":                                "not both zero",
		"--key-pattern=X:R":                          "error: key-pattern must be in the format",
		"--key-pattern=P:R":                          "parallel key-pattern must be configured for both",
		"--test-time=1 -n 5":                         "mutually exclusive",
		"--key-minimum=9 --key-maximum=8":            "key-maximum must be at least key-minimum",
		"--key-median=5":                             "only allowed together with key-pattern set to G",
		"--data-size=1 --data-size-list=1":           "data-size-list must be expressed",
		"--print-percentiles=101":                    "quantiles must be expressed",
		"--cluster-mode --select-db=1":               "Redis Cluster only supports database 0",
		"--protocol=memcache_text":                   "supported protocols are",
	} {
		_, err := parse(strings.Fields(args))
		require.ErrorContains(t, err, message, args)
	}
}
