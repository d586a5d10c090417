package test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// Another stack with the same prefix started in the same second, so its run has the same name: the apply fails before the cache is created, and says
// what to run.
func TestTwoStacksInTheSameSecond(t *testing.T) {
	onlyLocal(t)
	onlyLong(t)
	t.Parallel()
	p := newPerson(t, newEnvironment(t), map[string]any{"load": light(nil)})
	for _, args := range [][]string{{"init"}, {"apply", "-auto-approve", "-target=module.scheduler.aws_scheduler_schedule.watch"}} {
		said, err := p.terraform(args...)
		require.NoError(t, err, said)
	}
	run, _ := p.guard(t)
	key := "exports/state/" + run + ".json"
	_, err := s3.NewFromConfig(p.Config).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &p.bucket, Key: &key, Body: strings.NewReader(`{"name":"other"}`),
		ServerSideEncryption: "AES256", Metadata: map[string]string{export.Metadata: "other/" + run}, IfNoneMatch: aws.String("*")})
	require.NoError(t, err)

	said, err := p.terraform("apply", "-auto-approve")
	require.Error(t, err, said)
	said = unwrapped(said)
	require.Contains(t, said, "the run id "+run+" is taken: s3://exports/"+key+" belongs to other, whose run started in the same second. ")
	status, err := p.cacheStatus(t.Context())
	require.NoError(t, err)
	require.Empty(t, status, "no cache was created")

	p.runAdvice(said, "`go tool mage deploy` starts another run")
	next, _ := p.guard(t)
	require.NotEqual(t, run, next)
	p.loads(t, 1)
	p.mustRun(ops.Destroy)
	p.assertNothingLeft()
	m, err := export.ParseManifest(p.object(t, "exports/manifest/"+next+".json"))
	require.NoError(t, err)
	require.True(t, m.Complete)
	require.JSONEq(t, `{"name":"other"}`, string(p.object(t, key)), "the other stack's record is unchanged")
	_, err = p.get(t.Context(), "exports/manifest/"+run+".json")
	require.ErrorContains(t, err, "NoSuchKey")
}
