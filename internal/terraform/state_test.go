package terraform

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// stateOf is a state with these resources, as `terraform state pull` prints it.
func stateOf(resources string) string {
	return `{"version":4,"terraform_version":"1.11.4","serial":7,"lineage":"l","outputs":{},"resources":[` + resources + `],"check_results":null}`
}

// Pieces of a state: what ends a run, something that the provider tags, and what is in no Region.
const (
	watchState = `{"module":"module.scheduler","mode":"managed","type":"aws_scheduler_schedule","name":"watch","instances":[{"attributes":
		{"arn":"arn:aws:scheduler:eu-west-1:111111111111:schedule/one/one-watch","group_name":"one","name":"one-watch"}}]}`
	groupState = `{"module":"module.scheduler","mode":"managed","type":"aws_scheduler_schedule_group","name":"this","instances":[{"attributes":
		{"arn":"arn:aws:scheduler:eu-west-1:111111111111:schedule-group/one","name":"one","tags_all":{"name":"one"}}}]}`
	functionState = `{"module":"module.scheduler","mode":"managed","type":"aws_lambda_function","name":"this","instances":[{"attributes":
		{"arn":"arn:aws:lambda:eu-west-1:111111111111:function:one-stop","tags_all":{"name":"one"}}}]}`
	roleState = `{"module":"module.load","mode":"managed","type":"aws_iam_role","name":"task","instances":[{"attributes":
		{"arn":"arn:aws:iam::111111111111:role/one-load-task","name":"one-load-task","tags_all":{"name":"one"}}}]}`
	ruleState = `{"module":"module.load","mode":"managed","type":"aws_vpc_security_group_egress_rule","name":"this","instances":[{"index_key":"tcp","attributes":
		{"region":"eu-west-1","tags_all":null}}]}`
	dataState = `{"mode":"data","type":"aws_subnet","name":"this","instances":[{"index_key":"subnet-1","attributes":
		{"arn":"arn:aws:ec2:us-east-1:222222222222:subnet/subnet-1","tags_all":{"name":"other"}}}]}`
)

func TestStateTellsItsStack(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		empty  bool
		name   string
		guards bool
		region string // where something is, other than in us-east-1
	}{
		"none":                   {empty: true},
		"nothing in it":          {text: stateOf(""), empty: true},
		"read by others only":    {text: stateOf(dataState), empty: true},
		"whole":                  {text: stateOf(roleState + "," + watchState + "," + groupState + "," + dataState), name: "one", guards: true, region: "eu-west-1"},
		"answer was lost":        {text: stateOf(functionState + "," + roleState), name: "one", guards: true, region: "eu-west-1"},
		"no schedule, its group": {text: stateOf(groupState), name: "one", guards: true, region: "eu-west-1"},
		"no guard":               {text: stateOf(roleState), name: "one"},
		"no ARN, provider 6":     {text: stateOf(ruleState), region: "eu-west-1"},
		"OpenTofu warns":         {text: "Warning: Unable to open CLI configuration file\n\n" + stateOf(roleState), name: "one"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := ParseState([]byte(c.text))
			require.NoError(t, err)
			require.Equal(t, c.empty, s.Empty())
			require.Equal(t, c.name, s.Name())
			require.Equal(t, c.guards, s.GuardsRun())
			account, region := s.Elsewhere("111111111111", "us-east-1")
			require.Empty(t, account)
			require.Equal(t, c.region, region)
		})
	}
	s, err := ParseState([]byte(stateOf(roleState)))
	require.NoError(t, err)
	account, region := s.Elsewhere("222222222222", "us-east-1")
	require.Equal(t, "111111111111", account)
	require.Empty(t, region, "a role is in no Region")
	_, err = ParseState([]byte(`{"version":3}`))
	require.ErrorContains(t, err, "the state has version 3")
}

// A checkout that has not seen its remote state yet is prepared, and then read.
func TestStateOfAFreshCheckout(t *testing.T) {
	dir := t.TempDir()
	bin := fake(t, "terraform", `case "$*" in
*"state pull") [ -e init ] || { echo 'Error: Backend initialization required, please run "terraform init"' >&2; exit 1; }; echo '`+stateOf("")+`' ;;
*init*) echo >init ;;
esac`)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cli.tfrc"), []byte("provider_installation {}\n"), 0o600))
	cli := &CLI{Bin: filepath.Join(bin, "terraform"), Dir: dir, Out: &bytes.Buffer{}, Env: []string{"PATH=" + os.Getenv("PATH"), "TF_CLI_CONFIG_FILE=" + filepath.Join(dir, "cli.tfrc")}}
	t.Chdir(dir)
	s, err := cli.ReadState(t.Context(), &workspace.Workspace{Root: dir, Stack: dir}, &console.Console{Out: &bytes.Buffer{}})
	require.NoError(t, err)
	require.True(t, s.Empty())
}
