package loadgen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const slotCount = 16384

// cluster is the present map of slots to the addresses of their primaries.
type cluster struct {
	dialer *dialer
	owner  atomic.Pointer[[slotCount]string]

	mu     sync.Mutex
	loaded time.Time
}

// refreshEvery keeps a wave of MOVED from asking for the map at each of them.
const refreshEvery = 100 * time.Millisecond

// load asks the node at addr for the slots:
// https://redis.io/docs/latest/commands/cluster-slots/
func (c *cluster) load(ctx context.Context, addr string) error {
	if !c.mu.TryLock() {
		return nil // somebody is at it
	}
	defer c.mu.Unlock()
	if time.Since(c.loaded) < refreshEvery {
		return nil
	}
	conn, _, err := c.dialer.dial(ctx, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(c.dialer.timeout))
	answer, err := ask(conn, "CLUSTER", "SLOTS")
	if err != nil {
		return fmt.Errorf("error: cluster slots failed [-%w]; is %s a node of a cluster?", cause(err), addr)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	owner, err := slots(answer, host)
	if err != nil {
		return fmt.Errorf("error: cluster slots of %s: %w", addr, err)
	}
	c.owner.Store(owner)
	c.loaded = time.Now()
	return nil
}

// relocate follows "-MOVED slot host:port": the map is requested again, of the
// node named there, and shards that the client does not know get a connection.
func (r *run) relocate(ctx context.Context, w *worker, line string) {
	fields := strings.Fields(line)
	host, port, err := net.SplitHostPort(fields[len(fields)-1])
	if err != nil {
		return
	}
	if host == "" {
		host, _, _ = net.SplitHostPort(w.addr)
	}
	if err := r.cluster.load(ctx, net.JoinHostPort(host, port)); err != nil {
		r.errors.print(err.Error())
		return
	}
	for _, addr := range r.cluster.primaries() {
		r.join(ctx, w, addr)
	}
}

// slots reads [[from, to, [host, port, ...], replica ...] ...]. A node may not
// know its own name; the one that it was asked by is used instead.
func slots(answer any, host string) (*[slotCount]string, error) {
	var owner [slotCount]string
	ranges, _ := answer.([]any)
	for _, r := range ranges {
		fields, _ := r.([]any)
		if len(fields) < 3 {
			return nil, errors.New("a range without its primary")
		}
		from, _ := fields[0].(int64)
		to, _ := fields[1].(int64)
		node, _ := fields[2].([]any)
		if len(node) < 2 || from < 0 || to >= slotCount {
			return nil, errors.New("a range that cannot be read")
		}
		name, _ := node[0].(string)
		if name == "" || name == "?" {
			name = host
		}
		port, _ := node[1].(int64)
		for s := from; s <= to; s++ {
			owner[s] = net.JoinHostPort(name, strconv.FormatInt(port, 10))
		}
	}
	if len(ranges) == 0 {
		return nil, errors.New("no slot is served")
	}
	return &owner, nil
}

// primaries lists the addresses that own slots, in the order of their slots.
func (c *cluster) primaries() []string {
	var list []string
	seen := map[string]bool{"": true}
	for _, a := range c.owner.Load() {
		if !seen[a] {
			seen[a] = true
			list = append(list, a)
		}
	}
	return list
}

// slot is the hash slot of a key: CRC16 (XMODEM) of the key, or of its first
// non-empty {tag}. https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
func slot(key []byte) int {
	if _, after, ok := bytes.Cut(key, []byte{'{'}); ok {
		if tag, _, ok := bytes.Cut(after, []byte{'}'}); ok && len(tag) > 0 {
			key = tag
		}
	}
	crc := uint16(0)
	for _, b := range key {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^b]
	}
	return int(crc % slotCount)
}

var crcTable = func() (t [256]uint16) {
	for i := range t {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		t[i] = crc
	}
	return t
}()
