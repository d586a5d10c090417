package ops

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/sweep"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// A stack belongs to the campaign by its function's configuration, not by its name: another file in the account can have the same name.
func TestWhoseStackItIs(t *testing.T) {
	o := aCampaign().o
	o.base = &terraform.Inputs{Bucket: "bucket", Prefix: "exports"}
	const others = "belongs to another campaign c: its exports are in s3://"
	for _, c := range []struct{ name, bucket, prefix, settings, why string }{
		{"c-old-r1", "bucket", "exports/campaigns/c/old-r1", `{"campaign":{"name":"c","variant":"old","round":1,"seed":7}}`, "yes"},
		{"c-old-r1", "theirs", "exports/campaigns/c/old-r1", `{"campaign":{"name":"c","variant":"old","round":1,"seed":7}}`, others + "theirs/exports/campaigns/c/old-r1/"},
		{"c-old-r1", "bucket", "theirs/campaigns/c/old-r1", `{"campaign":{"name":"c","variant":"old","round":1,"seed":7}}`, others + "bucket/theirs/campaigns/c/old-r1/"},
		{"c-old-r1", "bucket", "exports/campaigns/c-old/x-r1", `{"campaign":{"name":"c-old","variant":"x","round":1,"seed":7}}`, ""},
		{"c-old-r1", "bucket", "exports", `{"campaign":null}`, ""},
		{"c-a-r1", "bucket", "exports/campaigns/c/a-r1", `{"campaign":{"name":"c","variant":"a","round":1,"seed":7}}`, ""}, // the file has it
	} {
		cell, why := o.cellOf(&sweep.Found{Name: c.name, Stack: &stack.Stack{Lambda: c.name + "-stop", Config: shutdown.Config{Bucket: c.bucket, Prefix: c.prefix, Settings: json.RawMessage(c.settings)}}})
		if c.why == "yes" {
			require.Equal(t, c.name, cell.Stack())
			continue
		}
		require.Nil(t, cell, c)
		require.Equal(t, c.why, why)
	}
	for name, want := range map[string]string{"c-old-r1": "may belong to this campaign: it has no Lambda function that would tell", "orders": ""} {
		for _, f := range []*sweep.Found{{Name: name, Stack: &stack.Stack{}}, {Name: name, Hidden: errors.New("denied")}} {
			cell, why := o.cellOf(f)
			require.Nil(t, cell)
			require.Equal(t, want, why)
		}
	}
}
