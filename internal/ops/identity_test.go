package ops

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/awstest"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// holding is a state that has a stack's watch schedule.
func holding(t *testing.T, name, account, region string) *terraform.State {
	s, err := terraform.ParseState([]byte(`{"version":4,"resources":[{"module":"module.scheduler","mode":"managed","type":"aws_scheduler_schedule","name":"watch","instances":[{"attributes":
		{"arn":"arn:aws:scheduler:` + region + `:` + account + `:schedule/` + name + `/` + name + `-watch","group_name":"` + name + `"}}]}]}`))
	require.NoError(t, err)
	return s
}

func TestStateInputsAndCredentialsAgree(t *testing.T) {
	caller := stack.Caller{Account: "111111111111", ARN: "arn:aws:iam::111111111111:user/ann", Region: "us-east-1"}
	for name, c := range map[string]struct {
		state *terraform.State
		want  []string // none: they agree
	}{
		"all the same":    {state: holding(t, "one", "111111111111", "us-east-1")},
		"nothing held":    {state: &terraform.State{}},
		"renamed":         {state: holding(t, "two", "111111111111", "us-east-1"), want: []string{"the state holds two, the inputs say one. To act on two, set name = \"two\""}},
		"another account": {state: holding(t, "one", "222222222222", "us-east-1"), want: []string{"the state holds resources in 222222222222, the credentials are for 111111111111 (arn:aws:iam::111111111111:user/ann)"}},
		"another Region":  {state: holding(t, "one", "111111111111", "eu-west-1"), want: []string{"the state holds resources in eu-west-1, the inputs select us-east-1. Set aws_region = \"eu-west-1\""}},
		"all differ":      {state: holding(t, "two", "222222222222", "eu-west-1"), want: []string{"name: ", "account: ", "Region: ", "nothing was done"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := agree(c.state, "one", caller)
			if len(c.want) == 0 {
				require.NoError(t, err)
			}
			for _, want := range c.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// A state of another project is refused. In a state of the stack's, resources that the configuration lacks are named.
func TestStateOfAnotherProject(t *testing.T) {
	const ours = `{"module":"module.load","mode":"managed","type":"aws_ecs_service","name":"this","instances":[{"index_key":0,"attributes":{}}]}`
	const keyed = `{"module":"module.vpc[\"a.b\"].module.x","mode":"managed","type":"aws_vpc","name":"this","instances":[{"attributes":{}}]}`
	const moved = `{"module":"module.perf","mode":"managed","type":"aws_ecs_service","name":"this","instances":[{"attributes":{}}]},` +
		`{"mode":"managed","type":"aws_sns_topic","name":"old","instances":[{"attributes":{}}]}`
	const bucket = `{"mode":"managed","type":"aws_s3_bucket","name":"prod","instances":[{"attributes":{}}]}`
	for name, c := range map[string]struct {
		resources  string
		undeclared []string
		refused    bool
	}{
		"nothing":           {},
		"ours":              {resources: ours + "," + keyed},
		"another's":         {resources: bucket, undeclared: []string{"aws_s3_bucket.prod"}, refused: true},
		"something besides": {resources: ours + "," + bucket, undeclared: []string{"aws_s3_bucket.prod"}},
		"ours, renamed":     {resources: moved},
	} {
		t.Run(name, func(t *testing.T) {
			ws := &workspace.Workspace{Stack: t.TempDir()}
			require.NoError(t, os.WriteFile(filepath.Join(ws.Stack, "main.tf"), []byte("module \"load\" {\n}\nmodule \"vpc\" {\n}\nresource \"aws_x\" \"y\" {\n}\n"+
				"moved {\n from = module.perf\n to = module.load\n}\nmoved {\n from = aws_sns_topic.old[0]\n to = module.load.aws_sns_topic.new\n}\n"), 0o644))
			state, err := terraform.ParseState([]byte(`{"version":4,"resources":[` + c.resources + `]}`))
			require.NoError(t, err)
			undeclared, _, err := state.Undeclared(ws.Stack)
			require.NoError(t, err)
			require.Equal(t, c.undeclared, undeclared)
			if err := belongs(state, ws); c.refused {
				require.ErrorContains(t, err, "the state holds aws_s3_bucket.prod, but nothing of the stack in "+ws.Stack)
			} else {
				require.NoError(t, err)
			}
			for _, other := range []string{"more.tf.json", "more.tofu"} { // they can declare anything
				file := filepath.Join(ws.Stack, other)
				require.NoError(t, os.WriteFile(file, nil, 0o644))
				require.NoError(t, belongs(state, ws), other)
				require.NoError(t, os.Remove(file))
			}
		})
	}
	require.Equal(t, "a, b, c, d, e and 2 more", some([]string{"a", "b", "c", "d", "e", "f", "g"}))
}

// A command whose state has nothing of a stack does not touch it, and does not say how to delete it.
func TestStackOfAnotherState(t *testing.T) {
	const nothing = `{"version":4,"resources":[]}`
	const roleOnly = `{"version":4,"resources":[{"mode":"managed","type":"aws_iam_role","name":"task","instances":[{"attributes":{"tags_all":{"name":"n"}}}]}]}`
	soon := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		state   string
		run     bool
		there   map[string]string // other answers of AWS
		refused []string
		lost    bool // only answers to creations were lost, so the error says how to remove the resources
	}{
		"nothing there":                         {state: nothing},
		"a run of another state":                {state: nothing, run: true, refused: []string{"there is already a stack n in account 1, Region us-east-1", "the run " + aRun + ", which exports to s3://b/exports/ and ends by itself", "set another name (name = \"n-2\"", "use the state that it was deployed with"}},
		"bits of it are in the state":           {state: roleOnly, run: true, refused: []string{"the run " + aRun}},
		"no run, but its Lambda":                {state: nothing, there: map[string]string{"configuration": `{"FunctionName":"n-stop"}`}, refused: []string{"the Lambda function n-stop"}},
		"its roles, in another Region":          {state: nothing, there: map[string]string{"GetRole": `<R><GetRoleResult><Role/></GetRoleResult></R>`}, refused: []string{"the IAM role n-stop", "the IAM role n-load-task", "it is in another Region"}},
		"its Lambda, and bits are in the state": {state: roleOnly, there: map[string]string{"configuration": `{"FunctionName":"n-stop"}`}, refused: []string{"the Lambda function n-stop"}},
		"a subnet group that was left":          {state: nothing, there: map[string]string{"DescribeCacheSubnetGroups": `<R><DescribeCacheSubnetGroupsResult/></R>`}, lost: true, refused: []string{"remove it with\n  aws elasticache delete-cache-subnet-group --cache-subnet-group-name n"}},
		"roles, and the state holds it":         {state: roleOnly, there: map[string]string{"GetRole": `<R><GetRoleResult><Role/></GetRoleResult></R>`}},
		"the insights that AWS brought back":    {state: nothing, there: map[string]string{"DescribeLogGroups": `{"logGroups":[{"logGroupName":"/aws/ecs/containerinsights/n/performance"}]}`}},
	} {
		t.Run(name, func(t *testing.T) {
			ws := &workspace.Workspace{AWS: awstest.Answering(func(what string, body url.Values) (int, map[string]string, string) {
				if text := c.there[what]; text != "" {
					return 200, nil, text
				}
				if text := c.there["configuration"]; text != "" && strings.HasSuffix(what, "/configuration") {
					return 200, nil, text
				}
				if c.run && what == "GET /schedules/n-watch" {
					return under(soon, soon, "", 1)(what, body)
				}
				switch what {
				case "DescribeLogGroups":
					return 200, nil, `{}`
				case "DescribeClusters":
					return 200, nil, `{}`
				case "DescribeSecurityGroups":
					return 200, nil, `<R/>`
				case "GetRole":
					return 404, nil, `<ErrorResponse><Error><Code>NoSuchEntity</Code></Error></ErrorResponse>`
				case "DescribeReplicationGroups", "DescribeCacheSubnetGroups", "DescribeCacheParameterGroups":
					return 404, nil, `<ErrorResponse><Error><Code>CacheNotFoundFault</Code></Error></ErrorResponse>`
				}
				return 404, map[string]string{"X-Amzn-Errortype": "ResourceNotFoundException"}, `{}`
			})}
			state, err := terraform.ParseState([]byte(c.state))
			require.NoError(t, err)
			s := &subject{inputs: &terraform.Inputs{Name: "n", Bucket: "b", Prefix: "exports"}, state: state, caller: stack.Caller{Account: "1", Region: "us-east-1"}}
			_, err = s.own(t.Context(), ws)
			if len(c.refused) == 0 {
				require.NoError(t, err)
				return
			}
			for _, says := range c.refused {
				require.ErrorContains(t, err, says)
			}
			if !c.lost {
				require.NotContains(t, err.Error(), "delete")
			}
			require.NotContains(t, err.Error(), "mage destroy")
		})
	}
}

// Others can use the same bucket: the latest run is this stack's, and a run of another stack is refused by name.
func TestReportTakesTheStacksOwnRuns(t *testing.T) {
	folder := exportsOf(t, threeRuns...)
	latest := filepath.Join(folder, "manifest", threeRuns[2]+".json")
	text, err := os.ReadFile(latest)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(latest, bytes.Replace(text, []byte(`"name":"n"`), []byte(`"name":"other"`), 1), 0o644))
	ws, from := &workspace.Workspace{Root: t.TempDir()}, bucket(t, folder, nil)
	said, err := reported(t, ws, from)
	require.NoError(t, err)
	require.Contains(t, said, "run "+threeRuns[1]+" of n\n")
	_, err = reported(t, ws, from, "RUN="+threeRuns[2])
	require.ErrorContains(t, err, "it is a run of another stack: its stack is other, and this one is n. Set name = \"other\" to read it")
}
