// Package local starts and ends the embedded AWS, and makes the workspace in which commands run inside it.
package local

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Embedded is the embedded AWS, a process of its own. It ends when its stdin closes, so it does not outlive this process.
type Embedded struct {
	Hello Handshake
	cmd   *exec.Cmd
	stdin io.Closer
	Log   string        // file
	Done  chan struct{} // closed when it has ended
}

// Handshake is the line that the embedded AWS prints when it is ready.
type Handshake struct {
	URL         string            `json:"url"`
	Region      string            `json:"region"`
	VPC         string            `json:"vpc_id"`
	Subnets     []string          `json:"subnet_ids"`
	Bucket      string            `json:"bucket"`
	Env         map[string]string `json:"env"`
	CacheServer string            `json:"cache_server"`
	Generator   string            `json:"generator"`
}

const localBucket = "exports"

// Dir is the folder that holds everything of the embedded AWS, its exports too.
func Dir(ws *workspace.Workspace) string { return filepath.Join(ws.Root, ".localaws") }

// EnvFile sets the environment of a shell for local:up.
func EnvFile(ws *workspace.Workspace) string { return filepath.Join(Dir(ws), "env") }

// Lock keeps two commands from using that folder at once, and tells the second one which process is the first; the kernel gives the
// lock back when we die.
func Lock(ws *workspace.Workspace) (unlock func(), err error) {
	if to, is := os.Readlink(Dir(ws)); is == nil {
		err = linked(ws.Path(Dir(ws)), to, Dir(ws))
	} else if err = os.MkdirAll(Dir(ws), 0o700); err == nil {
		err = os.Chmod(Dir(ws), 0o700) // also if an older version made it: it has keys, logs and exports
	}
	if err != nil {
		return nil, fmt.Errorf("the embedded AWS keeps its files in %s: %w", Dir(ws), err)
	}
	unlock, err = proc.Lock(filepath.Join(Dir(ws), "lock"))
	var held *proc.HeldError
	if errors.As(err, &held) {
		return nil, fmt.Errorf("%s is in use: a local:run or local:up is under way in this checkout%s. Wait for it or end it (Ctrl-C in its terminal), or take another checkout",
			ws.Path(Dir(ws)), held.By)
	}
	if err != nil {
		return nil, fmt.Errorf("the embedded AWS keeps its files in %s: %w", Dir(ws), err)
	}
	// A deploy in a local:up that has ended may still be at work, and its state is in there.
	if data := filepath.Join(Dir(ws), "terraform"); workspace.Exists(data) {
		let, err := terraform.Lock(&workspace.Workspace{Root: ws.Root, Stack: ws.Root, Env: []string{"TF_DATA_DIR=" + data}})
		if err != nil {
			unlock()
			return nil, fmt.Errorf("%s is in use: %w", ws.Path(Dir(ws)), err)
		}
		let()
	}
	return unlock, nil
}

// linked checks a folder that is a link, which a person makes to have the files on another disk. Its target must belong to the person and be
// empty or used for this before, because its content is overwritten and removed.
func linked(link, to, dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s is a link to %s, which does not exist: make that folder, or remove the link", link, to)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is a link to %s, which is not a folder: remove the link", link, to)
	case info.Mode().Perm()&0o077 != 0 || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()):
		return fmt.Errorf("%s is a link to %s, which others can open, and it will hold keys: `chmod 700 %s`, or remove the link", link, to, workspace.Word(to))
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 && !workspace.Exists(filepath.Join(dir, "lock")) {
		err = fmt.Errorf("%s is a link to %s, which already holds other files. Link to an empty folder, or remove the link", link, to)
	}
	return err
}

// roomOfRun is generously what a local run needs in bytes: the Lambda unpacked, Terraform's plan, logs and exports.
const roomOfRun = 50_000_000

// room checks that a folder's disk has so many bytes left: a full disk would cause misleading errors in the middle of a run.
func room(dir string, bytes uint64) error {
	if free := workspace.Free(dir); free < bytes {
		return fmt.Errorf("the disk of %s has %d MB left, and a local run needs about %d MB: free space there, or use a checkout on another disk", dir, free/1_000_000, bytes/1_000_000)
	}
	return nil
}

// Full checks whether a folder's disk is full: the embedded AWS would lose the load's output, and later the exports.
func Full(dir string) error { return full(dir, 1_000_000) }

