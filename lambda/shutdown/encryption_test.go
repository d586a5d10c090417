package shutdown

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The bucket denies every write that does not name its key: record, probe, exports and manifest.
func TestEveryWriteIsEncrypted(t *testing.T) {
	w := newFakeAWS()
	w.cfg.KMSKeyARN = "arn:aws:kms:us-east-1:123456789012:key/1"
	_, err := w.handle("preflight", ActionPreflight)
	require.NoError(t, err)
	_, err = w.handle("stop", ActionStop)
	require.NoError(t, err)
	w.assertEnded(t)
}
