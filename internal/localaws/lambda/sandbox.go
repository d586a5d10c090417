package lambda

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/guard"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// initLimit is how long a runtime may take until it asks for its first event.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
const initLimit = 10 * time.Second

// Errors of the runtime, as errorType.
const (
	exitError  = "Runtime.ExitError"
	entrypoint = "Runtime.InvalidEntrypoint"
)

// sandbox is an execution environment: a process and the Runtime API that it talks to. One invocation at a time.
type sandbox struct {
	spec    *function // as it was when the environment started
	service *Service
	key     string    // access key of its credentials
	expires time.Time // of the credentials
	output  *output
	server  *http.Server
	process *proc.Process // nil when it could not be started
	broken  error         // why not
	initial time.Duration // of the init phase, told with the first invocation
	peak    int64         // bytes resident at most

	ready  chan struct{}   // the runtime asks for an event
	events chan invocation // and gets it
	posted chan outcome    // and answers; also the failure of its init phase
	ended  sync.Once

	mu      sync.Mutex
	current invocation // that is being handled
	until   time.Time  // its deadline
}

// start makes an environment and runs its init phase. A bootstrap that cannot start is not an error here: the invocation fails.
func (s *Service) start(f *function) (*sandbox, error) {
	credentials := s.IAM.Session(f.Role, f.FunctionName)
	if credentials.AccessKeyID == "" || !s.IAM.TrustsFor(f.Role, "lambda.amazonaws.com", f.FunctionArn) {
		return nil, wire.Errorf(http.StatusForbidden, "AccessDeniedException", "The role defined for the function cannot be assumed by Lambda.")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("runtime API of function %s: %w", f.FunctionName, err)
	}
	b := &sandbox{spec: f, service: s, key: credentials.AccessKeyID, expires: credentials.Expires, ready: make(chan struct{}, 1), events: make(chan invocation), posted: make(chan outcome, 1)}
	if b.output, err = s.newOutput(f); err != nil {
		_ = l.Close() // nothing uses it yet
		return nil, err
	}
	b.server = &http.Server{Handler: guard.Loopback(b.runtimeAPI()), ReadHeaderTimeout: time.Minute}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		_ = b.server.Serve(l) // ends by Close
	}()
	began := time.Now()
	b.output.system(s.acct.Clock.Now(), "INIT_START", "platform.initStart", "Runtime Version: provided:al2023.v1\tRuntime Version ARN: "+f.RuntimeVersionConfig.RuntimeVersionArn,
		map[string]any{"initializationType": "on-demand", "phase": "init", "runtimeVersion": "provided:al2023.v1", "runtimeVersionArn": f.RuntimeVersionConfig.RuntimeVersionArn})
	bootstrap := filepath.Join(f.task, "bootstrap")
	b.process, b.broken = proc.Start(proc.Spec{Path: bootstrap, Dir: f.task, Stdout: b.output.pipe, Stderr: b.output.pipe,
		Env: s.environ(f, l.Addr().String(), b.output.stream, credentials.AccessKeyID, credentials.SecretAccessKey, credentials.SessionToken)})
	if b.broken != nil {
		b.broken = explain(b.broken, bootstrap)
		return b, nil
	}
	s.mu.Lock()
	s.live[b.key] = b
	s.mu.Unlock()
	s.acct.Log.Debug("lambda environment", "function", f.FunctionName, "pid", b.process.PID())
	limit := time.NewTimer(initLimit)
	defer limit.Stop()
	select {
	case <-b.ready:
		b.ready <- struct{}{}
	case <-b.process.Done():
	case o := <-b.posted: // the runtime reports that its init failed
		b.posted <- o
	case <-limit.C: // goes on inside the first invocation
	case <-s.ctx.Done():
	}
	b.initial, b.peak = time.Since(began), b.resident()
	return b, nil
}

// explain returns AWS's error for a bootstrap that cannot start, with advice if it was built for another architecture.
func explain(err error, bootstrap string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]") // AWS's text
	}
	var reason syscall.Errno
	if !errors.As(err, &reason) {
		return err
	}
	text := "fork/exec /var/task/bootstrap: " + reason.Error()
	if f, e := elf.Open(bootstrap); e == nil {
		text += fmt.Sprintf(" (it is built for %s, this machine is %s: build the function for the machine that localaws runs on)", f.Machine, runtime.GOARCH)
		_ = f.Close() // only read
	}
	return errors.New(text)
}

