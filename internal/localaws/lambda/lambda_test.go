package lambda_test

import (
	"archive/zip"
	"bytes"
	"debug/elf"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

func TestFunctionLife(t *testing.T) {
	w := start(t)
	made, err := w.create(t, func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"CONFIG": `{"a":1}`}}
		in.Tags = map[string]string{"run": "r"}
	})
	require.NoError(t, err)
	require.Equal(t, types.StatePending, made.State)
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$`, *made.LastModified)
	require.Equal(t, "arn:aws:lambda:us-east-1:123456789012:function:fn", *made.FunctionArn)

	for _, name := range []string{"fn", "fn:$LATEST", *made.FunctionArn, "123456789012:function:fn"} {
		got, err := w.GetFunction(t.Context(), &sdk.GetFunctionInput{FunctionName: &name})
		require.NoError(t, err, name)
		c := got.Configuration
		require.Equal(t, types.StateActive, c.State)
		require.Equal(t, types.LastUpdateStatusSuccessful, c.LastUpdateStatus)
		require.Equal(t, *made.CodeSha256, *c.CodeSha256)
		require.Equal(t, int32(128), *c.MemorySize)
		require.Equal(t, []types.Architecture{types.ArchitectureX8664}, c.Architectures)
		require.Equal(t, "/aws/lambda/fn", *c.LoggingConfig.LogGroup)
		require.Equal(t, types.LogFormatText, c.LoggingConfig.LogFormat)
		require.Equal(t, map[string]string{"CONFIG": `{"a":1}`}, c.Environment.Variables)
		require.Equal(t, map[string]string{"run": "r"}, got.Tags)
	}
	versions, err := w.ListVersionsByFunction(t.Context(), &sdk.ListVersionsByFunctionInput{FunctionName: aws.String("fn")})
	require.NoError(t, err)
	require.Equal(t, *made.FunctionArn+":$LATEST", *versions.Versions[0].FunctionArn)
	signing, err := w.GetFunctionCodeSigningConfig(t.Context(), &sdk.GetFunctionCodeSigningConfigInput{FunctionName: aws.String("fn")})
	require.NoError(t, err)
	require.Nil(t, signing.CodeSigningConfigArn)

	updated, err := w.UpdateFunctionConfiguration(t.Context(), &sdk.UpdateFunctionConfigurationInput{FunctionName: aws.String("fn"), MemorySize: aws.Int32(512),
		LoggingConfig: &types.LoggingConfig{LogFormat: types.LogFormatJson}, Environment: &types.Environment{Variables: map[string]string{}}})
	require.NoError(t, err)
	require.Equal(t, types.LastUpdateStatusInProgress, updated.LastUpdateStatus)
	require.Equal(t, types.ApplicationLogLevelInfo, updated.LoggingConfig.ApplicationLogLevel)
	require.Nil(t, updated.Environment)
	require.Equal(t, int32(900), *updated.Timeout)
	require.NotEqual(t, *made.RevisionId, *updated.RevisionId)
	changed, err := w.UpdateFunctionCode(t.Context(), &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("fn"), ZipFile: archive(t, "#!/bin/sh\n"), Architectures: []types.Architecture{types.ArchitectureArm64}})
	require.NoError(t, err)
	require.NotEqual(t, *made.CodeSha256, *changed.CodeSha256)
	_, err = w.UpdateFunctionCode(t.Context(), &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("fn"), ZipFile: archive(t, ""), RevisionId: made.RevisionId})
	require.Contains(t, code(err), "PreconditionFailedException")

	w.service.Settling = time.Hour
	_, err = w.UpdateFunctionConfiguration(t.Context(), &sdk.UpdateFunctionConfigurationInput{FunctionName: aws.String("fn"), Timeout: aws.Int32(1)})
	require.Contains(t, code(err), "ResourceConflictException: The operation cannot be performed at this time.")
	_, err = w.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("fn")})
	require.Contains(t, code(err), "currently in the following state: Pending")
	w.service.Settling = 0

	_, err = w.TagResource(t.Context(), &sdk.TagResourceInput{Resource: made.FunctionArn, Tags: map[string]string{"b": "2"}})
	require.NoError(t, err)
	_, err = w.UntagResource(t.Context(), &sdk.UntagResourceInput{Resource: made.FunctionArn, TagKeys: []string{"run"}})
	require.NoError(t, err)
	tags, err := w.ListTags(t.Context(), &sdk.ListTagsInput{Resource: made.FunctionArn})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"b": "2"}, tags.Tags)

	_, err = w.create(t, nil)
	require.Equal(t, "ResourceConflictException: Function already exist: fn", code(err))
	_, err = w.DeleteFunction(t.Context(), &sdk.DeleteFunctionInput{FunctionName: aws.String("fn")})
	require.NoError(t, err)
	_, err = w.GetFunction(t.Context(), &sdk.GetFunctionInput{FunctionName: aws.String("fn")})
	require.Equal(t, "ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:fn", code(err))
}

func TestCreateIsStrict(t *testing.T) {
	w := start(t)
	for want, change := range map[string]func(*sdk.CreateFunctionInput){
		"InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda.": func(in *sdk.CreateFunctionInput) { in.Role = aws.String(role + "2") },
		"ValidationException: 1 validation error detected: Value '127' at 'memorySize'":                  func(in *sdk.CreateFunctionInput) { in.MemorySize = aws.Int32(127) },
		"ValidationException: 1 validation error detected: Value '901' at 'timeout'":                     func(in *sdk.CreateFunctionInput) { in.Timeout = aws.Int32(901) },
		"ValidationException: 1 validation error detected: Value '511' at 'ephemeralStorage.size'":       func(in *sdk.CreateFunctionInput) { in.EphemeralStorage = &types.EphemeralStorage{Size: aws.Int32(511)} },
		"ValidationException: 1 validation error detected: Value 'a b' at 'functionName'":                func(in *sdk.CreateFunctionInput) { in.FunctionName = aws.String("a b") },
		"ValidationException: 1 validation error detected: Value 'mips' at 'architectures'":              func(in *sdk.CreateFunctionInput) { in.Architectures = []types.Architecture{"mips"} },
		"InvalidParameterValueException: Could not unzip uploaded file.":                                 func(in *sdk.CreateFunctionInput) { in.Code.ZipFile = []byte("zip?") },
		"InvalidParameterValueException: Runtime and Handler are mandatory":                              func(in *sdk.CreateFunctionInput) { in.Handler = nil },
		"InvalidParameterValueException: localaws does not serve runtime python3.12":                     func(in *sdk.CreateFunctionInput) { in.Runtime = types.RuntimePython312 },
		"exceeded the 4KB limit": func(in *sdk.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"BIG": strings.Repeat("x", 4096)}}
		},
		"Reserved keys used in this request: AWS_REGION": func(in *sdk.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"AWS_REGION": "x"}}
		},
		"you must use the JSON log format": func(in *sdk.CreateFunctionInput) {
			in.LoggingConfig = &types.LoggingConfig{LogFormat: types.LogFormatText, SystemLogLevel: types.SystemLogLevelWarn}
		},
		"localaws does not serve VpcConfig": func(in *sdk.CreateFunctionInput) { in.VpcConfig = &types.VpcConfig{SubnetIds: []string{"subnet-1"}} },
		"does not have permissions to call SendMessage on SQS": func(in *sdk.CreateFunctionInput) {
			w.deny("sqs:SendMessage")
			in.DeadLetterConfig = &types.DeadLetterConfig{TargetArn: aws.String("arn:aws:sqs:us-east-1:123456789012:q")}
		},
	} {
		_, err := w.create(t, change)
		require.Contains(t, code(err), want)
	}
	left, err := os.ReadDir(w.acct.Dir + "/lambda/fn")
	require.True(t, err != nil || len(left) == 0, "%v", left)
}

func TestInvoke(t *testing.T) {
	w := start(t)
	_, err := w.create(t, func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"CONFIG": "{}"}}
	})
	require.NoError(t, err)
	out := w.invoke(t, `{"Do":"environment"}`)
	require.Nil(t, out.FunctionError)
	require.Equal(t, "$LATEST", *out.ExecutedVersion)
	var env []string
	require.NoError(t, json.Unmarshal(out.Payload, &env))
	for _, want := range []string{"AWS_LAMBDA_FUNCTION_NAME=fn", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "_HANDLER=bootstrap", "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=ASIAEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_SESSION_TOKEN=token", "AWS_ENDPOINT_URL=http://127.0.0.1:1", "CONFIG={}", "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/fn"} {
		require.Contains(t, env, want)
	}
	require.False(t, slices.ContainsFunc(env, func(s string) bool { return strings.HasPrefix(s, "HOME=") }), "nothing of this process's environment: %q", env)

	// A page whose name was rebound to this machine cannot speak for the function.
	i := slices.IndexFunc(env, func(s string) bool { return strings.HasPrefix(s, "AWS_LAMBDA_RUNTIME_API=") })
	page, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+strings.TrimPrefix(env[i], "AWS_LAMBDA_RUNTIME_API=")+"/2018-06-01/runtime/invocation/next", nil)
	require.NoError(t, err)
	page.Host = "rebound.example.com"
	refused, err := http.DefaultClient.Do(page)
	require.NoError(t, err)
	require.NoError(t, refused.Body.Close())
	require.Equal(t, http.StatusForbidden, refused.StatusCode)

	type answer struct {
		ID, ARN    string
		Left       float64
		PID, Calls int
		Client     map[string]string
	}
	var a answer
	client := base64.StdEncoding.EncodeToString([]byte(`{"custom":{"k":"v"}}`))
	_, err = w.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("fn"), ClientContext: aws.String(strings.Repeat("e30=", 896))})
	require.ErrorContains(t, err, "at most 3583 bytes")
	out, err = w.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("fn"), Payload: []byte(`{"Do":"context"}`), ClientContext: &client, LogType: types.LogTypeTail})
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(out.Payload, &a))
	require.Equal(t, "arn:aws:lambda:us-east-1:123456789012:function:fn", a.ARN)
	require.True(t, 0 < a.Left && a.Left <= 900, "%g s left of its timeout", a.Left)
	require.Equal(t, 2, a.Calls, "the environment was reused")
	require.Equal(t, "v", a.Client["k"])
	require.Equal(t, []int{a.PID}, w.service.PIDs("fn"))
	tail, err := base64.StdEncoding.DecodeString(*out.LogResult)
	require.NoError(t, err)
	require.Regexp(t, `^START RequestId: `+a.ID+` Version: \$LATEST\ndoing context\nEND RequestId: `+a.ID+`\nREPORT RequestId: `+a.ID+`\tDuration: [\d.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: [1-9]\d* MB\t\n$`, string(tail))
	require.Contains(t, w.log(), "INIT_START Runtime Version: provided:al2023")
	require.Contains(t, w.log(), "Init Duration: ")
	require.Regexp(t, `^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$`, w.streams[0])
	require.Equal(t, 2.0, w.metric("fn Invocations Count"))
	require.Equal(t, 0.0, w.metric("fn Errors Count"))
	require.Positive(t, w.metric("fn Duration Milliseconds"))

	// Side by side: an environment each.
	var wg sync.WaitGroup
	meet, err := json.Marshal(map[string]any{"Do": "meet", "Meet": 3, "Dir": t.TempDir()})
	require.NoError(t, err)
	for range 3 {
		wg.Go(func() { w.invoke(t, string(meet)) })
	}
	wg.Wait()
	require.Len(t, w.service.PIDs("fn"), 3)

	// An environment whose process was killed meanwhile is replaced; new code gets a new one.
	before := w.service.PIDs("fn")
	for _, pid := range before {
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	wiretest.Until(t, "the killed are dead", func() (any, bool) { return before, nobody(before) })
	require.Equal(t, `"hello"`, string(w.invoke(t, `{"Do":"hello"}`).Payload))
	after := w.service.PIDs("fn")
	_, err = w.UpdateFunctionCode(t.Context(), &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("fn"), ZipFile: archive(t, "")})
	require.NoError(t, err)
	wiretest.Until(t, "the old code's environment ends", func() (any, bool) { return after, nobody(after) })
	require.Equal(t, `"hello"`, string(w.invoke(t, `{"Do":"hello"}`).Payload))
	last := w.service.PIDs("fn")
	require.Len(t, last, 1)
	require.NoError(t, w.service.Close())
	require.True(t, nobody(last))
}

// nobody says that none of the processes runs; one that waits for init to reap it does not.
func nobody(pids []int) bool {
	return !slices.ContainsFunc(pids, func(pid int) bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err == nil && !strings.Contains(string(b), ") Z ")
	})
}

func TestFailures(t *testing.T) {
	w := start(t)
	_, err := w.create(t, nil)
	require.NoError(t, err)
	timeout := func(seconds int32) {
		_, err := w.UpdateFunctionConfiguration(t.Context(), &sdk.UpdateFunctionConfigurationInput{FunctionName: aws.String("fn"), Timeout: &seconds})
		require.NoError(t, err)
	}
	for _, c := range []struct{ do, payload, log string }{
		{"fail", `^{"errorMessage":"as told","errorType":"errorString"}$`, `REPORT .*MB\t(Init Duration: .*\t)?\n$`},
		{"panic", `^{"errorMessage":"as told","errorType":"string"`, `REPORT .*Status: error\tError Type: string\n$`},
		{"exit", `^{"errorType":"Runtime.ExitError","errorMessage":"RequestId: \S+ Error: Runtime exited with error: exit status 7"}$`, `last words\nRequestId: \S+ Error: Runtime exited with error: exit status 7\nRuntime.ExitError\nEND .*\nREPORT .*Error Type: Runtime.ExitError\n$`},
		{"hang", `^{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: \S+ Error: Task timed out after 1.00 seconds"}$`, `\S+Z \S+ Task timed out after 1.00 seconds\n\nEND .*\nREPORT .*Status: timeout\n$`},
		{"big", `^{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size \(7340034 bytes\) exceeded maximum allowed payload size \(6291556 bytes\)."}$`, ``},
	} {
		if c.do == "hang" {
			timeout(1)
		}
		out := w.invoke(t, `{"Do":"`+c.do+`"}`)
		timeout(900)
		require.NotNil(t, out.FunctionError, c.do)
		require.Equal(t, "Unhandled", *out.FunctionError)
		require.Regexp(t, c.payload, string(out.Payload))
		tail, err := base64.StdEncoding.DecodeString(*out.LogResult)
		require.NoError(t, err)
		require.Regexp(t, c.log, string(tail))
	}
	require.Equal(t, 5.0, w.metric("fn Errors Count"))
	require.Equal(t, `"well"`, string(w.invoke(t, `{"Do":"well"}`).Payload))

	for _, c := range []struct{ script, want string }{
		{"#!/bin/sh\nexit 5\n", `"Runtime.ExitError".*exit status 5`},
		{"#!/bin/sh\nkill -KILL $$\n", `"Runtime.ExitError".*signal: killed`},
		{"not a program", `"Runtime.InvalidEntrypoint".*fork/exec /var/task/bootstrap: exec format error"`},
		{foreign(), `"Runtime.InvalidEntrypoint".*exec format error \(it is built for EM_\w+, this machine is \w+: build the function for the machine`},
	} {
		_, err := w.UpdateFunctionCode(t.Context(), &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("fn"), ZipFile: archive(t, c.script)})
		require.NoError(t, err)
		require.Regexp(t, c.want, string(w.invoke(t, `{}`).Payload))
	}
	var b bytes.Buffer
	require.NoError(t, zip.NewWriter(&b).Close())
	_, err = w.UpdateFunctionCode(t.Context(), &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("fn"), ZipFile: b.Bytes()})
	require.NoError(t, err)
	require.Contains(t, string(w.invoke(t, `{}`).Payload), "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]")
}

