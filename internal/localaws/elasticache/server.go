package elasticache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache/node"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// program is a server that is installed on this machine.
type program struct{ name, path, version string }

type binaries struct{ valkey, redis program }

var programVersion = regexp.MustCompile(`v=(\d+\.\d+\.\d+)`)

func findBinaries() binaries {
	look := func(name string) program {
		path, err := exec.LookPath(name)
		if err != nil {
			return program{}
		}
		out, err := exec.Command(path, "--version").Output()
		m := programVersion.FindSubmatch(out)
		if err != nil || m == nil {
			return program{}
		}
		return program{name, path, string(m[1])}
	}
	return binaries{look("valkey-server"), look("redis-server")}
}

func (b binaries) String() string {
	var out []string
	for _, p := range []program{b.valkey, b.redis} {
		if p.path != "" {
			out = append(out, p.name+" "+p.version)
		}
	}
	if len(out) == 0 {
		return fmt.Sprintf("miniredis %s (embedded; not Redis)", node.Version)
	}
	return strings.Join(out, ", ")
}

// pick returns the engine's own server if it is installed, else the other engine's; an empty program is the stand-in.
func (b binaries) pick(engine string) program {
	if b.redis.path == "" || engine == "valkey" && b.valkey.path != "" {
		return b.valkey
	}
	return b.redis
}

// check refuses what only a real server can do.
func (b binaries) check(g *group, tools string) error {
	if b.pick(g.version.engine).path != "" {
		return nil
	}
	what := ""
	switch {
	case g.clusterMode:
		what = "cluster mode"
	case len(g.nodes()) > 1:
		what = "replicas"
	case g.tls:
		what = "encryption in transit"
	case tools == "":
		return wire.Errorf(500, "InternalFailure", "localaws found neither valkey-server nor redis-server on PATH, and does not know its own program to run the embedded stand-in with: install redis-server")
	default:
		return nil
	}
	return invalidCombination("%s has %s, which localaws's embedded stand-in for Redis does not have, and neither valkey-server nor redis-server is on PATH: install redis-server.", g.id, what)
}

// busOffset is the distance between the ports of a cluster's bus and of its clients.
const busOffset = 10_000

// claim gives each node its own loopback address on which the port is free.
func claim(g *group) (err error) {
	ports := []int{g.port}
	if g.clusterMode {
		if g.port+busOffset > 65535 {
			return invalidValue("The parameter Port must be at most %d in cluster mode, whose bus is at port + %d: it is %d.", 65535-busOffset, busOffset, g.port)
		}
		ports = append(ports, g.port+busOffset)
	}
	for _, n := range g.nodes() {
		if n.addr, n.held, err = reserve(ports...); err == nil {
			continue
		}
		why := err.Error()
		if errors.Is(err, syscall.EADDRINUSE) {
			why = fmt.Sprintf("port %d is taken on every loopback address, so another server listens on 0.0.0.0:%d (%v). Stop it", g.port, g.port, err)
		}
		if g.serverless != nil { // CreateServerlessCache has no error for missing capacity, and no Port
			return invalidCombination("localaws cannot start serverless cache %s on port %d: %s.", g.id, g.port, why)
		}
		return wire.Errorf(400, "InsufficientCacheClusterCapacity", "localaws cannot start %s on port %d: %s, or give the replication group another Port.", n.id, g.port, why)
	}
	return nil
}

// giveUp releases the addresses of a group whose nodes never started.
func (g *group) giveUp() {
	for _, n := range g.nodes() {
		n.end(0)
	}
}

// draw picks a loopback address outside of 127.0.0.0/16, which people use.
var draw = func() string { return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254)) }

// reserve finds a loopback address on which the ports are free and that no other localaws on this machine has reserved. The caller has it until
// it closes held, an abstract socket named after the address, which ends with the process. https://man7.org/linux/man-pages/man7/unix.7.html
func reserve(ports ...int) (addr string, held io.Closer, err error) {
	for range 64 {
		addr = draw()
		if held, err = net.Listen("unix", "@localaws "+addr); err != nil {
			continue
		}
		if err = free(addr, ports); err == nil {
			return addr, held, nil
		}
		err = errors.Join(err, held.Close())
	}
	return "", nil, err
}

// PortFree reports whether cache nodes can listen on a port: a listener on 0.0.0.0 takes it on every loopback address.
func PortFree(port int) error {
	_, held, err := reserve(port)
	if err != nil {
		return err
	}
	return held.Close()
}

