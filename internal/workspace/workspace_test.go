package workspace

import (
	"testing"

	"github.com/aws/smithy-go/logging"
	"github.com/stretchr/testify/require"
)

// What a command has to say it says itself: the SDK writes no warnings between its lines.
func TestTheSDKIsSilent(t *testing.T) {
	t.Chdir("../..")
	ws, err := Open()
	require.NoError(t, err)
	cfg, err := ws.AWS(t.Context(), "us-east-1")
	require.NoError(t, err)
	require.Equal(t, logging.Nop{}, cfg.Logger)
}
