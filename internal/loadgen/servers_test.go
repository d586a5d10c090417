package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/resp"
	"github.com/elasticache-perf/elasticache-perf/internal/waittest"
)

// TestMain makes this binary memtier_benchmark when it is called so, as localaws does.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "memtier_benchmark" {
		os.Exit(Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// generatorDir is a directory with memtier_benchmark in it.
func generatorDir(t testing.TB) string {
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(self, filepath.Join(dir, "memtier_benchmark")))
	return dir
}

// beside is another port that has to be free with one of 127.0.0.1: on another address, or a distance away.
type beside struct {
	host     string
	distance int
}

// freePort is a port of 127.0.0.1 that refuses connections until a server of the test listens there.
func freePort(t testing.TB, others ...beside) int {
	for {
		port, err := hold(t, "127.0.0.1", 0)
		require.NoError(t, err)
		taken := func(o beside) bool { _, err := hold(t, o.host, port+o.distance); return err != nil }
		if !slices.ContainsFunc(others, taken) {
			return port
		}
	}
}

// hold keeps a port (0: any) for the test: the socket is bound to it and does not listen. Nobody who asks for any port is given it, and yet a
// server that sets SO_REUSEADDR, as Redis does, can listen on it: https://man7.org/linux/man-pages/man7/socket.7.html
// A port that was looked up by listening and closing may be somebody else's by the time the server starts.
func hold(t testing.TB, host string, port int) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	require.NoError(t, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: netip.MustParseAddr(host).As4()}); err != nil {
		return 0, err
	}
	bound, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	return bound.(*syscall.SockaddrInet4).Port, nil
}

// redisServer starts a real server on 127.0.0.1, or skips the test.
func redisServer(t testing.TB, args ...string) (port int) {
	port = freePort(t)
	startRedis(t, "127.0.0.1", port, args...)
	return port
}