// foreign is the head of a program for a machine that this is not.
func foreign() string {
	head := make([]byte, 64)
	copy(head, "\x7fELF\x02\x01\x01")
	head[16], head[18], head[20], head[52] = 2, byte(elf.EM_S390), 1, 64 // an executable; EM_S390; version 1; its own size
	return string(head)
}

func TestInvokeIsStrict(t *testing.T) {
	w := start(t)
	_, err := w.create(t, nil)
	require.NoError(t, err)
	invoke := func(kind types.InvocationType, payload string) (int32, string) {
		out, err := w.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("fn"), InvocationType: kind, Payload: []byte(payload)})
		if err != nil {
			return 0, code(err)
		}
		return out.StatusCode, ""
	}
	_, e := invoke("", "{")
	require.Contains(t, e, "InvalidRequestContentException: Could not parse request body into json")
	_, e = invoke("", `"`+strings.Repeat("x", 6<<20)+`"`)
	require.Contains(t, e, "RequestTooLargeException: Request must be smaller than 6291456 bytes")
	_, e = invoke(types.InvocationTypeEvent, `"`+strings.Repeat("x", 1<<20)+`"`)
	require.Contains(t, e, "RequestTooLargeException: Request must be smaller than 1048576 bytes")
	status, _ := invoke(types.InvocationTypeDryRun, "{}")
	require.Equal(t, int32(204), status)
	require.Empty(t, w.service.PIDs("fn"))

	_, err = w.PutFunctionConcurrency(t.Context(), &sdk.PutFunctionConcurrencyInput{FunctionName: aws.String("fn"), ReservedConcurrentExecutions: aws.Int32(901)})
	require.Contains(t, code(err), "below its minimum value of [100]")
	_, err = w.PutFunctionConcurrency(t.Context(), &sdk.PutFunctionConcurrencyInput{FunctionName: aws.String("fn"), ReservedConcurrentExecutions: aws.Int32(0)})
	require.NoError(t, err)
	_, e = invoke("", "{}")
	require.Equal(t, "TooManyRequestsException: Rate Exceeded.", e)
	require.Equal(t, 1.0, w.metric("fn Throttles Count"))
	_, err = w.DeleteFunctionConcurrency(t.Context(), &sdk.DeleteFunctionConcurrencyInput{FunctionName: aws.String("fn")})
	require.NoError(t, err)

	w.mu.Lock()
	w.roles = nil
	w.mu.Unlock()
	_, e = invoke("", "{}")
	require.Contains(t, e, "AccessDeniedException: The role defined for the function cannot be assumed by Lambda.")
}

