package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArgumentsThatAreNotTaken(t *testing.T) {
	for fault, want := range map[string]string{
		"GetMetricData=throttle":             `localaws: fault "GetMetricData=throttle" is not of the form SERVICE.ACTION[:FIRST[-LAST|+]]=KIND, as in monitoring.GetMetricData:3=throttle`,
		"logs.*=slow":                        `localaws: fault "logs.*=slow": slow needs a duration, as in slow(200ms)`,
		"monitoring.GetMetricData:3=explode": `localaws: fault "monitoring.GetMetricData:3=explode": there is no kind "explode"`,
	} {
		var out, problems bytes.Buffer
		dir := t.TempDir()
		require.Equal(t, 2, serve([]string{"--dir", dir, "--fault", fault}, strings.NewReader(""), &out, &problems))
		require.Equal(t, want, strings.TrimSpace(problems.String()))
		require.Empty(t, out.String(), "nothing began")
	}
}
