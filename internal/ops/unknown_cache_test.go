package ops

import (
	"bytes"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// caches is an account with one cache. Each call that describes it returns the next of the given statuses, and in the end the last one.
func caches(tags string, calls *[]string, statuses ...string) func(string, url.Values) (int, map[string]string, string) {
	asked := 0
	return func(what string, _ url.Values) (int, map[string]string, string) {
		*calls = append(*calls, what)
		switch what {
		case "DescribeReplicationGroups":
			status := statuses[0]
			if len(statuses) > 1 {
				statuses = statuses[1:]
			}
			if status == "" {
				return 404, nil, `<ErrorResponse><Error><Code>ReplicationGroupNotFoundFault</Code></Error></ErrorResponse>`
			}
			return 200, nil, `<R><DescribeReplicationGroupsResult><ReplicationGroups><ReplicationGroup><ARN>arn:n</ARN><ReplicationGroupCreateTime>2099-01-01T00:00:00Z</ReplicationGroupCreateTime><Status>` + status +
				`</Status></ReplicationGroup></ReplicationGroups></DescribeReplicationGroupsResult></R>`
		case "ListTagsForResource":
			if asked++; asked == 1 && statuses[0] == "creating" || statuses[0] == "create-failed" {
				return 400, nil, `<ErrorResponse><Error><Code>InvalidReplicationGroupState</Code></Error></ErrorResponse>`
			}
			return 200, nil, `<R><ListTagsForResourceResult><TagList>` + tags + `</TagList></ListTagsForResourceResult></R>`
		case "GET /schedules/n-watch":
			return 200, nil, `{"Target":{"Input":"{\"run\":\"` + aRun + `\"}"}}`
		case "DeleteReplicationGroup":
			if statuses[0] == "creating" {
				return 400, nil, `<ErrorResponse><Error><Code>InvalidReplicationGroupState</Code></Error></ErrorResponse>`
			}
			return 200, nil, `<R><DeleteReplicationGroupResult/></R>`
		}
		return 404, map[string]string{"X-Amzn-Errortype": "ResourceNotFoundException"}, `{}`
	}
}

func tag(key, value string) string {
	return fmt.Sprintf("<Tag><Key>%s</Key><Value>%s</Value></Tag>", key, value)
}

// A cache that this stack created and its state lacks is deleted. One in the state is Terraform's, and a stranger's is left alone.
func TestCacheThatTheStateDoesNotKnow(t *testing.T) {
	ours := tag("name", "n") + tag("run", aRun)
	const known = "module.cache[0].aws_elasticache_replication_group.this[0]\n"
	const guard = terraform.WatchAddress + "\n"
	for name, c := range map[string]struct {
		state, tags string
		statuses    []string
		deletes     int
		says        string
	}{
		"Terraform's, failed":      {state: known + guard, statuses: []string{"create-failed", "create-failed", "deleting", ""}, deletes: 1, says: "the cache n could not be created; deleting it"},
		"failed, not in the state": {state: guard, statuses: []string{"create-failed", "create-failed", "create-failed", "create-failed", "deleting", ""}, deletes: 1, says: "the cache n could not be created; deleting it"},
		"failed, not ours":         {statuses: []string{"create-failed"}, says: "it is left alone"},
		"none":                     {statuses: []string{""}},
		"Terraform's":              {state: known, statuses: []string{"available"}},
		"Terraform's, going":       {state: known, statuses: []string{"deleting", "deleting", "deleting", ""}, says: "the cache n is deleting: waiting until it is gone"},
		"going":                    {statuses: []string{"deleting", "deleting", ""}, says: "the cache n is deleting"},
		"answer was lost":          {state: guard, tags: ours, statuses: []string{"available", "available", "available", "deleting", ""}, deletes: 1, says: "was created but is not in the state"},
		"creating, answer lost":    {state: guard, tags: ours, statuses: []string{"creating", "creating", "creating", "creating", "creating", "available", "deleting", ""}, deletes: 3, says: "the cache n is creating"},
		"of another stack":         {state: guard, tags: tag("name", "m") + tag("run", aRun), statuses: []string{"available"}, says: "it is left alone"},
		"not of a run, same name":  {state: guard, tags: tag("name", "n"), statuses: []string{"available"}, says: "it is left alone"},
		"deployed by a colleague":  {tags: ours, statuses: []string{"available"}, says: "it is left alone"},
	} {
		t.Run(name, func(t *testing.T) {
			var calls []string
			_, con, s := stackOf(t, caches(c.tags, &calls, c.statuses...))
			cli := &terraform.CLI{Bin: filepath.Join(fake(t, "terraform", "printf '"+c.state+"'"), "terraform"), Dir: t.TempDir(), Out: con.Out}
			require.NoError(t, unknownCache(t.Context(), con, cli, s, &consent{con: con, given: true}))
			require.Equal(t, c.deletes, strings.Count(strings.Join(calls, " "), "DeleteReplicationGroup"), "%v", calls)
			require.Contains(t, con.Out.(*bytes.Buffer).String(), c.says)
			if c.says == "" {
				require.Empty(t, con.Out.(*bytes.Buffer).String())
			}
		})
	}
}
