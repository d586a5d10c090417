package dev

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFlakesAreCounted(t *testing.T) {
	found := flakes{tests: map[string]*tries{}, said: map[string][]string{}}
	runs := 0
	for line := range strings.Lines(`{"Action":"start","Package":"m/p"}
{"Action":"output","Package":"m/p","Test":"TestSlow","Output":"the first time\n"}
{"Action":"pass","Package":"m/p","Test":"TestSlow","Elapsed":0.4}
{"Action":"output","Package":"m/p","Test":"TestSlow/sub","Output":"the second time\n"}
{"Action":"fail","Package":"m/p","Test":"TestSlow/sub","Elapsed":1.9}
{"Action":"fail","Package":"m/p","Test":"TestSlow","Elapsed":2}
{"Action":"output","Package":"m/p","Test":"TestSlow","Output":"the third time\n"}
{"Action":"fail","Package":"m/p","Test":"TestSlow","Elapsed":1}
{"Action":"pass","Package":"m/q","Test":"TestQuick","Elapsed":0.01}
{"Action":"pass","Package":"m/q","Test":"TestSound","Elapsed":75}
{"Action":"fail","Package":"m/p","Elapsed":3}
not JSON
`) {
		if done, _ := found.read([]byte(line)); done {
			runs++
		}
	}
	require.Equal(t, 5, runs)
	var out bytes.Buffer
	require.Equal(t, 1, found.table(&out))
	require.Equal(t, `test             runs  failures   slowest
p TestSlow          3         2     2.0 s
q TestSound         1         0    75.0 s
1 others            1         0     0.0 s
all                 5         2    75.0 s

first failure of p TestSlow:
the second time
`, out.String())
}

func TestFlakesOfNoPackage(t *testing.T) {
	all := []string{"m/cmd/mage", "m/internal/stack"}
	for part, want := range map[string][]string{"": all, "cmd/mage": all[:1]} {
		found, err := having(all, part)
		require.NoError(t, err)
		require.Equal(t, want, found)
	}
	_, err := having(all, "./cmd/mage")
	require.EqualError(t, err, "FLAKES=./cmd/mage: no package's path contains that; take a part of one, such as internal/stack")
}