func full(dir string, least uint64) error {
	if room(dir, least) == nil {
		return nil
	}
	return fmt.Errorf("the disk of %s is full, and the load's log and the exports would be lost: free space there (a local run needs about %d MB), and run it again", dir, roomOfRun/1_000_000)
}

// Explain returns a command's error, or in its place that the disk of the embedded AWS's folder is full: the error only followed from that.
func Explain(ws *workspace.Workspace, err error) error { return explain(Dir(ws), err, Full) }

func explain(dir string, err error, full func(string) error) error {
	if err == nil || errors.Is(err, proc.ErrInterrupted) {
		return err
	}
	return cmp.Or(full(dir), err)
}

func localArgs(dir string, period time.Duration, port int, troubles ...string) []string {
	return append([]string{"serve", "--dir", dir, "--listen", "127.0.0.1:0", "--bucket", localBucket, "--metrics-period", period.String(), "--with-parent",
		"--cache-port", strconv.Itoa(port)}, troubles...)
}

// faultArgs are the faults of the embedded AWS: FAULT= lists faults separated by commas, QUOTAS=1 throttles as AWS does.
func faultArgs(ws *workspace.Workspace) (args []string) {
	for _, fault := range strings.FieldsFunc(ws.Getenv("FAULT"), func(r rune) bool { return r == ',' || r == ' ' }) {
		args = append(args, "--fault", fault)
	}
	if ws.On("QUOTAS") {
		args = append(args, "--quotas")
	}
	return args
}

// placeholder is used to read inputs before an embedded AWS is started.
var placeholder = &Embedded{Hello: Handshake{URL: "http://127.0.0.1:0", Region: "us-east-1", VPC: "vpc-00000000", Subnets: []string{"subnet-00000000"}, Bucket: localBucket}}

// Start compiles and starts the embedded AWS.
func Start(ctx context.Context, ws *workspace.Workspace, con *console.Console, minutes int, period time.Duration) (*Embedded, error) {
	if strings.ContainsRune(Dir(ws), os.PathListSeparator) {
		return nil, fmt.Errorf("%s has a colon, so PATH cannot name the programs of the embedded AWS in it: use a checkout in a folder without one", Dir(ws))
	}
	troubles := faultArgs(ws)
	if err := terraform.CheckGiven(&workspace.Workspace{Root: ws.Root, Stack: ws.Root}, ws.Env); err != nil {
		return nil, err
	}
	if names, err := unread(ws); err != nil {
		return nil, err
	} else if len(names) > 0 {
		con.Say("not read in the embedded AWS: %s. It has inputs of its own; for another load, cache or name set %s", strings.Join(names, ", "), "TF_VAR_load, TF_VAR_cache or TF_VAR_name")
	}
	scratch, quiet, err := placeholder.Enter(ws, con, placeholder.Values(minutes, period))
	if err != nil {
		return nil, err
	}
	_, in, err := terraform.Ready(ctx, scratch, quiet)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("the embedded AWS is for Linux and WSL2 (the Lambda is built for the host, cache nodes live on 127.0.0.x), not for %s", runtime.GOOS)
	}
	if err := room(Dir(ws), roomOfRun); err != nil {
		return nil, err
	}
	binary := filepath.Join(ws.Root, "build", "localaws")
	building := con.Step("building the embedded AWS")
	// As the Lambda is built, so that what both need is compiled once.
	c := ws.Command(ctx, con.Out, "go", "build", "-trimpath", "-o", binary, "./cmd/localaws")
	c.Env = append(ws.Env[:len(ws.Env):len(ws.Env)], "CGO_ENABLED=0")
	err = proc.Run(c, time.Minute)
	building.End()
	if err != nil {
		return nil, fmt.Errorf("compile cmd/localaws: %w", errors.Join(err, context.Cause(ctx)))
	}
	if len(troubles) > 0 {
		con.Say("faults there: %s", strings.ReplaceAll(strings.Join(troubles, " "), "--fault ", ""))
	}
	e := &Embedded{Log: filepath.Join(Dir(ws), "localaws.log"), Done: make(chan struct{})}
	log, err := os.Create(e.Log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	e.cmd = exec.Command(binary, localArgs(Dir(ws), period, in.Cache.Port, troubles...)...)
	e.cmd.Dir, e.cmd.Stderr = ws.Root, log
	e.cmd.Env = workspace.Without(ws.Env, func(name string) bool { return strings.HasPrefix(name, "AWS_") })
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if e.stdin, err = e.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := e.cmd.Start(); err != nil {
		return nil, fmt.Errorf("the embedded AWS: %w", err)
	}
	line := make(chan []byte, 1)
	go func() {
		text, _ := bufio.NewReader(stdout).ReadBytes('\n')
		line <- text
		_ = e.cmd.Wait()
		close(e.Done)
	}()
	select {
	case text := <-line:
		if len(text) == 0 {
			err = errors.New("it ended")
		} else {
			err = json.Unmarshal(text, &e.Hello)
		}
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-time.After(hangs):
		err = fmt.Errorf("it is not ready after %s", hangs)
	}
	if err != nil {
		_ = e.End()
		if e.cmd.ProcessState.ExitCode() == 2 { // it refused an argument, and only FAULT= can cause that
			return nil, fmt.Errorf("FAULT=%s: %s", ws.Getenv("FAULT"), strings.TrimPrefix(strings.TrimSpace(LastLines(e.Log, 1)), "localaws: "))
		}
		return nil, fmt.Errorf("the embedded AWS did not start: %w\n%s", err, LastLines(e.Log, 15))
	}
	return e, nil
}

