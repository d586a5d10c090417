package elasticache

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/resp"
)

// cacheNode is a node: an address, and the server process there.
type cacheNode struct {
	id, subnet, az, addr string // set before the group is seen
	secret               string // password of admin
	dir, caFile          string
	port                 int
	tls                  *tls.Config
	held                 io.Closer // keeps addr from other nodes
	release              func()    // gives up the network interface

	mu      sync.Mutex
	process *proc.Process
	out     *output
	admin   *conn
	login   string // of admin
	halt    func() // ends watching and waits for it
}

// startTime limits the wait for a server that hangs, including the time to join a cluster. A server that exits is noticed at once, so the limit is generous.
const startTime = 10 * time.Minute

// start starts the node's server and waits until it answers.
func (s *Service) start(ctx context.Context, g *group, n, primary *cacheNode, databases string) error {
	p := s.binaries().pick(g.version.engine)
	if err := os.RemoveAll(n.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return err
	}
	path, args := s.acct.Tools, []string{"cache-node", "--addr", n.address()}
	var config *os.File
	if p.path != "" {
		if g.tls {
			ca, err := s.ca()
			if err != nil {
				return err
			}
			n.tls = &tls.Config{RootCAs: ca.pool, ServerName: n.addr}
			if err := ca.issue(n.dir, n.id, net.ParseIP(n.addr)); err != nil {
				return err
			}
		}
		var err error
		if config, err = writeConfig(n.dir, n.config(g, p, primary, databases)); err != nil {
			return err
		}
		defer config.Close()
		path, args = p.path, []string{"-"}
	}
	out := &output{line: func(line string) { s.engineLine(g, n.id, line) }}
	child, err := proc.Start(proc.Spec{Path: path, Args: args, Env: []string{"TZ=UTC"}, Dir: n.dir, Stdin: config, Stdout: out, Stderr: out})
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.process, n.out = child, out
	n.mu.Unlock()
	for {
		err := n.ping(ctx, p.path != "")
		if err == nil {
			return nil
		}
		select {
		case <-child.Done():
			return fmt.Errorf("%s on %s ended with exit code %d before it answered: %s", filepath.Base(path), n.address(), child.ExitCode(), out.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s on %s does not answer: %w (%v): %s", filepath.Base(path), n.address(), context.Cause(ctx), err, out.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (n *cacheNode) address() string { return net.JoinHostPort(n.addr, strconv.Itoa(n.port)) }

// ping logs in as admin, a user that every server except the embedded one has.
func (n *cacheNode) ping(ctx context.Context, real bool) error {
	user := ""
	if real {
		user = admin
	}
	c, err := dial(ctx, n.address(), n.tls, user, n.secret)
	if err != nil {
		return err
	}
	if _, err := c.do("PING"); err != nil {
		c.close()
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.admin, n.login = c, user
	return nil
}

// do runs a command as admin. It opens a new connection if a command on the old one was not answered.
func (n *cacheNode) do(args ...string) (any, error) {
	n.mu.Lock()
	c, login := n.admin, n.login
	n.mu.Unlock()
	if c == nil {
		return nil, fmt.Errorf("%s has no server", n.id)
	}
	if !c.usable() {
		again, err := dial(context.Background(), n.address(), n.tls, login, n.secret) // answerTime ends it
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.id, err)
		}
		n.mu.Lock()
		if n.admin != c { // the node was ended, or another goroutine was faster
			defer n.mu.Unlock()
			again.close()
			return nil, fmt.Errorf("%s: its connection was renewed meanwhile", n.id)
		}
		c, n.admin = again, again
		n.mu.Unlock()
	}
	return c.do(args...)
}

// end stops watching, then the server, which has grace to exit, and releases the address. It can be called twice.
func (n *cacheNode) end(grace time.Duration) {
	n.mu.Lock()
	halt := n.halt
	n.halt = nil
	n.mu.Unlock()
	if halt != nil {
		halt()
	}
	n.mu.Lock()
	p, c := n.process, n.admin
	n.process, n.admin = nil, nil
	n.mu.Unlock()
	if c != nil {
		c.close()
	}
	if p != nil {
		p.Stop(grace)
	}
	if n.held != nil {
		_ = n.held.Close() // also for the second time
	}
}

// elsewhere lists parameters that are not set on a server under their own name: they go into its configuration file or
// are ElastiCache's own.
var elsewhere = map[string]bool{"cluster-enabled": true, "databases": true, "rename-commands": true, "close-on-replica-write": true, "reserved-memory-percent": true}

// configure sets the parameters that the server knows. If the server refuses one that a caller set, that is an error.
// maxmemory is the node type's memory less what reserved-memory-percent keeps for other uses.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/redis-memory-management.html
func (n *cacheNode) configure(settings []setting, size nodeType) error {
	answer, err := n.do("CONFIG", "GET", "*")
	if e := resp.Error(""); errors.As(err, &e) {
		return nil // the embedded stand-in has no CONFIG
	} else if err != nil {
		return err
	}
	list, _ := answer.([]any)
	known := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		known[asString(list[i])] = asString(list[i+1])
	}
	set := func(name, value string, must bool) error {
		if old, ok := known[name]; !ok || old == value {
			return nil
		}
		if _, err := n.do("CONFIG", "SET", name, value); err != nil && must {
			return fmt.Errorf("parameter %s = %q: %w", name, value, err)
		}
		return nil
	}
	limits, reserved := map[string]string{}, 25.0
	for _, s := range settings {
		if part, ok := strings.CutPrefix(s.name, "client-output-buffer-limit-"); ok {
			limits[part] = s.value
			continue
		}
		if s.name == "reserved-memory-percent" {
			reserved, _ = strconv.ParseFloat(s.value, 64)
		}
		if !elsewhere[s.name] {
			err = errors.Join(err, set(s.name, s.value, s.user))
		}
	}
	for _, class := range []string{"normal", "pubsub"} {
		value := fmt.Sprintf("%s %s %s %s", class, limits[class+"-hard-limit"], limits[class+"-soft-limit"], limits[class+"-soft-seconds"])
		err = errors.Join(err, set("client-output-buffer-limit", value, true))
	}
	return errors.Join(err, set("maxmemory", strconv.FormatInt(max(1, int64(size.memory*(1-reserved/100))), 10), true)) // 0 would be no limit
}

// info reads INFO as name and value.
func (n *cacheNode) info(section ...string) (map[string]string, error) {
	answer, err := n.do(append([]string{"INFO"}, section...)...)
	if err != nil {
		return nil, err
	}
	text, ok := answer.(string)
	if !ok {
		return nil, fmt.Errorf("%s: INFO was answered with a %T", n.id, answer)
	}
	out := map[string]string{}
	for _, line := range strings.Split(text, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			out[name] = value
		}
	}
	return out, nil
}

// until repeats a check until it succeeds or ctx ends. The error names what it waited for.
func until(ctx context.Context, what string, ok func() (bool, error)) error {
	for {
		done, err := ok()
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// replicated waits until a replica has its primary's data.
func (n *cacheNode) replicated(ctx context.Context) error {
	return until(ctx, n.id+" is not in sync with its primary", func() (bool, error) {
		i, err := n.info("replication")
		return i["role"] == "slave" && i["master_link_status"] == "up", err
	})
}

// join makes a cluster of running servers: it assigns slots, lets the nodes meet, and attaches replicas to their primaries.
func join(ctx context.Context, g *group) error {
	first := g.shards[0].nodes[0]
	for i, sh := range g.shards {
		var low, high int
		if _, err := fmt.Sscanf(sh.slots, "%d-%d", &low, &high); err != nil {
			return err
		}
		args := []string{"CLUSTER", "ADDSLOTS"}
		for slot := low; slot <= high; slot++ {
			args = append(args, strconv.Itoa(slot))
		}
		if _, err := sh.nodes[0].do(args...); err != nil {
			return err
		}
		if _, err := sh.nodes[0].do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
	}
	all := g.nodes()
	for _, n := range all[1:] {
		if _, err := first.do("CLUSTER", "MEET", n.addr, strconv.Itoa(g.port)); err != nil {
			return err
		}
	}
	for _, n := range all {
		if err := until(ctx, n.id+" does not know the cluster's nodes", func() (bool, error) {
			i, err := n.clusterInfo()
			return i["cluster_known_nodes"] == strconv.Itoa(len(all)), err
		}); err != nil {
			return err
		}
	}
	for _, sh := range g.shards {
		id, err := sh.nodes[0].do("CLUSTER", "MYID")
		if err != nil {
			return err
		}
		for _, n := range sh.nodes[1:] {
			if err := until(ctx, n.id+" does not know its primary", func() (bool, error) {
				_, err := n.do("CLUSTER", "REPLICATE", asString(id))
				if e := resp.Error(""); errors.As(err, &e) && ctx.Err() == nil {
					return false, nil // a handshake is still under way
				}
				return err == nil, err
			}); err != nil {
				return err
			}
		}
	}
	for _, n := range all {
		if err := until(ctx, n.id+" does not see the cluster as ok", func() (bool, error) {
			i, err := n.clusterInfo()
			return i["cluster_state"] == "ok" && i["cluster_slots_ok"] == "16384" && n.sees(g), err
		}); err != nil {
			return err
		}
	}
	for _, sh := range g.shards {
		for _, n := range sh.nodes[1:] {
			if err := n.replicated(ctx); err != nil {
				return err
			}
		}
	}
	return each(all, func(n *cacheNode) error {
		for name, value := range map[string]string{"repl-ping-replica-period": "10", "cluster-node-timeout": "15000"} { // the servers' defaults
			if _, err := n.do("CONFIG", "SET", name, value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (n *cacheNode) clusterInfo() (map[string]string, error) {
	answer, err := n.do("CLUSTER", "INFO")
	out := map[string]string{}
	for _, line := range strings.Split(asString(answer), "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			out[name] = value
		}
	}
	return out, err
}

// sees reports whether a node shows clients each shard with all of its members.
func (n *cacheNode) sees(g *group) bool {
	answer, err := n.do("CLUSTER", "SLOTS")
	shards, _ := answer.([]any)
	for _, x := range shards {
		if f, _ := x.([]any); len(f) != 2+len(g.shards[0].nodes) { // first and last slot, then the members
			return false
		}
	}
	return err == nil && len(shards) == len(g.shards)
}
