package s3

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// meta is what S3 knows of an object beside its bytes.
type meta struct {
	Key      string
	ETag     string // without quotes
	Size     int64
	Modified time.Time         // of the file: a different one means that somebody edited it
	Headers  map[string]string // as they are answered: Content-Type ..., x-amz-meta-*
	Checksum checksum
}

// checksum as in the x-amz-checksum- headers; https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
type checksum struct{ Algorithm, Value, Type string }

func (s *Service) file(bucket, key string) string {
	return filepath.Join(s.acct.Dir, "s3", bucket, filepath.FromSlash(key))
}

var errLink = errors.New("it is, or lies below, a symbolic link")

// stat looks at an object's file, or a bucket's folder. Links are not followed, so nothing is read or written outside a bucket's folder.
func (s *Service) stat(bucket, key string) (info fs.FileInfo, err error) {
	path := filepath.Join(s.acct.Dir, "s3")
	for part := range strings.SplitSeq(strings.TrimSuffix(bucket+"/"+key, "/"), "/") {
		path = filepath.Join(path, part)
		if info, err = os.Lstat(path); err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil, fmt.Errorf("%s: %w", path, errLink)
		}
	}
	return info, nil
}

func (s *Service) sidecars(bucket string) string { return filepath.Join(s.acct.Dir, "s3meta", bucket) }
func (s *Service) scratch() string               { return filepath.Join(s.acct.Dir, "s3meta", ".uploads") }

// sidecar is named by a hash: keys and their folders cannot collide.
func (s *Service) sidecar(bucket, key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(s.sidecars(bucket), hex.EncodeToString(sum[:])+".json")
}

// storable says whether a key can be a file.
func (s *Service) storable(key string) error {
	if len(key) > 1024 {
		return wire.Errorf(400, "KeyTooLongError", "Your key is too long")
	}
	if !fs.ValidPath(key) || strings.ContainsRune(key, 0) || slices.ContainsFunc(strings.Split(key, "/"), func(p string) bool { return len(p) > 255 }) {
		return s.refuse(fmt.Sprintf("key %q: objects are plain files here, and this is no file name", key))
	}
	return nil
}

// place moves a file to be the object m.Key; s.mu is held.
func (s *Service) place(bucket, from string, m meta) error {
	to := s.file(bucket, m.Key)
	if _, err := s.stat(bucket, path.Dir(m.Key)); errors.Is(err, errLink) {
		return s.refuse(fmt.Sprintf("key %q: %v", m.Key, err))
	}
	if info, err := os.Lstat(to); err == nil && info.IsDir() {
		return s.refuse(fmt.Sprintf("key %q: objects are plain files here, and there are keys below it", m.Key))
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return s.refuse(fmt.Sprintf("key %q: objects are plain files here, and a part of its path is one", m.Key))
	}
	now := s.acct.Clock.Now().Truncate(time.Second) // S3 has whole seconds
	if err := os.Chtimes(from, now, now); err != nil {
		return err
	}
	m.Modified = now
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.sidecars(bucket), 0o755); err != nil {
		return err
	}
	// The file first: a sidecar that does not match its file is ignored.
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return os.WriteFile(s.sidecar(bucket, m.Key), b, 0o644)
}

// look reads an object's metadata; s.mu is held. A file that a person put there has the metadata of a plain upload.
func (s *Service) look(bucket, key string) (meta, error) {
	missing := wire.Errorf(404, "NoSuchKey", "The specified key does not exist.")
	if !fs.ValidPath(key) {
		return meta{}, missing
	}
	info, err := s.stat(bucket, key)
	if err != nil || !info.Mode().IsRegular() {
		return meta{}, missing
	}
	var m meta
	if b, err := os.ReadFile(s.sidecar(bucket, key)); err == nil && json.Unmarshal(b, &m) == nil && m.Size == info.Size() && m.Modified.Equal(info.ModTime()) {
		return m, nil
	}
	f, err := os.Open(s.file(bucket, key))
	if err != nil {
		return meta{}, err
	}
	defer func() { _ = f.Close() }()
	sum, crc := md5.New(), newHash(defaultChecksum)
	if _, err := io.Copy(io.MultiWriter(sum, crc), f); err != nil {
		return meta{}, err
	}
	return meta{Key: key, ETag: hex.EncodeToString(sum.Sum(nil)), Size: info.Size(), Modified: info.ModTime().UTC(),
		Headers: map[string]string{"Content-Type": "binary/octet-stream"}, Checksum: checksum{defaultChecksum, encode(crc), fullObject}}, nil
}

// remove deletes an object, if it exists, and its folders that become empty; s.mu is held.
func (s *Service) remove(bucket, key string) error {
	if !fs.ValidPath(key) {
		return nil
	}
	path := s.file(bucket, key)
	if info, err := s.stat(bucket, key); err != nil || info.IsDir() {
		return nil // S3 does not say that there was nothing
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	s.buckets[bucket].deletes[key]++
	if err := os.Remove(s.sidecar(bucket, key)); err != nil && !notExist(err) {
		return err
	}
	for dir := filepath.Dir(path); dir != s.file(bucket, ""); dir = filepath.Dir(dir) {
		if os.Remove(dir) != nil { // not empty
			break
		}
	}
	return nil
}

// keys lists a bucket in S3's order, UTF-8 bytes; s.mu is held.
func (s *Service) keys(bucket, prefix string) ([]string, error) {
	root := s.file(bucket, "")
	from := root
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		if !fs.ValidPath(prefix[:i]) {
			return nil, nil
		}
		if _, err := s.stat(bucket, prefix[:i]); err != nil {
			return nil, nil // nothing is there
		}
		from = s.file(bucket, prefix[:i])
	}
	var keys []string
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if notExist(err) {
				return nil
			}
			return err
		}
		if rel, err := filepath.Rel(root, path); err == nil && d.Type().IsRegular() && strings.HasPrefix(filepath.ToSlash(rel), prefix) {
			keys = append(keys, filepath.ToSlash(rel))
		}
		return nil
	})
	slices.Sort(keys)
	return keys, err
}
