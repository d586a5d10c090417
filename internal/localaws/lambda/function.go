package lambda

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// function is one function, $LATEST only.
type function struct {
	configuration
	tags        tagset.Set
	reserved    *int // concurrency
	policy      []statement
	policyRev   string
	events      *eventInvokeConfig
	task        string // folder with the unzipped code; a new one for each upload
	created     time.Time
	updated     time.Time // zero until there was an update
	idle        []*sandbox
	running     int
	environment map[string]string
}

// configuration is FunctionConfiguration; https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
type configuration struct {
	FunctionName, FunctionArn, Runtime, Role, Handler string
	CodeSize                                          int64
	Description                                       string
	Timeout, MemorySize                               int
	LastModified, CodeSha256, Version                 string
	Environment                                       *environmentVariables
	DeadLetterConfig                                  *deadLetterConfig
	TracingConfig                                     tracingConfig
	RevisionId                                        string
	State                                             string `wire:",omitempty"`
	StateReason, StateReasonCode                      *string
	LastUpdateStatus                                  *string
	PackageType                                       string
	Architectures                                     []string
	EphemeralStorage                                  ephemeralStorage
	SnapStart                                         snapStart
	RuntimeVersionConfig                              runtimeVersion
	LoggingConfig                                     loggingConfig
}

type (
	environmentVariables struct{ Variables map[string]string }
	deadLetterConfig     struct{ TargetArn *string }
	tracingConfig        struct{ Mode string }
	ephemeralStorage     struct{ Size int }
	snapStart            struct {
		ApplyOn            string
		OptimizationStatus string `wire:",omitempty"`
	}
	runtimeVersion struct{ RuntimeVersionArn string }
	loggingConfig  struct {
		LogFormat                           string
		ApplicationLogLevel, SystemLogLevel *string
		LogGroup                            string
	}
	vpcConfig struct {
		SubnetIds, SecurityGroupIds []string
		Ipv6AllowedForDualStack     *bool
	}
)

type functionIn struct {
	FunctionName string  `at:"uri"`
	Qualifier    *string `at:"query=Qualifier"`
}

// qualifier of a request, "" for none.
func (in functionIn) qualifier() string {
	if in.Qualifier == nil {
		return ""
	}
	return *in.Qualifier
}

func (s *Service) arn(name string) string { return s.acct.ARN("lambda", "function:"+name) }

// of runs do with the function that a request names; the service is locked.
func of[Out any](s *Service, in functionIn, do func(*function) (*Out, error)) (*Out, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(in.FunctionName, in.qualifier())
	if err != nil {
		return nil, err
	}
	return do(f)
}

type createFunctionIn struct {
	FunctionName         string `wire:",required"`
	Code                 code   `wire:",required"`
	Publish              bool
	PackageType          *string
	Tags                 map[string]string
	CodeSigningConfigArn *string
	settings
}

type code struct {
	ZipFile                          []byte
	S3Bucket, S3Key, S3ObjectVersion *string
	ImageUri                         *string
}

