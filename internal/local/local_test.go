package local

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

var embedded = &Embedded{Hello: Handshake{URL: "http://127.0.0.1:1", Region: "us-east-1", VPC: "vpc-0123456789abcdef0", Subnets: []string{"subnet-0123456789abcdef0"},
	Bucket: "exports", Env: map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "it's"}}}

// tree is a project with a remote backend, a state, and inputs of the person's.
func tree(t *testing.T) (*workspace.Workspace, *console.Console) {
	root := t.TempDir()
	for file, text := range map[string]string{
		"main.tf": "variable \"vpc_id\" { type = string }\nvariable \"name\" { default = \"theirs\" }\noutput \"both\" { value = \"${var.vpc_id} ${var.name}\" }\n" +
			"variable \"load\" { default = { ca_pem = null } }\nmodule \"load\" {\n  source = \"./modules/m\"\n  load = var.load\n}\noutput \"ca\" { value = module.load.ca }\n",
		"backend.tf":       "terraform {\n  backend \"s3\" {\n    bucket = \"theirs\"\n    key    = \"k\"\n    region = \"us-east-1\"\n  }\n}\n",
		"terraform.tfvars": "name = \"production\"\nvpc_id = \"vpc-production\"\n",
		"modules/m/m.tf":   "variable \"load\" { type = object({ ca_pem = optional(string) }) }\noutput \"ca\" { value = var.load.ca_pem }\n",
		".localaws/ca.pem": "ours",
		"build/zip":        "",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, file), []byte(text), 0o644))
	}
	return &workspace.Workspace{Root: root, Stack: root, Env: append(os.Environ(), "AWS_PROFILE=production", "AWS_ENDPOINT_URL_S3=https://example.com",
		"TF_DATA_DIR=/theirs", "TF_WORKSPACE=theirs", "TF_CLI_ARGS=-state=theirs", "TF_VAR_name=mine", "STACK_DIR=/theirs")}, &console.Console{Out: &bytes.Buffer{}}
}

func TestNothingLeadsOutOfTheEmbeddedAWS(t *testing.T) {
	ws, con := tree(t)
	inside, _, err := embedded.Enter(ws, con, map[string]any{"vpc_id": embedded.Hello.VPC})
	require.NoError(t, err)
	var names []string
	for _, e := range inside.Env {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "TF_") || name == "STACK_DIR" {
			names = append(names, name)
		}
	}
	require.ElementsMatch(t, []string{"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
		"AWS_EC2_METADATA_DISABLED", "TF_DATA_DIR", "TF_VAR_name", "STACK_DIR"}, workspace.Without(names, func(n string) bool { return n == "TF_CLI_CONFIG_FILE" }))
	require.Equal(t, os.DevNull, workspace.Getenv(inside.Env, "AWS_CONFIG_FILE"))

	cfg, err := inside.AWS(t.Context(), "eu-west-1")
	require.NoError(t, err)
	require.Equal(t, "us-east-1", cfg.Region)
	require.Equal(t, embedded.Hello.URL, *cfg.BaseEndpoint)
	require.Empty(t, cfg.ConfigSources, "the SDK finds no other endpoint in the environment")

	// Terraform itself: the remote backend is not used, the inputs and the state are ours.
	cli, err := terraform.Find(inside, con)
	require.NoError(t, err)
	var out bytes.Buffer
	cli.Out = &out
	require.NoError(t, cli.Init(t.Context(), false), out.String())
	changes, err := cli.Plan(t.Context(), filepath.Join(inside.DataDir(), "plan"))
	require.NoError(t, err, out.String())
	require.True(t, changes)
	require.NoError(t, cli.Apply(t.Context(), filepath.Join(inside.DataDir(), "plan")))
	outputs, err := cli.Outputs(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"both": embedded.Hello.VPC + " mine", "ca": "ours"}, outputs)
	require.FileExists(t, filepath.Join(ws.Root, ".localaws/stack/terraform.tfstate"))
	for _, file := range []string{".terraform", "terraform.tfstate", ".terraform.lock.hcl"} {
		require.NoFileExists(t, filepath.Join(ws.Root, file))
	}

	// The next embedded AWS starts without that state.
	_, _, err = embedded.Enter(ws, con, nil)
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(ws.Root, ".localaws/stack/terraform.tfstate"))
	require.NoFileExists(t, filepath.Join(ws.Root, ".localaws/stack/terraform.tfvars.json"))
}

