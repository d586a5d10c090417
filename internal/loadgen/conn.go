package loadgen

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/resp"
)

// connectLimit bounds making one connection, from TCP to the last word of its
// set-up, unless --connection-timeout does. memtier has no bound, and hangs.
const connectLimit = 30 * time.Second

// dialer makes connections that are ready for load.
type dialer struct {
	cfg     *config
	tls     *tls.Config
	timeout time.Duration
}

func newDialer(cfg *config) (*dialer, error) {
	d := &dialer{cfg: cfg, timeout: connectLimit}
	if cfg.connectTimeout > 0 {
		d.timeout = time.Duration(cfg.connectTimeout) * time.Second
	}
	if !cfg.tls {
		return d, nil
	}
	// As memtier: the chain is checked, the name is not, for a cluster's nodes
	// present themselves by address; SNI only when asked for.
	d.tls = &tls.Config{ServerName: cfg.sni, InsecureSkipVerify: true}
	if !cfg.skipVerify {
		var roots *x509.CertPool // nil is the system's
		if cfg.cacert != "" {
			pem, err := os.ReadFile(cfg.cacert)
			if err != nil {
				return nil, fmt.Errorf("Failed to load CA certificate file: %w", err)
			}
			if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("Failed to load CA certificate file: %s holds no PEM certificate", cfg.cacert)
			}
		}
		d.tls.VerifyConnection = func(s tls.ConnectionState) error {
			between := x509.NewCertPool()
			for _, c := range s.PeerCertificates[1:] {
				between.AddCert(c)
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
			return err
		}
	}
	if cfg.cert != "" {
		key := cfg.key
		if key == "" {
			key = cfg.cert
		}
		pair, err := tls.LoadX509KeyPair(cfg.cert, key)
		if err != nil {
			return nil, fmt.Errorf("Failed to load certificate file: %w", err)
		}
		d.tls.Certificates = []tls.Certificate{pair}
	}
	return d, nil
}

// dial connects, logs in and selects the database.
func (d *dialer) dial(ctx context.Context, addr string) (net.Conn, *reader, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	conn, err := d.cfg.dial(ctx, d.cfg.network, addr)
	if err != nil {
		return nil, nil, fmt.Errorf("Connection error: %w", cause(err))
	}
	// A cancelled context must also end reads and writes of the set-up.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	if d.tls != nil {
		secure := tls.Client(conn, d.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, nil, fmt.Errorf("TLS connection error: %w", cause(err))
		}
		conn = secure
	}
	if err := d.setUp(conn); err != nil {
		conn.Close()
		return nil, nil, err
	}
	if !stop() {
		conn.Close()
		return nil, nil, fmt.Errorf("Connection error: %w", ctx.Err())
	}
	return conn, newReader(conn), nil
}

func (d *dialer) setUp(conn net.Conn) error {
	for _, step := range []struct {
		wanted  bool
		failed  string
		command []string
	}{
		{d.cfg.credentials != "", "error: authentication failed", login(d.cfg.credentials)},
		{d.cfg.protocol != "redis", "error: HELLO failed", []string{"HELLO", strings.TrimPrefix(d.cfg.protocol, "resp")}},
		{d.cfg.selectDB > 0, "error: database selection failed", []string{"SELECT", strconv.Itoa(d.cfg.selectDB)}},
	} {
		if !step.wanted {
			continue
		}
		if _, err := ask(conn, step.command...); err != nil {
			if refused := resp.Error(""); errors.As(err, &refused) {
				return fmt.Errorf("%s [-%w]", step.failed, err)
			}
			return fmt.Errorf("Connection error: %w", cause(err))
		}
	}
	return nil
}

// login takes memtier's "password" and "user:password".
func login(credentials string) []string {
	if user, password, ok := strings.Cut(credentials, ":"); ok && user != "" {
		return []string{"AUTH", user, password}
	}
	return []string{"AUTH", strings.TrimPrefix(credentials, ":")}
}

// ask sends one command and waits for its whole reply, so nothing is left unread on the connection.
func ask(conn net.Conn, words ...string) (any, error) {
	if _, err := conn.Write(resp.Append(nil, words...)); err != nil {
		return nil, err
	}
	v, err := resp.Read(bufio.NewReader(conn))
	if refused, ok := v.(resp.Error); ok {
		return nil, refused
	}
	return v, err
}

// cause strips what net puts before the reason: memtier prints the bare reason.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err
}
