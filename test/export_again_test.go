package test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/cloudwatch"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// A person's export of a complete run writes nothing if CloudWatch's data is unchanged. If CloudWatch has more, the objects are replaced, even if a
// response of S3 is lost. After that, nothing changes any more.
func TestFaultsExportAgain(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	for name, faults := range map[string][]string{
		"undisturbed": nil,
		"throttle":    {"s3.UploadPart:2=" + wire.Throttle, "s3.CompleteMultipartUpload:1=" + wire.Throttle},
		"cut":         {"s3.CreateMultipartUpload:1=" + wire.Cut, "s3.CompleteMultipartUpload:1=" + wire.Cut},
		"cut-request": {"s3.UploadPart:1=" + wire.CutRequest, "s3.CompleteMultipartUpload:1=" + wire.CutRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := freeze(t, large)
			_, err, _ := w.invoke(shutdown.ActionStop, "stop", w.caller())
			require.NoError(t, err)
			before := w.assertEnded()
			again := func() []string {
				c := w.caller()
				answer, err, _ := w.invoke(shutdown.ActionExport, "again", c)
				require.NoError(t, err)
				require.Equal(t, shutdown.StatusDone, answer.Status)
				return c.ops
			}
			nothing := func(ops []string) {
				require.Zero(t, count(ops, "CreateMultipartUpload"))
				require.Equal(t, 2, count(ops, "PutObject"), "only the record, which is taken and released")
			}
			nothing(again())
			before.equal(t, w.assertEnded())

			at := w.started.Truncate(time.Minute).Add(5 * time.Minute)
			w.CloudWatch.Put(cloudwatch.Metric{Namespace: "AWS/ElastiCache", Name: "Evictions", Unit: "Count",
				Dimensions: []cloudwatch.Dimension{{Name: "CacheClusterId", Value: "perf-001"}, {Name: "CacheNodeId", Value: "0001"}}}, at, 3)
			require.NoError(t, w.Logs.Put(w.cfg.Logs.Load, "load/memtier/cccc", logs.Event{Time: at, Message: "it came late"}))
			for _, text := range faults {
				fault, err := wire.ParseFault(text)
				require.NoError(t, err)
				w.Faults.Add(fault)
			}
			again()
			require.Len(t, w.Faults.Fired(), len(faults))
			w.Faults.Clear()
			after := w.assertEnded()
			w.sameAsSource(after)
			for i, o := range after.manifest.Objects {
				old := before.manifest.Objects[i]
				require.Greater(t, o.Rows, old.Rows)
				require.Len(t, o.Replaced, 1)
				require.Equal(t, export.Replaced{At: o.Replaced[0].At, Bytes: old.Bytes, Rows: old.Rows, SHA256: old.SHA256}, o.Replaced[0])
			}
			nothing(again())
			after.equal(t, w.assertEnded())
		})
	}
}