// hangs is the limit for a process of the embedded AWS that neither ends nor prints anything: on no machine does it take that long.
const hangs = 2 * time.Minute

// End ends the embedded AWS and everything in it.
func (e *Embedded) End() error {
	_ = e.stdin.Close()
	select {
	case <-e.Done:
	case <-time.After(hangs):
		_ = syscall.Kill(-e.cmd.Process.Pid, syscall.SIGKILL)
		<-e.Done
		return fmt.Errorf("the embedded AWS did not end and was killed; see %s", e.Log)
	}
	if code := e.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the embedded AWS ended with exit code %d:\n%s", code, LastLines(e.Log, 10))
	}
	return nil
}

// Died is the error of its end, with its last output: it comes before errors that follow from it.
func (e *Embedded) Died() error {
	<-e.Done
	return fmt.Errorf("the embedded AWS ended by itself (%s); its last messages:\n%s", e.cmd.ProcessState, LastLines(e.Log, 15))
}

// Unserved are the API actions that were asked and are not served.
func (e *Embedded) Unserved(ctx context.Context) ([]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.Hello.URL+"/_localaws/unhandled", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var actions []string
	return actions, json.NewDecoder(response.Body).Decode(&actions)
}

// Enter returns the workspace in the embedded AWS, and a console that asks nobody. The workspace has its own stack folder, state and data directory, and its
// environment leads to no account, profile, cache or state of the person.
func (e *Embedded) Enter(ws *workspace.Workspace, con *console.Console, values map[string]any) (*workspace.Workspace, *console.Console, error) {
	stack, err := localStack(ws)
	if err != nil {
		return nil, nil, err
	}
	text, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return nil, nil, err
	}
	if values != nil {
		if err := os.WriteFile(filepath.Join(stack, "terraform.tfvars.json"), append(text, '\n'), 0o644); err != nil {
			return nil, nil, err
		}
	}
	if !isLoopback(e.Hello.URL) {
		return nil, nil, fmt.Errorf("the embedded AWS is at %s, but only an address of this machine (127.0.0.1) is allowed", e.Hello.URL)
	}
	in, quiet := *ws, *con
	in.Stack, in.Env = stack, localEnv(ws.Env)
	env := e.env(ws)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		in.Env = append(in.Env, name+"="+env[name])
	}
	in.Env = append(in.Env, "APPROVE=1") // nothing there costs money or belongs to anybody
	in.Embedded, in.Grace = true, hangs
	quiet.Pause, quiet.TTY, quiet.Answer = 250*time.Millisecond, false, nil
	in.AWS = func(context.Context, string) (aws.Config, error) {
		return aws.Config{Region: e.Hello.Region, BaseEndpoint: &e.Hello.URL, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: e.Hello.Env["AWS_ACCESS_KEY_ID"], SecretAccessKey: e.Hello.Env["AWS_SECRET_ACCESS_KEY"]}, nil
		})}, nil
	}
	return &in, &quiet, nil
}

