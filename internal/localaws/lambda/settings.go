package lambda

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// settings is what CreateFunction and UpdateFunctionConfiguration share.
type settings struct {
	Runtime, Role, Handler, Description *string
	Timeout, MemorySize                 *int
	Environment                         *environmentVariables
	DeadLetterConfig                    *deadLetterConfig
	TracingConfig                       *struct{ Mode *string }
	Architectures                       []string
	EphemeralStorage                    *struct{ Size *int }
	LoggingConfig                       *struct{ LogFormat, ApplicationLogLevel, SystemLogLevel, LogGroup *string }
	SnapStart                           *struct{ ApplyOn *string }
	VpcConfig                           *vpcConfig
	KMSKeyArn                           *string
	Layers                              []string
	FileSystemConfigs                   []struct{ Arn, LocalMountPath *string }
	ImageConfig                         *struct {
		EntryPoint, Command []string
		WorkingDirectory    *string
	}
}

// Limits: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	maxEnvironment = 4 << 10   // bytes of the variables as JSON
	maxZip         = 50 << 20  // bytes, uploaded directly
	maxUnzipped    = 250 << 20 // bytes
)

var (
	roleARN      = regexp.MustCompile(`^arn:aws:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$`)
	variableName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]+$`)
	logGroupName = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)
	handlerName  = regexp.MustCompile(`^\S{1,128}$`)
)

// reservedVariables cannot be set; https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
var reservedVariables = strings.Fields("_HANDLER _X_AMZN_TRACE_ID AWS_DEFAULT_REGION AWS_REGION AWS_EXECUTION_ENV AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_MEMORY_SIZE " +
	"AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY " +
	"AWS_SESSION_TOKEN AWS_LAMBDA_RUNTIME_API LAMBDA_TASK_ROOT LAMBDA_RUNTIME_DIR")

func bound(member string, value, least, most int) error {
	word, limit := "greater", least
	if value > most {
		word, limit = "less", most
	}
	return wire.Errorf(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value %s than or equal to %d", value, member, word, limit)
}

func enum(member, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return wire.Errorf(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]", value, member, strings.Join(allowed, ", "))
}

func checkArchitectures(a []string) error {
	if len(a) != 1 {
		return wire.Errorf(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value '%v' at 'architectures' failed to satisfy constraint: Member must have length less than or equal to 1", a)
	}
	return enum("architectures", a[0], "x86_64", "arm64")
}

// https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html
var tagRules = tagset.Rules{Refuse: func(p tagset.Problem, t tagset.Tag) error {
	if p == tagset.TooMany {
		return invalid("A function cannot have more than 50 tags.")
	}
	return invalid("Tag %q: keys have 1 to 128 characters and do not begin with aws:, values at most 256", t.Key)
}}

// apply validates what a request sets and puts it into f.
func (s *Service) apply(f *function, in settings) error {
	switch {
	case in.VpcConfig != nil && len(in.VpcConfig.SubnetIds)+len(in.VpcConfig.SecurityGroupIds) > 0:
		return unserved("VpcConfig")
	case in.KMSKeyArn != nil && *in.KMSKeyArn != "":
		return unserved("KMSKeyArn")
	case len(in.Layers) > 0:
		return unserved("Layers")
	case len(in.FileSystemConfigs) > 0:
		return unserved("FileSystemConfigs")
	case in.ImageConfig != nil:
		return unserved("ImageConfig")
	case in.SnapStart != nil && in.SnapStart.ApplyOn != nil && *in.SnapStart.ApplyOn != "None":
		return unserved("SnapStart")
	case in.Runtime != nil && *in.Runtime != "provided.al2023":
		return unserved("runtime " + *in.Runtime + ", only provided.al2023")
	case in.Handler != nil && !handlerName.MatchString(*in.Handler):
		return wire.Errorf(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value '%s' at 'handler' failed to satisfy constraint: Member must satisfy regular expression pattern: [^\\s]+", *in.Handler)
	case in.Description != nil && len(*in.Description) > 256:
		return wire.Errorf(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 256")
	case in.Timeout != nil && (*in.Timeout < 1 || *in.Timeout > 900):
		return bound("timeout", *in.Timeout, 1, 900)
	case in.MemorySize != nil && (*in.MemorySize < 128 || *in.MemorySize > 10240):
		return bound("memorySize", *in.MemorySize, 128, 10240)
	}
	set(&f.Runtime, in.Runtime)
	set(&f.Handler, in.Handler)
	set(&f.Description, in.Description)
	set(&f.Timeout, in.Timeout)
	set(&f.MemorySize, in.MemorySize)
	sum := sha256.Sum256([]byte(f.Runtime))
	f.RuntimeVersionConfig.RuntimeVersionArn = "arn:aws:lambda:" + s.acct.Region + "::runtime:" + hex.EncodeToString(sum[:])
	if in.Architectures != nil {
		if err := checkArchitectures(in.Architectures); err != nil {
			return err
		}
		f.Architectures = in.Architectures
	}
	if e := in.EphemeralStorage; e != nil && e.Size != nil {
		if *e.Size < 512 || *e.Size > 10240 {
			return bound("ephemeralStorage.size", *e.Size, 512, 10240)
		}
		f.EphemeralStorage.Size = *e.Size
	}
	if t := in.TracingConfig; t != nil && t.Mode != nil {
		if err := enum("tracingConfig.mode", *t.Mode, "Active", "PassThrough"); err != nil {
			return err
		}
		if *t.Mode == "Active" {
			return unserved("tracing with X-Ray")
		}
		f.TracingConfig.Mode = *t.Mode
	}
	if err := applyLogging(f, in); err != nil {
		return err
	}
	if in.Environment != nil {
		if err := checkEnvironment(in.Environment.Variables); err != nil {
			return err
		}
		f.environment = maps.Clone(in.Environment.Variables)
		f.Environment = nil
		if len(f.environment) > 0 {
			f.Environment = &environmentVariables{f.environment}
		}
	}
	if in.Role != nil {
		if !roleARN.MatchString(*in.Role) {
			return wire.Errorf(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value '%s' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+", *in.Role)
		}
		if !s.IAM.TrustsFor(*in.Role, "lambda.amazonaws.com", f.FunctionArn) {
			return invalid("The role defined for the function cannot be assumed by Lambda.")
		}
		f.Role = *in.Role
	}
	if d := in.DeadLetterConfig; d != nil {
		f.DeadLetterConfig = nil
		if d.TargetArn != nil && *d.TargetArn != "" {
			action, word := destinationAction(*d.TargetArn)
			if action == "" {
				return invalid("The dead letter target %s is neither an SQS queue nor an SNS topic", *d.TargetArn)
			}
			if !s.IAM.Allowed(f.Role, action, *d.TargetArn, nil) {
				return invalid("The provided execution role does not have permissions to call %s on %s", word, strings.ToUpper(action[:3]))
			}
			f.DeadLetterConfig = d
		}
	}
	return nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// applyLogging: https://docs.aws.amazon.com/lambda/latest/api/API_LoggingConfig.html
func applyLogging(f *function, in settings) error {
	l := in.LoggingConfig
	if l == nil {
		return nil
	}
	next := f.LoggingConfig
	set(&next.LogFormat, l.LogFormat)
	if err := enum("loggingConfig.logFormat", next.LogFormat, "JSON", "Text"); err != nil {
		return err
	}
	if l.LogGroup != nil && *l.LogGroup != "" {
		if !logGroupName.MatchString(*l.LogGroup) {
			return wire.Errorf(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value '%s' at 'loggingConfig.logGroup' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+", *l.LogGroup)
		}
		next.LogGroup = *l.LogGroup
	}
	if next.LogFormat == "Text" {
		if l.ApplicationLogLevel != nil && *l.ApplicationLogLevel != "" || l.SystemLogLevel != nil && *l.SystemLogLevel != "" {
			return invalid("To use log level controls, you must use the JSON log format.")
		}
		next.ApplicationLogLevel, next.SystemLogLevel = nil, nil
		f.LoggingConfig = next
		return nil
	}
	info := "INFO"
	for _, level := range []struct {
		to   **string
		from *string
		name string
		of   []string
	}{
		{&next.ApplicationLogLevel, l.ApplicationLogLevel, "applicationLogLevel", []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}},
		{&next.SystemLogLevel, l.SystemLogLevel, "systemLogLevel", []string{"DEBUG", "INFO", "WARN"}},
	} {
		if level.from != nil && *level.from != "" {
			if err := enum("loggingConfig."+level.name, *level.from, level.of...); err != nil {
				return err
			}
			*level.to = level.from
		} else if *level.to == nil {
			*level.to = &info
		}
	}
	f.LoggingConfig = next
	return nil
}

func checkEnvironment(variables map[string]string) error {
	var taken []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if slices.Contains(reservedVariables, name) {
			taken = append(taken, name)
		} else if !variableName.MatchString(name) {
			return wire.Errorf(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]: %s", name)
		}
	}
	const unable = "Lambda was unable to configure your environment variables because the environment variables you have provided "
	if len(taken) > 0 {
		return invalid(unable+"contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", strings.Join(taken, ", "))
	}
	if b, _ := json.Marshal(variables); len(b) > maxEnvironment { // a map of strings always encodes
		return invalid(unable+"exceeded the 4KB limit. String measured: %s", b)
	}
	return nil
}

// unzip puts the code of a function into a new folder.
func (s *Service) unzip(name string, archive []byte) (_ string, err error) {
	broken := invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return "", broken
	}
	dir := filepath.Join(s.acct.Dir, "lambda", name, account.NewID(12))
	if err := errors.Join(s.clean(), os.MkdirAll(dir, 0o755)); err != nil {
		return "", fmt.Errorf("code of function %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir) // the error is what matters
		}
	}()
	left := int64(maxUnzipped)
	for _, e := range z.File {
		path := strings.TrimSuffix(e.Name, "/")
		if !fs.ValidPath(path) || e.Mode()&fs.ModeSymlink != 0 {
			return "", broken
		}
		if e.Mode().IsDir() {
			if err := os.MkdirAll(filepath.Join(dir, path), 0o755); err != nil {
				return "", err
			}
			continue
		}
		n, err := extract(e, filepath.Join(dir, path), left)
		if err != nil {
			return "", broken
		}
		if left -= n; left < 0 {
			return "", invalid("Unzipped size must be smaller than %d bytes", maxUnzipped)
		}
	}
	return dir, nil
}

// extract writes one file, at most one byte more than left.
func extract(e *zip.File, path string, left int64) (int64, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return 0, err
	}
	in, err := e.Open()
	if err != nil {
		return 0, err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, e.Mode().Perm()|0o400)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, io.LimitReader(in, left+1))
	if closed := out.Close(); err == nil {
		err = closed
	}
	return n, err
}
