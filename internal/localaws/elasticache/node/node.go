// Package node is the embedded stand-in for a cache node where no Redis or Valkey server is installed: miniredis in
// a process of its own. It is not Redis: no eviction, no replication, no cluster, no TLS, and its speed is its own.
package node

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// Version is that of miniredis, as in go.mod.
const Version = "2.40.0"

// RunNode serves --addr HOST:PORT until ctx ends, and writes its log to stdout in the form that Redis has.
func RunNode(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("cache-node", flag.ContinueOnError)
	flags.SetOutput(stdout)
	addr := flags.String("addr", "", "address to listen on, such as 127.0.0.5:6379")
	password := flags.String("requirepass", "", "password that clients must give")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *addr == "" || flags.NArg() > 0 {
		return fmt.Errorf("cache-node: give --addr HOST:PORT, and no arguments: %q", flags.Args())
	}
	m := miniredis.NewMiniRedis()
	if *password != "" {
		m.RequireAuth(*password)
	}
	log := func(format string, a ...any) error {
		_, err := fmt.Fprintf(stdout, "%d:M %s * %s\n", os.Getpid(), time.Now().UTC().Format("02 Jan 2006 15:04:05.000"), fmt.Sprintf(format, a...))
		return err
	}
	if err := m.StartAddr(*addr); err != nil {
		return fmt.Errorf("cache-node: listen on %s: %w", *addr, err)
	}
	defer m.Close()
	count(m.Server())
	if err := log("miniredis version=%s (embedded in localaws; not Redis), listening on %s", Version, *addr); err != nil {
		return err
	}
	expire := time.NewTicker(time.Second)
	defer expire.Stop()
	for {
		select {
		case <-ctx.Done():
			return log("ending: %v", context.Cause(ctx))
		case <-expire.C:
			m.FastForward(time.Second) // miniredis's keys age only so
		}
	}
}

// count adds the calls of each command to INFO, which miniredis does not have.
func count(s *server.Server) {
	var calls sync.Map // of *atomic.Int64 by command
	s.SetPreHook(func(c *server.Peer, cmd string, args ...string) bool {
		if !s.IsRegisteredCommand(cmd) {
			return false
		}
		name := strings.ToLower(cmd)
		n, ok := calls.Load(name)
		if !ok {
			n, _ = calls.LoadOrStore(name, new(atomic.Int64))
		}
		n.(*atomic.Int64).Add(1)
		if name != "info" {
			return false
		}
		var b strings.Builder
		fmt.Fprintf(&b, "# Clients\r\nconnected_clients:%d\r\n# Stats\r\ntotal_connections_received:%d\r\ntotal_commands_processed:%d\r\n# Replication\r\nrole:master\r\n# Commandstats\r\n",
			s.ClientsLen(), s.TotalConnections(), s.TotalCommands())
		calls.Range(func(k, v any) bool {
			fmt.Fprintf(&b, "cmdstat_%s:calls=%d\r\n", k, v.(*atomic.Int64).Load())
			return true
		})
		c.WriteBulk(b.String())
		return true
	})
}
