package ops

import (
	"bytes"
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/awstest"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Each check can be skipped by its name.
func TestChecksAreSkipped(t *testing.T) {
	wrong := map[string]string{"GetCallerIdentity": "-4m", "HEAD /b": "404:", "DescribeRouteTables vpc-id": "<routeTableSet/>", "GetServiceQuota": "0"}
	for skip, problems := range map[string]int{"": 5, "clock": 4, "bucket": 4, "subnets": 4, "quota": 4, "existing_cache": 4, "clock,bucket, quota": 2, "clock,bucket,subnets,quota,cache,existing_cache": 0} {
		var out bytes.Buffer
		in := &terraform.Inputs{Bucket: "b", VPC: "vpc-1", Subnets: []string{"subnet-1"}}
		in.Load.TaskCount, in.Load.CPU = 1, 1024
		loads("gone", "", "")(in)
		ws, con := &workspace.Workspace{Env: []string{"SKIP_CHECKS=" + skip}, AWS: awstest.Answering(account(wrong))}, &console.Console{Out: &out}
		err := validate(t.Context(), ws, con, in, nil)
		var invalid *InvalidError
		if problems == 0 {
			require.NoError(t, err)
		} else {
			require.ErrorAs(t, err, &invalid)
			require.Len(t, invalid.Problems, problems, "%s: %v", skip, err)
		}
		for name := range strings.SplitSeq(skip, ",") {
			if name = strings.TrimSpace(name); name != "" {
				require.Contains(t, out.String(), "skipped, because of SKIP_CHECKS: "+name+"\n")
			}
		}
	}
	ws, con := &workspace.Workspace{Env: []string{"SKIP_CHECKS=quotas"}, AWS: awstest.Answering(account(nil))}, &console.Console{Out: &bytes.Buffer{}}
	for _, command := range []func(context.Context, *workspace.Workspace, *console.Console) error{Validate, Deploy} { // before anything else
		require.EqualError(t, command(t.Context(), ws, con), "SKIP_CHECKS has quotas, but the checks are clock, bucket, subnets, quota, cache, existing_cache")
	}
}

// China has its own partition and domain.
func TestAdviceInChina(t *testing.T) {
	for region, want := range map[string][2]string{"us-east-1": {"aws", "amazonaws.com"}, "cn-north-1": {"aws-cn", "amazonaws.com.cn"}, "us-gov-west-1": {"aws-us-gov", "amazonaws.com"}} {
		require.Equal(t, want, [2]string{partition(region), domain(region)})
	}
}

func TestBucketThatCannotBeWritten(t *testing.T) {
	for denied, want := range map[string]string{
		"PUT ":    "the bucket b cannot be written to: allow s3:PutObject on arn:aws:s3:::b/exports/*",
		"DELETE ": "was written but cannot be removed: allow s3:DeleteObject",
	} {
		right := account(nil)
		ws, con := &workspace.Workspace{AWS: awstest.Answering(func(what string, body url.Values) (int, map[string]string, string) {
			if strings.HasPrefix(what, denied) {
				return 403, nil, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`
			}
			return right(what, body)
		})}, &console.Console{Out: &bytes.Buffer{}}
		in := &terraform.Inputs{Bucket: "b", Prefix: "exports", VPC: "vpc-1", Subnets: []string{"subnet-1"}}
		require.ErrorContains(t, validate(t.Context(), ws, con, in, nil), want)
	}
}