func free(addr string, ports []int) error {
	for _, p := range ports {
		l, err := net.Listen("tcp4", net.JoinHostPort(addr, strconv.Itoa(p)))
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

// restricted lists commands that ElastiCache denies to callers. Subcommands (with a "|") need a server of version 7.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/SupportedCommands.html
var restricted = []string{"bgrewriteaof", "bgsave", "config", "debug", "migrate", "module", "psync", "replicaof", "save", "shutdown", "slaveof", "sync",
	"acl|setuser", "acl|deluser", "acl|load", "acl|save", "cluster|addslots", "cluster|addslotsrange", "cluster|bumpepoch", "cluster|delslots", "cluster|delslotsrange",
	"cluster|failover", "cluster|flushslots", "cluster|forget", "cluster|meet", "cluster|replicate", "cluster|reset", "cluster|saveconfig", "cluster|set-config-epoch", "cluster|setslot"}

// admin is the user of localaws and of replicas.
const admin = "localaws"

// config is a server's configuration file: no persistence, users, TLS, cluster or replication. Values of the parameter
// group that can be set at run time are set later (configure).
func (n *cacheNode) config(g *group, p program, primary *cacheNode, databases string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	major, _ := strconv.Atoi(p.version[:strings.IndexByte(p.version, '.')])
	channels := ""
	if p.version >= "6.2" || major > 9 {
		channels = " &*"
	}
	login := "on nopass"
	if g.authToken != "" {
		login = "on " + strconv.Quote(">"+g.authToken)
	}
	if g.userGroup != "" { // its users come when the server answers
		login = "off"
	}
	line("bind %s", n.addr)
	line("protected-mode no")
	line("daemonize no")
	line("dir %s", strconv.Quote(n.dir))
	line(`save ""`)
	line("appendonly no")
	line("maxclients 65000") // the server lowers it if the machine allows fewer
	line("user default %s ~*%s +@all %s", login, channels, strings.Join(denied(major >= 7), " "))
	line("user %s on >%s ~*%s +@all", admin, n.secret, channels)
	line("masteruser %s", admin)
	line("masterauth %s", n.secret)
	line("repl-diskless-sync yes")
	line("repl-diskless-sync-delay 0")
	if g.tls {
		line("port 0\ntls-port %d\ntls-auth-clients no\ntls-replication yes", g.port)
		line("tls-cert-file %s", strconv.Quote(filepath.Join(n.dir, "node.pem")))
		line("tls-key-file %s", strconv.Quote(filepath.Join(n.dir, "node.key")))
		line("tls-ca-cert-file %s", strconv.Quote(n.caFile))
	} else {
		line("port %d", g.port)
	}
	if g.clusterMode {
		line("cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-announce-ip %s", n.addr)
		line("repl-ping-replica-period 1")  // until it has joined: a replica is visible to clients once it has received data
		line("cluster-node-timeout 600000") // also until then: a node that has not answered by then is forgotten
		if g.tls {
			line("tls-cluster yes")
		}
	} else {
		line("databases %s", databases)
		line("replica-announce-ip %s", n.addr)
		if primary != nil {
			line("replicaof %s %d", primary.addr, g.port)
		}
	}
	return b.String()
}

// output passes on a server's lines, and keeps the last ones for errors.
type output struct {
	mu   sync.Mutex
	part []byte
	last []string
	line func(string)
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.part = append(o.part, b...)
	for {
		i := bytes.IndexByte(o.part, '\n')
		if i < 0 {
			return len(b), nil
		}
		line := strings.TrimRight(string(o.part[:i]), "\r ")
		o.part = o.part[i+1:]
		if line == "" {
			continue
		}
		o.last = append(o.last[max(0, len(o.last)-4):], line)
		o.line(line)
	}
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.last, " | ")
}

// writeConfig writes a server's configuration, which it reads from its stdin: as an argument, a server takes brackets and stars in the path for a pattern, and
// without a match it runs with its defaults. https://github.com/redis/redis/blob/7.0.15/src/config.c (loadServerConfig)
func writeConfig(dir, text string) (*os.File, error) {
	file := filepath.Join(dir, "node.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil { // holds passwords
		return nil, err
	}
	return os.Open(file)
}

// running names what a group's nodes run on.
func (b binaries) running(g *group) string {
	if p := b.pick(g.version.engine); p.path != "" {
		return p.name + " " + p.version
	}
	return binaries{}.String()
}
