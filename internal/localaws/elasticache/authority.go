package elasticache

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// authority signs the certificates of nodes with TLS. On AWS it is Amazon's; here each account has its own:
// clients verify with its certificate, CAFile.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

// CAFile is the certificate of the authority for nodes with TLS: ca.pem in the account's folder, once there was such a node.
func (s *Service) CAFile() string { return filepath.Join(s.acct.Dir, "ca.pem") }

// CA makes the certificate authority if there is none, and returns the content of CAFile: for clients that exist before the first node.
func (s *Service) CA() (string, error) {
	if _, err := s.ca(); err != nil {
		return "", err
	}
	text, err := os.ReadFile(s.CAFile())
	return string(text), err
}

// loadAuthority reads the account's authority, or makes it; clients that have its certificate keep working.
func loadAuthority(dir string) (*authority, error) {
	certFile, keyFile := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "nodes", "ca.key")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err == nil {
		cert, err := x509.ParseCertificate(pair.Certificate[0])
		key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
		if err == nil && ok && time.Now().Before(cert.NotAfter) {
			return newAuthority(cert, key), nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("certificate authority in %s: %w; remove it to have a new one", certFile, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "localaws ElastiCache CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().AddDate(10, 0, 0)}
	der, err := create(template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(keyFile), 0o700); err != nil {
		return nil, err
	}
	if err := errors.Join(writeKey(keyFile, key), writePEM(certFile, "CERTIFICATE", der, 0o644)); err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return newAuthority(cert, key), nil
}

func newAuthority(cert *x509.Certificate, key *ecdsa.PrivateKey) *authority {
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert, key, pool}
}

// issue writes node.pem and node.key for a node's address into its folder.
func (a *authority) issue(dir, name string, ip net.IP) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := create(&x509.Certificate{Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{ip}, DNSNames: []string{name},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotAfter: time.Now().AddDate(1, 0, 0)}, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return err
	}
	return errors.Join(writeKey(filepath.Join(dir, "node.key"), key), writePEM(filepath.Join(dir, "node.pem"), "CERTIFICATE", der, 0o644))
}

func create(template, parent *x509.Certificate, public *ecdsa.PublicKey, signer *ecdsa.PrivateKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber, template.NotBefore = serial, time.Now().Add(-time.Hour)
	return x509.CreateCertificate(rand.Reader, template, parent, public, signer)
}

func writeKey(file string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(file, "PRIVATE KEY", der, 0o600)
}

func writePEM(file, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