func (s *Service) createFunction(_ context.Context, in *createFunctionIn) (*configuration, error) {
	if m := reference.FindStringSubmatch(in.FunctionName); m == nil || m[5] != "" {
		return nil, wire.Errorf(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?", in.FunctionName)
	} else {
		in.FunctionName = m[4]
	}
	now := s.acct.Clock.Now()
	f := &function{created: now}
	f.configuration = configuration{FunctionName: in.FunctionName, FunctionArn: s.arn(in.FunctionName), Timeout: 3, MemorySize: 128, Version: latest,
		TracingConfig: tracingConfig{"PassThrough"}, PackageType: "Zip", Architectures: []string{"x86_64"}, EphemeralStorage: ephemeralStorage{512},
		SnapStart: snapStart{"None", "Off"}, LoggingConfig: loggingConfig{LogFormat: "Text", LogGroup: "/aws/lambda/" + in.FunctionName}}
	switch {
	case in.Publish:
		return nil, unserved("Publish: only $LATEST")
	case in.PackageType != nil && *in.PackageType != "Zip":
		return nil, unserved("PackageType " + *in.PackageType)
	case in.CodeSigningConfigArn != nil:
		return nil, unserved("CodeSigningConfigArn")
	case in.Runtime == nil || in.Handler == nil:
		return nil, invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	case in.Role == nil:
		return nil, wire.Errorf(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null")
	}
	var err error
	if f.tags, err = tagRules.Merge(nil, in.Tags); err != nil {
		return nil, err
	}
	s.mu.Lock()
	exists := s.functions[in.FunctionName] != nil
	s.mu.Unlock()
	if exists {
		return nil, conflict("Function already exist: %s", in.FunctionName)
	}
	if err := s.apply(f, in.settings); err != nil {
		return nil, err
	}
	if err := s.upload(f, in.Code); err != nil {
		return nil, err
	}
	f.touch(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.functions[in.FunctionName] != nil { // made meanwhile
		_ = os.RemoveAll(f.task)
		return nil, conflict("Function already exist: %s", in.FunctionName)
	}
	s.functions[in.FunctionName] = f
	// The answer is always Pending, as on AWS; https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
	return f.shown("Pending", "Successful"), nil
}

// upload unzips code into a new folder and records the folder in f.
func (s *Service) upload(f *function, c code) error {
	switch {
	case c.ImageUri != nil:
		return unserved("code from an image")
	case (c.S3Bucket == nil) != (c.S3Key == nil), c.S3ObjectVersion != nil && c.S3Key == nil:
		return invalid("Please provide both S3Bucket and S3Key.")
	case c.S3Bucket != nil && len(c.ZipFile) > 0:
		return invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case c.S3Bucket == nil && len(c.ZipFile) == 0:
		return invalid("Please provide a source for function code.")
	case len(c.ZipFile) > maxZip:
		return wire.Errorf(http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request must be smaller than %d bytes for the CreateFunction operation", maxZip*4/3)
	}
	archive := c.ZipFile
	if c.S3Bucket != nil {
		var err error
		if archive, err = s.fetch(c); err != nil {
			return err
		}
	}
	task, err := s.unzip(f.FunctionName, archive)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(archive)
	f.task, f.CodeSize, f.CodeSha256 = task, int64(len(archive)), base64.StdEncoding.EncodeToString(sum[:])
	return nil
}

// fetch reads the archive from a bucket in the function's own Region, as the caller, whose permissions were checked before. S3's errors get
// Lambda's wording. https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCode.html
func (s *Service) fetch(c code) ([]byte, error) {
	version := ""
	if c.S3ObjectVersion != nil {
		version = *c.S3ObjectVersion
	}
	archive, err := s.S3.Read(s.acct.ID, s.acct.Region, *c.S3Bucket, *c.S3Key, version)
	var e *wire.Error
	switch {
	case !errors.As(err, &e):
		return archive, err
	case e.Code == "AccessDenied":
		return nil, wire.Errorf(http.StatusForbidden, "AccessDeniedException", "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for %s/%s. S3 Error Code: %s. S3 Error Message: %s", *c.S3Bucket, *c.S3Key, e.Code, e.Message)
	}
	return nil, invalid("Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s", e.Code, e.Message)
}

// touch marks a change of the code or the configuration.
func (f *function) touch(now time.Time) {
	f.LastModified = now.UTC().Format("2006-01-02T15:04:05.000-0700")
	f.RevisionId = newUUID()
}

func (f *function) shown(state, update string) *configuration {
	c := f.configuration
	creating, reason := "Creating", "The function is being created."
	c.State = state
	if state == "Pending" {
		c.StateReason, c.StateReasonCode = &reason, &creating
		return &c
	}
	c.LastUpdateStatus = &update
	return &c
}

// now is the configuration with the current states.
func (s *Service) now(f *function) *configuration {
	now := s.acct.Clock.Now()
	state, update := "Active", "Successful"
	if now.Before(f.created.Add(s.Settling)) {
		state = "Pending"
	}
	if now.Before(f.updated.Add(s.Settling)) {
		update = "InProgress"
	}
	return f.shown(state, update)
}

// changeable refuses an update while another one settles.
func (s *Service) changeable(f *function, revision *string) error {
	if revision != nil && *revision != f.RevisionId {
		return wire.Errorf(http.StatusPreconditionFailed, "PreconditionFailedException", "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve the latest RevisionId")
	}
	switch c := s.now(f); {
	case c.State != "Active":
		return conflict("The operation cannot be performed at this time. The function is currently in the following state: %s", c.State)
	case *c.LastUpdateStatus != "Successful":
		return conflict("The operation cannot be performed at this time. An update is in progress for resource: %s", f.FunctionArn)
	}
	return nil
}

type getFunctionOut struct {
	Configuration *configuration
	Code          struct{ RepositoryType string } // Location would be a presigned URL of a bucket of AWS's
	Tags          map[string]string
	Concurrency   *concurrency
}

func (s *Service) getFunction(_ context.Context, in *functionIn) (*getFunctionOut, error) {
	return of(s, *in, func(f *function) (*getFunctionOut, error) {
		out := &getFunctionOut{Configuration: s.now(f)}
		out.Code.RepositoryType = "S3"
		if len(f.tags) > 0 {
			out.Tags = f.tags.Clone()
		}
		if f.reserved != nil {
			out.Concurrency = &concurrency{f.reserved}
		}
		return out, nil
	})
}

func (s *Service) getFunctionConfiguration(_ context.Context, in *functionIn) (*configuration, error) {
	return of(s, *in, func(f *function) (*configuration, error) { return s.now(f), nil })
}

type updateFunctionCodeIn struct {
	functionIn
	code
	Publish, DryRun *bool
	RevisionId      *string
	Architectures   []string
}

func (s *Service) updateFunctionCode(_ context.Context, in *updateFunctionCodeIn) (*configuration, error) {
	if in.Publish != nil && *in.Publish || in.DryRun != nil && *in.DryRun {
		return nil, unserved("Publish and DryRun of UpdateFunctionCode")
	}
	next, err := of(s, in.functionIn, func(f *function) (*function, error) {
		return &function{configuration: f.configuration}, s.changeable(f, in.RevisionId)
	})
	if err != nil {
		return nil, err
	}
	if in.Architectures != nil {
		if err := checkArchitectures(in.Architectures); err != nil {
			return nil, err
		}
		next.Architectures = in.Architectures
	}
	if err := s.upload(next, in.code); err != nil {
		return nil, err
	}
	return s.change(in.functionIn, in.RevisionId, func(f *function) error {
		f.task, f.CodeSize, f.CodeSha256, f.Architectures = next.task, next.CodeSize, next.CodeSha256, next.Architectures
		return nil
	})
}

type updateFunctionConfigurationIn struct {
	functionIn
	RevisionId *string
	settings
}

func (s *Service) updateFunctionConfiguration(_ context.Context, in *updateFunctionConfigurationIn) (*configuration, error) {
	if in.settings.Architectures != nil {
		return nil, unserved("Architectures of UpdateFunctionConfiguration: they are the code's")
	}
	return s.change(in.functionIn, in.RevisionId, func(f *function) error {
		next := *f
		if err := s.apply(&next, in.settings); err != nil {
			return err
		}
		f.configuration, f.environment = next.configuration, next.environment
		return nil
	})
}

// change updates a function and retires its idle environments. Busy ones are retired after their invocation.
func (s *Service) change(in functionIn, revision *string, do func(*function) error) (*configuration, error) {
	s.mu.Lock()
	f, err := s.find(in.FunctionName, in.qualifier())
	if err == nil {
		err = s.changeable(f, revision)
	}
	if err == nil {
		err = do(f)
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	f.updated = s.acct.Clock.Now()
	f.touch(f.updated)
	old := f.idle
	f.idle = nil
	out := f.shown("Active", "InProgress")
	s.mu.Unlock()
	for _, b := range old {
		b.end()
	}
	return out, nil
}

func (s *Service) deleteFunction(_ context.Context, in *functionIn) (*struct{}, error) {
	s.mu.Lock()
	f, err := s.find(in.FunctionName, in.qualifier())
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	if in.qualifier() == latest {
		s.mu.Unlock()
		return nil, invalid("$LATEST version cannot be deleted without deleting the function.")
	}
	delete(s.functions, f.FunctionName)
	old, busy := f.idle, f.running > 0
	f.idle = nil
	s.mu.Unlock()
	for _, b := range old {
		b.end()
	}
	if !busy {
		_ = os.RemoveAll(f.task) // the next start removes what is left
	}
	return &struct{}{}, nil
}

type listIn struct {
	FunctionName    string  `at:"uri"`
	MasterRegion    *string `at:"query=MasterRegion"`
	FunctionVersion *string `at:"query=FunctionVersion"`
	Marker          string  `at:"query=Marker"`
	MaxItems        *int    `at:"query=MaxItems"`
}

// listed leaves out what only GetFunction tells.
func (s *Service) listed(f *function) *configuration {
	c := f.configuration
	c.State = ""
	return &c
}

type listVersionsOut struct {
	Versions   []*configuration
	NextMarker *string
}

func (s *Service) listVersionsByFunction(_ context.Context, in *listIn) (*listVersionsOut, error) {
	return of(s, functionIn{FunctionName: in.FunctionName}, func(f *function) (*listVersionsOut, error) {
		c := s.listed(f)
		c.FunctionArn += ":" + latest
		return &listVersionsOut{Versions: []*configuration{c}}, nil
	})
}

// codeSigningOut has no ARN for a function without such a configuration. AWS's model requires one, but AWS answers like this.
type codeSigningOut struct {
	FunctionName         string
	CodeSigningConfigArn *string
}

func (s *Service) getFunctionCodeSigningConfig(_ context.Context, in *functionIn) (*codeSigningOut, error) {
	return of(s, *in, func(f *function) (*codeSigningOut, error) { return &codeSigningOut{FunctionName: f.FunctionName}, nil })
}