func TestEnvironmentForAShell(t *testing.T) {
	ws, _ := tree(t)
	file := filepath.Join(ws.Root, "env")
	require.NoError(t, os.WriteFile(file, []byte(embedded.Script(ws, embedded.Values(2, 5*time.Second))), 0o644))
	c := exec.Command("sh", "-c", `. "$0" && printf '%s|' "$AWS_SECRET_ACCESS_KEY" "$AWS_PROFILE" "$TF_VAR_subnet_ids" "$TF_VAR_vpc_id" "$TF_VAR_test_duration_minutes" "$STACK_DIR"`, file)
	c.Env = append(os.Environ(), "AWS_PROFILE=production")
	out, err := c.Output()
	require.NoError(t, err)
	require.Equal(t, `it's||["subnet-0123456789abcdef0"]|vpc-0123456789abcdef0|2|`+filepath.Join(ws.Root, ".localaws/stack")+"|", string(out))
}

// Terraform in the project's folder has another state: whoever is in the embedded AWS is told where the stack is.
func TestTerraformBesideTheStack(t *testing.T) {
	ws, _ := tree(t)
	file := filepath.Join(ws.Root, "env")
	require.NoError(t, os.WriteFile(file, []byte(embedded.Script(ws, embedded.Values(2, 5*time.Second))), 0o644))
	bin := fake(t, "terraform", `echo "ran $*"`)
	run := func(dir, command string) (string, error) {
		c := exec.Command("sh", "-c", `. "$0" && `+command, file)
		c.Dir, c.Env = dir, append(os.Environ(), "PWD="+dir, "PATH="+bin+":"+os.Getenv("PATH"))
		said, err := c.CombinedOutput()
		return string(said), err
	}
	stack := filepath.Join(ws.Root, ".localaws/stack")
	said, err := run(ws.Root, "terraform destroy -auto-approve")
	require.Error(t, err)
	require.Equal(t, `the stack of the embedded AWS is in `+stack+`: terraform -chdir="`+stack+`" destroy -auto-approve`+"\n", said)
	for dir, command := range map[string]string{ws.Root: `terraform -chdir="$STACK_DIR" destroy`, t.TempDir(): "terraform destroy"} {
		said, err = run(dir, command)
		require.NoError(t, err)
		require.Contains(t, said, "ran ")
	}
}

func TestOnlyOneAtATime(t *testing.T) {
	ws, _ := tree(t)
	require.NoError(t, os.MkdirAll(Dir(ws), 0o755))
	unlock, err := Lock(ws)
	require.NoError(t, err)
	info, err := os.Stat(Dir(ws))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "keys, logs and exports are the person's alone")
	_, err = Lock(ws)
	require.ErrorContains(t, err, fmt.Sprintf(".localaws is in use: a local:run or local:up is under way in this checkout (process %d). Wait for it", os.Getpid()))
	unlock()
	data := filepath.Join(Dir(ws), "terraform")
	deploys, err := terraform.Lock(&workspace.Workspace{Stack: ws.Stack, Env: []string{"TF_DATA_DIR=" + data}})
	require.NoError(t, err)
	for range 2 { // the first try leaves nothing held
		_, err = Lock(ws)
		require.ErrorContains(t, err, fmt.Sprintf(".localaws is in use: another deploy or destroy is under way here (process %d)", os.Getpid()))
	}
	deploys()
	unlock, err = Lock(ws)
	require.NoError(t, err)
	again, err := terraform.Lock(&workspace.Workspace{Stack: ws.Stack, Env: []string{"TF_DATA_DIR=" + data}})
	require.NoError(t, err, "a deploy in it can")
	again()
	unlock()
}

// The folder may be a link to one on another disk, which is used as it is; one that is not meant for this is refused, and is as before.
func TestFolderThatIsALink(t *testing.T) {
	ws, _ := tree(t)
	require.NoError(t, os.RemoveAll(Dir(ws)))
	there := filepath.Join(t.TempDir(), "there")
	require.NoError(t, os.Symlink(there, Dir(ws)))
	_, err := Lock(ws)
	require.ErrorContains(t, err, ".localaws is a link to "+there+", which does not exist: make that folder, or remove the link")
	require.NoError(t, os.WriteFile(there, nil, 0o600))
	_, err = Lock(ws)
	require.ErrorContains(t, err, "which is not a folder: remove the link")
	require.NoError(t, os.Remove(there))

	require.NoError(t, os.Mkdir(there, 0o755))
	_, err = Lock(ws)
	require.ErrorContains(t, err, "which others can open, and it will hold keys: `chmod 700 "+there+"`")
	info, err := os.Stat(there)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o755), info.Mode().Perm())

	require.NoError(t, os.Chmod(there, 0o700))
	require.NoError(t, os.MkdirAll(filepath.Join(there, "stack", "theirs"), 0o700))
	_, err = Lock(ws)
	require.ErrorContains(t, err, "which already holds other files. Link to an empty folder, or remove the link")
	require.DirExists(t, filepath.Join(there, "stack", "theirs"))

	require.NoError(t, os.RemoveAll(filepath.Join(there, "stack")))
	for range 2 { // empty, and used before
		unlock, err := Lock(ws)
		require.NoError(t, err)
		_, err = Lock(ws)
		require.ErrorContains(t, err, ".localaws is in use")
		dir, err := localStack(ws)
		require.NoError(t, err)
		require.FileExists(t, filepath.Join(dir, "main.tf"), "its links lead to the checkout all the same")
		unlock()
	}
}