// environ is the function's environment.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func (s *Service) environ(f *function, api, stream, key, secret, token string) []string {
	env := []string{
		"_HANDLER=" + f.Handler,
		"LAMBDA_TASK_ROOT=" + f.task,
		"LAMBDA_RUNTIME_DIR=/var/runtime",
		"AWS_LAMBDA_FUNCTION_NAME=" + f.FunctionName,
		"AWS_LAMBDA_FUNCTION_VERSION=" + latest,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(f.MemorySize),
		"AWS_LAMBDA_LOG_GROUP_NAME=" + f.LoggingConfig.LogGroup,
		"AWS_LAMBDA_LOG_STREAM_NAME=" + stream,
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_RUNTIME_API=" + api,
		"AWS_REGION=" + s.acct.Region,
		"AWS_DEFAULT_REGION=" + s.acct.Region,
		"AWS_ACCESS_KEY_ID=" + key,
		"AWS_SECRET_ACCESS_KEY=" + secret,
		"AWS_SESSION_TOKEN=" + token,
		"AWS_XRAY_CONTEXT_MISSING=LOG_ERROR",
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
		"PATH=/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"LD_LIBRARY_PATH=/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:" + f.task + ":" + f.task + "/lib:/opt/lib",
		"AWS_ENDPOINT_URL=" + s.Endpoint(), // the only one that AWS does not set
	}
	if f.LoggingConfig.LogFormat == "JSON" {
		env = append(env, "AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_LAMBDA_LOG_LEVEL="+*f.LoggingConfig.ApplicationLogLevel)
	}
	for k, v := range f.environment {
		env = append(env, k+"="+v)
	}
	return env
}

// usable reports whether the process is alive and its credentials last for another invocation.
func (b *sandbox) usable(now time.Time) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.process.PID())) // Done comes a little after the end
	if err != nil || strings.Contains(string(stat), ") Z ") {
		return false
	}
	return now.Add(time.Duration(b.spec.Timeout)*time.Second + time.Minute).Before(b.expires)
}

// run handles one invocation; reusable is whether the environment can take another one.
func (b *sandbox) run(inv invocation) (out outcome, reusable bool) {
	began := time.Now()
	timeout := time.Duration(b.spec.Timeout) * time.Second
	b.output.begin()
	b.output.system(b.service.acct.Clock.Now(), "START", "platform.start", "RequestId: "+inv.id+" Version: "+latest, map[string]any{"requestId": inv.id, "version": latest})
	b.mu.Lock()
	b.current, b.until = inv, began.Add(timeout)
	b.mu.Unlock()
	var status string
	if b.broken != nil {
		out, status = failure(entrypoint, "RequestId: %s Error: %v", inv.id, b.broken), "error"
	} else {
		out, status = b.handle(inv, timeout)
	}
	reusable = status == "success" || status == "failure"
	took := time.Since(began)
	b.peak = max(b.peak, b.resident())
	if !reusable {
		b.stop()
	}
	b.output.flush()
	now := b.service.acct.Clock.Now()
	kind, message := "", ""
	if out.failed() {
		kind, message = explanation(out.payload)
	}
	switch {
	case status == "timeout":
		b.output.put(now, fmt.Sprintf("%s %s Task timed out after %.2f seconds\n\n", now.UTC().Format("2006-01-02T15:04:05.000Z"), inv.id, timeout.Seconds()))
	case kind == exitError || kind == entrypoint:
		b.output.put(now, message+"\n"+kind+"\n")
	}
	b.report(now, inv.id, status, out, min(took, timeout))
	b.initial = 0
	out.log = b.output.tail()
	return out, reusable
}