// env is what a process needs to see the embedded AWS and nothing else.
func (e *Embedded) env(ws *workspace.Workspace) map[string]string {
	env := map[string]string{}
	maps.Copy(env, e.Hello.Env)
	// https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html
	env["AWS_CONFIG_FILE"], env["AWS_SHARED_CREDENTIALS_FILE"] = os.DevNull, os.DevNull
	env["AWS_EC2_METADATA_DISABLED"] = "true"
	env["TF_DATA_DIR"] = filepath.Join(Dir(ws), "terraform")
	env["STACK_DIR"] = filepath.Join(Dir(ws), "stack")
	return env
}

// Values are the stack's inputs in the embedded AWS.
func (e *Embedded) Values(minutes int, period time.Duration) map[string]any {
	return map[string]any{
		"aws_region": e.Hello.Region, "vpc_id": e.Hello.VPC, "subnet_ids": e.Hello.Subnets, "metrics_export_s3_bucket": e.Hello.Bucket,
		"test_duration_minutes": minutes, "metrics_period_seconds": int(period.Seconds()), "lambda_architecture": gobuild.HostArchitecture(),
	}
}

// localOverride is what differs from AWS: the state's backend, and the certificate authority of a cache with TLS, which is a file here.
// https://developer.hashicorp.com/terraform/language/files/override
const localOverride = `terraform {
  backend "local" {}
}

module "load" {
  load = merge(var.load, { ca_pem = coalesce(var.load.ca_pem, file(%q)) })
}
`

// localStack makes a fresh folder with the same HCL as the project's, by links, and localOverride, whatever backend the project has.
// The links are absolute, because .localaws may be a link itself.
func localStack(ws *workspace.Workspace) (string, error) {
	dir := filepath.Join(Dir(ws), "stack")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	files, err := workspace.Glob(ws.Root, "*.tf")
	if err != nil {
		return "", err
	}
	for _, file := range append(files, filepath.Join(ws.Root, "modules"), filepath.Join(ws.Root, "build")) {
		if err := os.Symlink(filepath.Join(ws.Root, filepath.Base(file)), filepath.Join(dir, filepath.Base(file))); err != nil {
			return "", err
		}
	}
	return dir, os.WriteFile(filepath.Join(dir, "zz_local_override.tf"), fmt.Appendf(nil, localOverride, strings.ReplaceAll(filepath.Join(Dir(ws), "ca.pem"), "${", "$${")), 0o644)
}

// LastLines is the end of a log file, indented.
func LastLines(file string, n int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "  (" + err.Error() + ")"
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-n):], "\n  ")
}

// Script is the environment for a shell.
func (e *Embedded) Script(ws *workspace.Workspace, values map[string]any) string {
	env := e.env(ws)
	for name, value := range values {
		text, _ := json.Marshal(value) // strings, numbers and lists of strings
		env["TF_VAR_"+name] = strings.Trim(string(text), `"`)
	}
	var b strings.Builder
	// Everything that leads elsewhere is unset: an endpoint or profile of one service, another state, an existing cache.
	fmt.Fprintf(&b, "for name in $(env | sed -n 's/^\\([A-Za-z_][A-Za-z0-9_]*\\)=.*/\\1/p'); do case $name in\n%s) ;;\nAWS_*|TF_VAR_*|TF_CLI_ARGS*|TF_LOG*|TF_WORKSPACE|TF_DATA_DIR|STACK_DIR) unset \"$name\" ;;\nesac; done\n", "TF_VAR_"+strings.Join(passedInputs, "|TF_VAR_"))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&b, "export %s=%s\n", name, workspace.Word(env[name]))
	}
	// In the project's folder Terraform would find the state of another embedded AWS, or none, and say that there is nothing to destroy.
	var patterns []string
	for _, command := range []string{"plan", "apply", "destroy", "refresh", "import", "output", "show", "state"} {
		patterns = append(patterns, workspace.Word(ws.Root+" "+command))
	}
	fmt.Fprintf(&b, `terraform() {
  case "$PWD $1" in %s)
    echo "the stack of the embedded AWS is in $STACK_DIR: terraform -chdir=\"$STACK_DIR\" $*" >&2
    return 1 ;;
  esac
  command terraform "$@"
}
`, strings.Join(patterns, " | "))
	return b.String()
}