func TestLogsNeedGroupAndPermission(t *testing.T) {
	for _, c := range []struct {
		group, denied string
		logged        bool
	}{{"/own/group", "", true}, {"/own/group", "logs:PutLogEvents", false}, {"/another", "", false}} {
		w := start(t)
		w.groups = []string{c.group}
		w.deny(c.denied)
		_, err := w.create(t, func(in *sdk.CreateFunctionInput) {
			in.LoggingConfig = &types.LoggingConfig{LogFormat: types.LogFormatJson, LogGroup: aws.String("/own/group")}
		})
		require.NoError(t, err)
		w.invoke(t, `{"Do":"x"}`)
		if !c.logged {
			require.Empty(t, w.log())
			continue
		}
		require.Regexp(t, `(?s)^{"time":"[^"]+Z","type":"platform.initStart".*\n{"time":"[^"]+","type":"platform.start","record":{"requestId":"[^"]+","version":"\$LATEST"}}\ndoing x\n{"time":"[^"]+","type":"platform.report","record":{"metrics":{.*"status":"success"}}\n$`, w.log())
		require.Regexp(t, `^\d{4}/\d\d/\d\d/fn\[\$LATEST\][0-9a-f]{32}$`, w.streams[0])
	}
}

func TestEvents(t *testing.T) {
	began := time.Now()
	w := start(t)
	_, err := w.create(t, nil)
	require.NoError(t, err)
	_, err = w.GetFunctionEventInvokeConfig(t.Context(), &sdk.GetFunctionEventInvokeConfigInput{FunctionName: aws.String("fn")})
	require.Equal(t, "ResourceNotFoundException: The function arn:aws:lambda:us-east-1:123456789012:function:fn:$LATEST doesn't have an EventInvokeConfig", code(err))
	queue, topic := "arn:aws:sqs:us-east-1:123456789012:failed", "arn:aws:sns:us-east-1:123456789012:done"
	config := &sdk.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("fn"), MaximumRetryAttempts: aws.Int32(3)}
	_, err = w.PutFunctionEventInvokeConfig(t.Context(), config)
	require.Contains(t, code(err), "Value '3' at 'maximumRetryAttempts'")
	config.MaximumRetryAttempts, config.MaximumEventAgeInSeconds = nil, aws.Int32(59)
	_, err = w.PutFunctionEventInvokeConfig(t.Context(), config)
	require.Contains(t, code(err), "Value '59' at 'maximumEventAgeInSeconds'")
	config.MaximumEventAgeInSeconds = aws.Int32(3600)
	config.DestinationConfig = &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: &queue}, OnSuccess: &types.OnSuccess{Destination: &topic}}
	w.deny("sqs:SendMessage")
	_, err = w.PutFunctionEventInvokeConfig(t.Context(), config)
	require.Equal(t, "InvalidParameterValueException: The function's execution role does not have permissions to call SendMessage on "+queue, code(err))
	w.deny()
	put, err := w.PutFunctionEventInvokeConfig(t.Context(), config)
	require.NoError(t, err)
	require.Equal(t, queue, *put.DestinationConfig.OnFailure.Destination)
	require.False(t, put.LastModified.Before(began.Truncate(time.Second)) || put.LastModified.After(time.Now()), "%s", put.LastModified)

	out, err := w.Invoke(t.Context(), &sdk.InvokeInput{FunctionName: aws.String("fn"), InvocationType: types.InvocationTypeEvent, Payload: []byte(`{"Do":"fail"}`)})
	require.NoError(t, err)
	require.Equal(t, int32(202), out.StatusCode)
	arn, body, _ := strings.Cut(<-w.sent, " ")
	require.Equal(t, queue, arn)
	require.Regexp(t, `^{"version":"1.0","timestamp":"[^"]+Z","requestContext":{"requestId":"[0-9a-f-]{36}","functionArn":"arn:aws:lambda:us-east-1:123456789012:function:fn:\$LATEST","condition":"RetriesExhausted","approximateInvokeCount":3},`+
		`"requestPayload":{"Do":"fail"},"responseContext":{"statusCode":200,"executedVersion":"\$LATEST","functionError":"Unhandled"},"responsePayload":{"errorMessage":"as told","errorType":"errorString"}}$`, body)
	require.Equal(t, 3.0, w.metric("fn Errors Count"))

	require.NoError(t, w.service.InvokeAsync("arn:aws:lambda:us-east-1:123456789012:function:fn", []byte(`{"Do":"x"}`)))
	arn, body, _ = strings.Cut(<-w.sent, " ")
	require.Equal(t, topic, arn)
	require.Contains(t, body, `"condition":"Success","approximateInvokeCount":1}`)
	require.Contains(t, code(w.service.InvokeAsync("arn:aws:lambda:us-east-1:123456789012:function:none", nil)), "ResourceNotFoundException")

	_, err = w.UpdateFunctionEventInvokeConfig(t.Context(), &sdk.UpdateFunctionEventInvokeConfigInput{FunctionName: aws.String("fn"), MaximumRetryAttempts: aws.Int32(0)})
	require.NoError(t, err)
	got, err := w.GetFunctionEventInvokeConfig(t.Context(), &sdk.GetFunctionEventInvokeConfigInput{FunctionName: aws.String("fn")})
	require.NoError(t, err)
	require.Equal(t, int32(3600), *got.MaximumEventAgeInSeconds)
	require.NoError(t, w.service.InvokeAsync("fn", []byte(`{"Do":"exit"}`)))
	_, body, _ = strings.Cut(<-w.sent, " ")
	require.Contains(t, body, `"approximateInvokeCount":1}`)
	require.Contains(t, body, "Runtime.ExitError")

	_, err = w.PutFunctionConcurrency(t.Context(), &sdk.PutFunctionConcurrencyInput{FunctionName: aws.String("fn"), ReservedConcurrentExecutions: aws.Int32(0)})
	require.NoError(t, err)
	require.NoError(t, w.service.InvokeAsync("fn", []byte(`{"Do":"x"}`)))
	_, body, _ = strings.Cut(<-w.sent, " ")
	require.Contains(t, body, `"condition":"ZeroReservedConcurrency","approximateInvokeCount":0}`)
	require.NotContains(t, body, "responseContext")
	_, err = w.DeleteFunctionEventInvokeConfig(t.Context(), &sdk.DeleteFunctionEventInvokeConfigInput{FunctionName: aws.String("fn")})
	require.NoError(t, err)
}

