package ops

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// A run that is over but still has its watch schedule is replaced by a new run. A run that is alive is not touched.
func TestOverRunsBeginAnew(t *testing.T) {
	const whole = `{"schema_version":1,"name":"n","complete":true}`
	soon, gone := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	for name, c := range map[string]struct {
		stopBy, stops   time.Time
		manifest        string
		replaced, alive bool
		needs           time.Duration
	}{
		"none":                    {},
		"alive":                   {stopBy: soon, stops: soon, alive: true},
		"not steady yet":          {stopBy: soon},
		"too late for a retry":    {stopBy: soon, needs: 70 * time.Minute, replaced: true},
		"loaded, and too late":    {stopBy: soon, stops: soon, needs: 70 * time.Minute, alive: true},
		"exported before its end": {stopBy: soon, stops: soon, manifest: whole, replaced: true},
		"stopped":                 {stopBy: soon, stops: gone, manifest: whole, replaced: true},
		"expired":                 {stopBy: gone, replaced: true}, // its load never ran, so there is nothing to lose
	} {
		t.Run(name, func(t *testing.T) {
			ws, con, s := stackOf(t, under(c.stopBy, c.stops, c.manifest, 1))
			replace, alive, err := (&subject{state: &terraform.State{}}).endOverdue(t.Context(), ws, con, s, &consent{con: con, given: true}, c.needs)
			require.NoError(t, err)
			require.Equal(t, c.alive, alive == aRun)
			require.Equal(t, c.replaced, len(replace) == 1 && replace[0] == terraform.WatchAddress, "%v", replace)
		})
	}
}

// A run that got the same name as another stack's, in the same second and below the same prefix, failed its preflight. The next deploy starts another run.
func TestARunOfATakenNameIsReplaced(t *testing.T) {
	for owner, replaced := range map[string]bool{"other/" + aRun: true, "n/" + aRun: false} {
		answer := under(time.Now().Add(time.Hour), time.Time{}, "", 0)
		ws, con, s := stackOf(t, func(what string, body url.Values) (int, map[string]string, string) {
			if what == "HEAD /b/exports/state/"+aRun+".json" {
				return 200, map[string]string{"X-Amz-Meta-Run": owner}, ""
			}
			return answer(what, body)
		})
		replace, alive, err := (&subject{state: &terraform.State{}}).endOverdue(t.Context(), ws, con, s, &consent{con: con}, time.Minute)
		require.NoError(t, err)
		require.Empty(t, alive)
		require.Equal(t, replaced, len(replace) == 1, owner)
		require.Equal(t, replaced, strings.Contains(con.Out.(*bytes.Buffer).String(), "run "+aRun+" has the name of another stack's run, which started in the same second: this deploy starts another one"))
	}
}

// Before a run that is over is ended, a person is asked. After a no, nothing has changed.
func TestOverdueRunIsEndedAfterAYes(t *testing.T) {
	gone := time.Now().Add(-time.Hour)
	const record = "[RUN #1 5%,   1 secs]  2 threads  8 conns:        4094 ops,    4031 (avg:    4031) ops/sec, 1KB/sec"
	for name, c := range map[string]struct {
		answer string // "": there is no terminal
		asked  string // what the error says, too
	}{
		"no":          {answer: "n\n", asked: "not approved: nothing was changed"},
		"no terminal": {asked: "not approved, because there is no terminal to answer in: nothing was changed. APPROVE=1"},
	} {
		t.Run(name, func(t *testing.T) {
			var changes []string
			answer := under(gone, gone, "", 1, event("a", record))
			cache := caches(tag("name", "n")+tag("run", aRun), &[]string{}, "available")
			ws, con, s := stackOf(t, func(what string, body url.Values) (int, map[string]string, string) {
				for _, verb := range []string{"POST /", "PUT /", "DELETE /", "Delete", "Update"} {
					if strings.HasPrefix(what, verb) {
						changes = append(changes, what)
					}
				}
				if strings.HasPrefix(what, "DescribeReplicationGroups") || what == "ListTagsForResource" {
					return cache(what, body)
				}
				return answer(what, body)
			})
			s.Config.Cache.Delete = true
			var asked bytes.Buffer
			con.In = strings.NewReader(c.answer)
			if c.answer != "" {
				con.Answer = &asked
			}
			_, _, err := (&subject{state: &terraform.State{}}).endOverdue(t.Context(), ws, con, s, newConsent(ws, con, "n in account 1, Region r"), 0)
			require.ErrorContains(t, err, c.asked)
			require.Empty(t, changes)
			for _, names := range []string{"The run " + aRun + " of the stack n in account 1, Region r is over", "the run " + aRun + " is ended: its load stops, and its metrics and logs are exported", "the cache n is deleted"} {
				require.Contains(t, asked.String()+err.Error(), names)
			}
		})
	}
}

// A no after a yes does not say that nothing was changed.
func TestNoAfterAYes(t *testing.T) {
	con := &console.Console{In: strings.NewReader("n\n"), Out: &bytes.Buffer{}, Answer: &bytes.Buffer{}}
	yes := newConsent(&workspace.Workspace{}, con, "n")
	yes.did("the run %s was ended as asked", aRun)
	require.EqualError(t, yes.ask(t.Context(), "And this?"), "not approved: nothing was changed but this: the run "+aRun+" was ended as asked")
}