func TestRoomOnTheDisk(t *testing.T) {
	require.NoError(t, room(t.TempDir(), 1))
	require.NoError(t, room("/does/not/exist", 1))
	require.NoError(t, Full(t.TempDir()))
	const none = math.MaxUint64 - 1 // more than any disk has
	require.ErrorContains(t, full(t.TempDir(), none), " is full, and the load's log and the exports would be lost: free space there")
	require.ErrorContains(t, room(t.TempDir(), none), "a local run needs about 18446744073709 MB: free space there")
}

// Whatever a full disk made fail, the error is that it is full; only an interruption stays what it was.
func TestErrorOfAFullDisk(t *testing.T) {
	filled, failed := errors.New("full"), errors.New("the embedded AWS did not start: it ended")
	isFull, hasRoom := func(string) error { return filled }, func(string) error { return nil }
	require.Equal(t, filled, explain("", failed, isFull))
	require.Equal(t, failed, explain("", failed, hasRoom))
	require.Equal(t, proc.ErrInterrupted, explain("", proc.ErrInterrupted, isFull))
	require.NoError(t, explain("", nil, isFull))
}

// A fault that the embedded AWS does not understand is its words, and nothing was started.
func TestFolderThatPATHCannotName(t *testing.T) {
	_, err := Start(t.Context(), &workspace.Workspace{Root: "/home/a:b"}, &console.Console{}, 1, time.Minute)
	require.EqualError(t, err, "/home/a:b/.localaws has a colon, so PATH cannot name the programs of the embedded AWS in it: use a checkout in a folder without one")
}

func TestBadFault(t *testing.T) {
	root := t.TempDir()
	files, err := filepath.Glob("../../*.tf")
	require.NoError(t, err)
	for _, file := range append(files, "../../modules") {
		file, err = filepath.Abs(file)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(file, filepath.Join(root, filepath.Base(file))))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(root, "build"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, ".localaws"), 0o755))
	compiler := fake(t, "go", `printf '#!/bin/sh\necho "localaws: fault \\"$FAULT\\" is not of the form A=B" >&2; exit 2\n' >build/localaws; chmod +x build/localaws`)
	t.Setenv("PATH", compiler+":"+os.Getenv("PATH"))
	ws, con := &workspace.Workspace{Root: root, Stack: root, Env: append(os.Environ(), "FAULT=nonsense")}, &console.Console{Out: &bytes.Buffer{}}
	_, err = Start(t.Context(), ws, con, 1, time.Second)
	require.EqualError(t, err, `FAULT=nonsense: fault "nonsense" is not of the form A=B`)
	require.Contains(t, con.Out.(*bytes.Buffer).String(), "faults there: nonsense\n")
}

func TestArgumentsOfTheEmbeddedAWS(t *testing.T) {
	require.Equal(t, "serve --dir d --listen 127.0.0.1:0 --bucket exports --metrics-period 5s --with-parent --cache-port 6380", strings.Join(localArgs("d", 5*time.Second, 6380), " "))
	troubles := faultArgs(&workspace.Workspace{Env: []string{"FAULT=monitoring.GetMetricData:3=throttle, logs.*=slow(200ms)", "QUOTAS=1"}})
	require.Equal(t, "--cache-port 6380 --fault monitoring.GetMetricData:3=throttle --fault logs.*=slow(200ms) --quotas", strings.Join(localArgs("d", time.Second, 6380, troubles...)[10:], " "))
}

// fake puts an executable shell script on a PATH of its own.
func fake(t *testing.T, name, script string) (path string) {
	path = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(path, name), []byte("#!/bin/sh\n"+script), 0o755))
	return path
}