// An event whose retry waits does not hold Close up.
func TestCloseDropsWaitingEvents(t *testing.T) {
	w := start(t)
	w.service.RetryWaits = [2]time.Duration{time.Hour, time.Hour}
	_, err := w.create(t, nil)
	require.NoError(t, err)
	require.NoError(t, w.service.InvokeAsync("fn", []byte(`{"Do":"fail"}`)))
	require.NoError(t, w.service.InvokeAsync("fn", []byte(`{"Do":"hang"}`)))
	wiretest.Until(t, "one has failed, the other is at work", func() (any, bool) {
		return w.log(), w.metric("fn Errors Count") == 1 && strings.Contains(w.log(), "doing hang")
	})
	require.NoError(t, w.service.Close())
	require.Contains(t, code(w.service.InvokeAsync("fn", []byte(`{}`))), "closing")
}

func TestPolicy(t *testing.T) {
	w := start(t)
	made, err := w.create(t, nil)
	require.NoError(t, err)
	_, err = w.GetPolicy(t.Context(), &sdk.GetPolicyInput{FunctionName: aws.String("fn")})
	require.Equal(t, "ResourceNotFoundException: The resource you requested does not exist.", code(err))
	add := &sdk.AddPermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("events"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("events.amazonaws.com"), SourceArn: aws.String("arn:aws:events:us-east-1:123456789012:rule/r")}
	_, err = w.AddPermission(t.Context(), add)
	require.NoError(t, err)
	_, err = w.AddPermission(t.Context(), add)
	require.Contains(t, code(err), "ResourceConflictException: The statement id (events) provided already exists.")
	got, err := w.GetPolicy(t.Context(), &sdk.GetPolicyInput{FunctionName: aws.String("fn")})
	require.NoError(t, err)
	require.JSONEq(t, `{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"events","Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"lambda:InvokeFunction",
		"Resource":"`+*made.FunctionArn+`","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:events:us-east-1:123456789012:rule/r"}}}]}`, *got.Policy)
	_, err = w.RemovePermission(t.Context(), &sdk.RemovePermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("events")})
	require.NoError(t, err)
	_, err = w.RemovePermission(t.Context(), &sdk.RemovePermissionInput{FunctionName: aws.String("fn"), StatementId: aws.String("events")})
	require.Contains(t, code(err), "ResourceNotFoundException")
}