// handle passes the event to the process and waits for the outcome: success, failure (the handler's own
// error), error (the process ended) or timeout.
func (b *sandbox) handle(inv invocation, timeout time.Duration) (out outcome, status string) {
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	done := b.process.Done()
	var give chan invocation // set while the runtime waits for the event
	given, answered := false, false
	for {
		select {
		case <-b.ready:
			switch {
			case answered: // and asks for the next event: the invocation is over
				b.ready <- struct{}{}
				return out, status
			case !given:
				give = b.events
			default: // it asks after it has answered; neither must be lost if both arrive at once
				select {
				case out = <-b.posted:
					b.ready <- struct{}{}
					return out, result(out)
				default: // it lost its connection, and asks again for its current event
				}
			}
		case give <- inv:
			give, given = nil, true
		case out = <-b.posted:
			answered, status = true, result(out)
		case <-done:
			select {
			case out = <-b.posted: // its last words
				answered = true
			default:
			}
			if answered {
				return out, "error"
			}
			return failure(exitError, "RequestId: %s Error: %s", inv.id, exit(b.process.ExitCode())), "error"
		case <-limit.C:
			return failure("Sandbox.Timedout", "RequestId: %s Error: Task timed out after %.2f seconds", inv.id, timeout.Seconds()), "timeout"
		case <-b.service.ctx.Done():
			return failure("Sandbox.Failure", "RequestId: %s Error: %v", inv.id, errClosed), "error"
		}
	}
}

// result is the status of an invocation that was answered.
func result(out outcome) string {
	if out.failed() {
		return "failure"
	}
	return "success"
}

func exit(code int) string {
	switch {
	case code == 0:
		return "Runtime exited without providing a reason"
	case code > 128 && code < 128+65:
		return "Runtime exited with error: signal: " + syscall.Signal(code-128).String()
	}
	return fmt.Sprintf("Runtime exited with error: exit status %d", code)
}

// report writes END and REPORT.
func (b *sandbox) report(now time.Time, id, status string, out outcome, took time.Duration) {
	b.output.system(now, "END", "", "RequestId: "+id, nil)
	ms := float64(took.Microseconds()) / 1000
	// Init time is billed too since August 2025: https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
	billed := (took + b.initial + time.Millisecond - 1).Milliseconds()
	peak := (b.peak + 1<<20 - 1) >> 20
	text := fmt.Sprintf("RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t", id, ms, billed, b.spec.MemorySize, peak)
	metrics := map[string]any{"durationMs": ms, "billedDurationMs": billed, "memorySizeMB": b.spec.MemorySize, "maxMemoryUsedMB": peak}
	if b.initial > 0 {
		initial := float64(b.initial.Microseconds()) / 1000
		text += fmt.Sprintf("Init Duration: %.2f ms\t", initial)
		metrics["initDurationMs"] = initial
	}
	record := map[string]any{"requestId": id, "status": status, "metrics": metrics}
	switch status {
	case "timeout":
		text += "Status: timeout"
	case "error":
		kind, _ := explanation(out.payload)
		text += "Status: error\tError Type: " + kind
		record["errorType"] = kind
	}
	b.output.system(now, "REPORT", "platform.report", text, record)
}

// resident is the process's peak resident memory, in bytes.
func (b *sandbox) resident() int64 {
	if b.process == nil {
		return 0
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.process.PID()))
	if err != nil {
		return 0 // it has ended
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// stop ends the process and everything it started.
func (b *sandbox) stop() {
	if b.process != nil {
		b.process.Kill()
	}
}

// end removes the environment and waits until it is gone.
func (b *sandbox) end() {
	if b.service == nil { // was never started
		return
	}
	b.ended.Do(func() {
		b.service.mu.Lock()
		delete(b.service.live, b.key)
		b.service.mu.Unlock()
		b.stop()
		_ = b.server.Close() // its only client is gone
		b.output.close()
	})
}

// Caller returns a function that kills (SIGKILL) the process of the environment with these credentials and waits for its end; nil if there is none.
func (s *Service) Caller(accessKey string) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.live[accessKey]; b != nil {
		return b.stop
	}
	return nil
}

// PIDs lists the processes of a function's idle environments: for tests that end them.
func (s *Service) PIDs(functionName string) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []int
	if f := s.functions[functionName]; f != nil {
		for _, b := range f.idle {
			out = append(out, b.process.PID())
		}
	}
	return out
}
