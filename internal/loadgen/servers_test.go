package loadgen

import (
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
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"
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

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// redisServer starts a real server on 127.0.0.1, or skips the test.
func redisServer(t testing.TB, args ...string) (port int, pid int) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("needs redis-server on PATH")
	}
	port = freePort(t)
	cmd := exec.Command(path, append([]string{"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir()}, args...)...)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address(port))
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
	return port, cmd.Process.Pid
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// redis asks the server for one thing.
func redis(t testing.TB, port int, words ...string) any {
	t.Helper()
	conn, err := net.Dial("tcp", address(port))
	require.NoError(t, err)
	defer conn.Close()
	v, err := ask(conn, newReader(conn), words...)
	require.NoError(t, err)
	return v
}

// info gives a number of INFO.
func info(t testing.TB, port int, field string) int64 {
	t.Helper()
	for line := range strings.SplitSeq(redis(t, port, "INFO", "all").(string), "\r\n") {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.ParseInt(v, 10, 64)
			require.NoError(t, err)
			return n
		}
	}
	require.Fail(t, "no such field", field)
	return 0
}

// stall stops a process and lets it go on at the end of the test.
func stall(t *testing.T, pid int) {
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
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
			go func() {
				defer conn.Close()
				for in := newReader(conn); ; {
					v, err := in.any()
					if err != nil {
						return
					}
					var words []string
					for _, w := range v.([]any) {
						words = append(words, w.(string))
					}
					answer := f(words)
					if _, err := conn.Write([]byte(answer)); err != nil || answer == "" {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
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

// realCluster is two servers with half of the slots each.
func realCluster(t testing.TB) (a, b int) {
	args := []string{"--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1", "--cluster-node-timeout", "2000"}
	a, _ = redisServer(t, args...)
	b, _ = redisServer(t, args...)
	redis(t, a, "CLUSTER", "ADDSLOTSRANGE", "0", "8191")
	redis(t, b, "CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
	redis(t, a, "CLUSTER", "MEET", "127.0.0.1", fmt.Sprint(b))
	for _, port := range []int{a, b} {
		require.Eventually(t, func() bool {
			return strings.Contains(redis(t, port, "CLUSTER", "INFO").(string), "cluster_state:ok")
		}, 30*time.Second, 50*time.Millisecond)
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
func tlsMini(t *testing.T, c *tls.Config) (port int, stop func()) {
	s := miniredis.NewMiniRedis()
	require.NoError(t, s.StartTLS(c))
	return s.Server().Addr().Port, s.Close
}
