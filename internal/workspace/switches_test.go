package workspace

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSwitches(t *testing.T) {
	for value, on := range map[string]bool{"1": true, "true": true, "YES": true, "0": false, "false": false, "no": false, "": false} {
		ws := &Workspace{Env: []string{"UPLOAD=" + value}}
		require.NoError(t, CheckSwitches(ws.Env), value)
		require.Equal(t, on, ws.On("UPLOAD"), value)
	}
	require.False(t, (&Workspace{}).On("UPLOAD"))
	require.False(t, (&Workspace{Env: []string{"APPROVE=please"}}).On("APPROVE"))
	for env, want := range map[string]string{
		"APPROVE=please": `APPROVE in the environment: "please" is neither on (1, true, yes) nor off (0, false, no)`,
		"QUOTAS=2":       `QUOTAS in the environment: "2" is neither on (1, true, yes) nor off (0, false, no)`,
		"APROVE=1":       "APROVE in the environment is not a variable of these commands: write APPROVE, or unset it",
		"APROOVE=1":      "write APPROVE, or",
		"FROCE=1":        "write FORCE, or",
		"approve=1":      "write APPROVE, or",
		"UPLAOD=1":       "write UPLOAD, or",
		"MINTUES=3":      "write MINUTES, or",
	} {
		require.ErrorContains(t, CheckSwitches([]string{"PATH=/bin", env}), want)
	}
	require.NoError(t, CheckSwitches([]string{"FORCE_COLOR=1", "DEFAULT=1", "VERSION=3", "HOME=/", "PROMPT=1", "TERRAFORM=tofu", "RUN=x", "FAULTS_OFF=1", "APROVE="}))
}