// startRedis starts a real server and waits until it answers, or skips the test.
func startRedis(t testing.TB, host string, port int, args ...string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("needs redis-server on PATH")
	}
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	defer log.Close()
	cmd := exec.Command(path, append([]string{"--port", strconv.Itoa(port), "--bind", host, "--save", "", "--dir", dir}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	waittest.Until(t, func() error {
		select {
		case <-ended:
			said, _ := os.ReadFile(log.Name())
			require.Fail(t, "redis-server ended", "%s", said)
		default:
		}
		_, err := tell(net.JoinHostPort(host, strconv.Itoa(port)), "PING")
		return err
	})
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// tell is one command on a connection of its own.
func tell(addr string, words ...string) (any, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return ask(conn, words...)
}

// redis asks the server for one thing.
func redis(t testing.TB, port int, words ...string) any {
	t.Helper()
	v, err := tell(address(port), words...)
	require.NoError(t, err)
	return v
}

// reports waits until the section of INFO has a text.
func reports(t testing.TB, addr, section, text string) {
	t.Helper()
	waittest.Until(t, func() error {
		v, err := tell(addr, strings.Fields(section)...)
		if err == nil && !strings.Contains(v.(string), text) {
			err = fmt.Errorf("%s of %s has no %q:\n%s", section, addr, text, v)
		}
		return err
	})
}

// info gives the numbers of INFO.
func info(t testing.TB, port int) func(field string) int64 {
	t.Helper()
	text := redis(t, port, "INFO", "all").(string)
	return func(field string) int64 {
		t.Helper()
		found := regexp.MustCompile(`(?m)^` + field + `:(\d+)`).FindStringSubmatch(text)
		require.NotNil(t, found, field)
		n, err := strconv.ParseInt(found[1], 10, 64)
		require.NoError(t, err)
		return n
	}
}

// script is a server that answers each command as f says; "" closes the connection.
func script(t *testing.T, f func(words []string) string) (port int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, 0, f)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// silence is no answer, ever.
const silence = "silence"

// serve answers each command as f says, in order and a latency after it came; "" closes the connection.
func serve(conn net.Conn, latency time.Duration, f func(words []string) string) {
	defer conn.Close()
	type due struct {
		at   time.Time
		text string
	}
	answers := make(chan due, 1<<12)
	defer close(answers)
	go func() {
		for a := range answers {
			if a.text == "" {
				conn.Close()
			}
			time.Sleep(time.Until(a.at))
			_, _ = conn.Write([]byte(a.text))
		}
	}()
	for in := bufio.NewReader(conn); ; {
		v, err := resp.Read(in)
		if err != nil {
			return
		}
		var words []string
		for _, w := range v.([]any) {
			words = append(words, w.(string))
		}
		if text := f(words); text != silence {
			answers <- due{time.Now().Add(latency), text}
		}
	}
}

// virtual is a load in virtual time, on connections in memory; a server takes the latency for each answer.
func virtual(t *testing.T, args string, latency time.Duration, f func(words []string) string) (o *outcome) {
	t.Helper()
	o = &outcome{file: filepath.Join(t.TempDir(), "out.json")}
	synctest.Test(t, func(t *testing.T) {
		cfg, err := parse(append(strings.Fields(args), "--json-out-file", o.file))
		require.NoError(t, err)
		cfg.dial = func(context.Context, string, string) (net.Conn, error) {
			if f == nil {
				return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
			}
			ours, its := net.Pipe()
			go serve(its, latency, f)
			return ours, nil
		}
		var out counter
		var progress bytes.Buffer
		began := time.Now()
		o.code = cfg.run(t.Context(), &out, &progress)
		o.took = time.Since(began)
		o.table, o.progress, o.writes = out.String(), progress.String(), out.writes
	})
	o.read(t)
	return o
}

// twoShards are two scripted nodes; the slots from border on are the second's.
func twoShards(t *testing.T, border *atomic.Int64) (ports [2]int, keys [2]*atomic.Int64) {
	node := func(i int) func([]string) string {
		keys[i] = new(atomic.Int64)
		return func(words []string) string {
			b := int(border.Load())
			if words[0] == "CLUSTER" {
				first := fmt.Sprintf("*3\r\n:0\r\n:%d\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n", b-1, ports[0])
				second := fmt.Sprintf("*3\r\n:%d\r\n:16383\r\n*2\r\n$0\r\n\r\n:%d\r\n", b, ports[1])
				if b == slotCount {
					return "*1\r\n" + first
				}
				return "*2\r\n" + first + second
			}
			s, owner := slot([]byte(words[1])), 0
			if s >= b {
				owner = 1
			}
			if owner != i {
				return fmt.Sprintf("-MOVED %d 127.0.0.1:%d\r\n", s, ports[owner])
			}
			keys[i].Add(1)
			if words[0] == "GET" {
				return "$-1\r\n"
			}
			return "+OK\r\n"
		}
	}
	first, second := node(0), node(1)
	ports[0] = script(t, first)
	ports[1] = script(t, second)
	return ports, keys
}

// realCluster is two servers with half of the slots each. A node also listens on its port + 10000.
func realCluster(t testing.TB) (a, b int) {
	node := func() int {
		port := freePort(t, beside{"127.0.0.1", 10000})
		startRedis(t, "127.0.0.1", port, "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-node-timeout", "60000")
		return port
	}
	a, b = node(), node()
	redis(t, a, "CLUSTER", "ADDSLOTSRANGE", "0", "8191")
	redis(t, b, "CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
	redis(t, a, "CLUSTER", "MEET", "127.0.0.1", fmt.Sprint(b))
	for _, port := range []int{a, b} {
		reports(t, address(port), "CLUSTER INFO", "cluster_state:ok")
	}
	return a, b
}

// certificate makes a self-signed one for a name that no address has.
func certificate(t *testing.T) (*tls.Config, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"cache.example"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, file
}

// tlsMini is a miniredis behind TLS.
func tlsMini(t *testing.T, c *tls.Config) (*miniredis.Miniredis, int) {
	s := miniredis.NewMiniRedis()
	require.NoError(t, s.StartTLS(c))
	t.Cleanup(s.Close)
	return s, s.Server().Addr().Port
}
