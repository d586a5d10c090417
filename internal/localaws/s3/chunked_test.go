package s3_test

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStreamedChunks(t *testing.T) {
	acct, _, srv := serve(t)
	put := func(body, length string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, srv.URL+"/"+bucket+"/k", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=k/20261123/us-east-1/s3/aws4_request, Signature=x")
		req.Header.Set("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
		req.Header.Set("x-amz-decoded-content-length", length)
		req.Header.Set("x-amz-trailer", "x-amz-checksum-crc32")
		req.Header.Set("Content-Encoding", "aws-chunked,gzip")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		_ = resp.Body.Close()
		return resp.StatusCode, string(b)
	}
	long := strings.Repeat("1", 8192)
	sum := func(text string) string {
		return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text))))
	}
	whole := "2000\r\n" + long + "\r\n4;chunk-signature=00\r\n6789\r\n0\r\nx-amz-checksum-crc32:" + sum(long+"6789") + "\r\n\r\n"
	status, body := put(whole, "8196")
	require.Equal(t, 200, status, body)
	b, err := os.ReadFile(filepath.Join(acct.Dir, "s3", bucket, "k"))
	require.NoError(t, err)
	require.Equal(t, long+"6789", string(b))
	for name, c := range map[string]struct {
		body, length string
		status       int
		code         string
	}{
		"another sum":            {strings.Replace(whole, "6789", "6780", 1), "8196", 400, "BadDigest"},
		"cut off in a chunk":     {"5\r\n12", "5", 400, "IncompleteBody"},
		"cut off after a chunk":  {"5\r\n12345", "5", 400, "IncompleteBody"},
		"longer than its size":   {"5\r\n123456\r\n0\r\n\r\n", "6", 400, "IncompleteBody"},
		"no size":                {"five\r\n12345\r\n0\r\n\r\n", "5", 400, "IncompleteBody"},
		"an endless size":        {strings.Repeat("0", 100_000), "5", 400, "IncompleteBody"},
		"a short chunk":          {"5\r\n12345\r\n4\r\n6789\r\n0\r\nx-amz-checksum-crc32:" + sum("123456789") + "\r\n\r\n", "9", 403, "InvalidChunkSizeError"},
		"no trailer":             {"5\r\n12345\r\n0\r\n\r\n", "5", 400, "MalformedTrailerError"},
		"another trailer":        {"5\r\n12345\r\n0\r\nx-amz-checksum-crc32c:y/Q5Jg==\r\n\r\n", "5", 400, "MalformedTrailerError"},
		"a trailer without name": {"5\r\n12345\r\n0\r\ny/Q5Jg==\r\n\r\n", "5", 400, "MalformedTrailerError"},
		"a trailer that is none": {"5\r\n12345\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg\r\n\r\n", "5", 400, "InvalidRequest"},
	} {
		status, body = put(c.body, c.length)
		require.Equal(t, c.status, status, "%s: %s", name, body)
		require.Contains(t, body, "<Code>"+c.code+"</Code>", name)
	}
	left, err := filepath.Glob(filepath.Join(acct.Dir, "s3meta", ".uploads", "*"))
	require.NoError(t, err)
	require.Empty(t, left)
}
