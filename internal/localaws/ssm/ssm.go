// Package ssm is Systems Manager's Parameter Store, from which a task gets a cache's auth token.
//
// API reference: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Operations.html
//
// SecureString values are encrypted under alias/aws/ssm only: localaws has no KMS. It does not do: labels,
// parameter policies, the history of values, and every part of Systems Manager that is not Parameter Store.
package ssm

import (
	"context"
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// Service is the Parameter Store of one account.
type Service struct {
	acct *account.Account
	iam  *iam.Service

	mu         sync.Mutex
	parameters map[string]*parameter
}

type parameter struct {
	name, kind, description, pattern, keyID, tier, dataType, user string
	values                                                        []string // by version
	modified                                                      time.Time
	tags                                                          tagset.Set
}

// New is an empty Parameter Store. principals tells who changed a parameter.
func New(acct *account.Account, principals *iam.Service) *Service {
	return &Service{acct: acct, iam: principals, parameters: map[string]*parameter{}}
}

// Register serves Parameter Store's actions.
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "ssm"},
		wire.Action("PutParameter", s.put),
		wire.Action("GetParameter", s.get),
		wire.Action("DescribeParameters", s.describe),
		wire.Action("DeleteParameter", s.delete),
		wire.Action("AddTagsToResource", s.addTags),
		wire.Action("RemoveTagsFromResource", s.removeTags),
		wire.Action("ListTagsForResource", s.listTags),
	)
}

// Parameter is the decrypted current value of a parameter, by name or ARN.
func (s *Service) Parameter(nameOrARN string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, version, err := s.find(nameOrARN)
	if err != nil {
		return "", false
	}
	return p.values[version-1], true
}

type (
	none struct{}
)

func fail(code, format string, args ...any) error {
	return wire.Errorf(http.StatusBadRequest, code, format, args...)
}

func refuse(format string, args ...any) error { return fail("ValidationException", format, args...) }

// Names: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html#sysman-parameter-name-constraints
var nameChars = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

func checkName(name string) error {
	lower := strings.ToLower(strings.TrimPrefix(name, "/"))
	switch {
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return refuse("Parameter name must be a fully qualified name.")
	case strings.HasPrefix(lower, "aws") || strings.HasPrefix(lower, "ssm"), !nameChars.MatchString(name), strings.HasSuffix(name, "/"):
		return refuse(`Parameter name: can't be prefixed with "aws" or "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_`)
	case len(name) > 1011:
		return refuse("Parameter name must not be longer than 1011 characters, %d were sent", len(name))
	case strings.Count(name, "/") > 15:
		return fail("HierarchyLevelLimitExceededException", "A parameter hierarchy can have a maximum of 15 levels: %s has %d", name, strings.Count(name, "/"))
	}
	return nil
}

// find reads a name, an ARN, or either with ":version"; the caller holds the lock.
func (s *Service) find(name string) (*parameter, int, error) {
	short, isARN := strings.CutPrefix(name, s.acct.ARN("ssm", "parameter"))
	name, selector, selected := strings.Cut(short, ":")
	if _, path := s.parameters[name]; isARN && !path { // the ARN of a ends in parameter/a, and so does that of /a
		name = strings.TrimPrefix(name, "/")
	}
	p, ok := s.parameters[name]
	if !ok {
		return nil, 0, fail("ParameterNotFound", "")
	}
	if !selected {
		return p, len(p.values), nil
	}
	n, err := strconv.Atoi(selector)
	if oldest := len(p.values) - 99; err != nil || n < max(1, oldest) || n > len(p.values) { // 100 versions are kept
		return nil, 0, fail("ParameterVersionNotFound", "Systems Manager could not find version %s of %s. Verify the version and try again.", selector, name)
	}
	return p, n, nil
}

type putIn struct {
	Name                              string `wire:",required"`
	Value                             string `wire:",required"`
	Type, Description, AllowedPattern *string
	KeyId, Tier, DataType             string
	Overwrite                         bool
	Tags                              []tagset.Pair
}

type putOut struct {
	Version int
	Tier    string
}

// tiers are the largest values in bytes: https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
var tiers = map[string]int{"Standard": 4096, "Advanced": 8192}

func (s *Service) put(ctx context.Context, in *putIn) (*putOut, error) {
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	switch in.DataType {
	case "", "text":
	default:
		return nil, refuse("localaws serves the data type text, not %s", in.DataType)
	}
	user, _ := s.iam.Principal(wire.From(ctx).AccessKey)
	s.mu.Lock()
	defer s.mu.Unlock()
	p, exists := s.parameters[in.Name]
	next := parameter{name: in.Name, tier: "Standard", dataType: "text"}
	if exists {
		if !in.Overwrite {
			return nil, fail("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
		}
		next = *p
	}
	if in.Overwrite && len(in.Tags) > 0 {
		return nil, refuse("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	}
	if err := next.set(in, exists); err != nil {
		return nil, err
	}
	tags, err := tagset.Add(rules, next.tags, in.Tags)
	if err != nil {
		return nil, err
	}
	next.tags, next.user, next.modified = tags, user, s.acct.Clock.Now()
	next.values = append(slices.Clone(next.values), in.Value)
	s.parameters[in.Name] = &next
	return &putOut{len(next.values), next.tier}, nil
}

// set takes over what a PutParameter says of everything but the value, after checking both.
func (p *parameter) set(in *putIn, exists bool) error {
	if exists && in.Type != nil && *in.Type != p.kind { // https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
		return fail("HierarchyTypeMismatchException", "Parameter Store does not support changing a parameter type in a hierarchy. For example, you can't change a parameter from a String type to a SecureString type. You must create a new, unique parameter.")
	}
	if in.Type != nil {
		p.kind = *in.Type
	}
	switch p.kind {
	case "String", "StringList":
		p.keyID = ""
		if in.KeyId != "" {
			return refuse("KeyId is required for SecureString type parameter only.")
		}
	case "SecureString":
		if p.keyID = "alias/aws/ssm"; in.KeyId != "" && in.KeyId != p.keyID {
			return fail("InvalidKeyId", "key %s is not known to localaws: it encrypts under alias/aws/ssm", in.KeyId)
		}
	case "":
		return refuse("A parameter type is required when you create a parameter.")
	default:
		return refuse("1 validation error detected: Value '%s' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [SecureString, StringList, String]", p.kind)
	}
	switch in.Tier {
	case "":
	case "Standard":
		if p.tier == "Advanced" {
			return refuse("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.")
		}
	case "Advanced":
		p.tier = in.Tier
	case "Intelligent-Tiering":
		if len(in.Value) > tiers["Standard"] {
			p.tier = "Advanced"
		}
	default:
		return refuse("1 validation error detected: Value '%s' at 'tier' failed to satisfy constraint: Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]", in.Tier)
	}
	switch {
	case in.Value == "":
		return refuse("1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.")
	case len(in.Value) > tiers[p.tier] && p.tier == "Standard":
		return refuse("Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html")
	case len(in.Value) > tiers[p.tier]:
		return refuse("Advanced tier parameters support a maximum parameter value of 8192 characters.")
	}
	if in.Description != nil || !exists {
		p.description = text(in.Description)
		if utf8.RuneCountInString(p.description) > 1024 {
			return refuse("1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 1024.")
		}
	}
	if in.AllowedPattern != nil || !exists {
		p.pattern = text(in.AllowedPattern)
	}
	if p.pattern != "" {
		re, err := regexp.Compile(`^(?:` + p.pattern + `)$`)
		if err != nil {
			return fail("InvalidAllowedPatternException", "allowed pattern %s of %s: %v", p.pattern, p.name, err)
		}
		if !re.MatchString(in.Value) {
			return fail("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", p.pattern)
		}
	}
	return nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (s *Service) arn(p *parameter) string {
	return s.acct.ARN("ssm", "parameter/"+strings.TrimPrefix(p.name, "/"))
}

type parameterOut struct {
	Name, Type, Value string
	Version           int
	Selector          string `wire:",omitempty"`
	LastModifiedDate  *wire.Time
	ARN, DataType     string
}

func (s *Service) out(p *parameter, version int, selector string, decrypt bool) parameterOut {
	value := p.values[version-1]
	if p.kind == "SecureString" && !decrypt {
		// In place of KMS's ciphertext: text that does not reveal the value and stays the same for a version.
		value = base64.StdEncoding.EncodeToString([]byte("AQICAHh" + p.name + ":" + strconv.Itoa(version)))
	}
	return parameterOut{p.name, p.kind, value, version, selector, wire.At(p.modified), s.arn(p), p.dataType}
}

type getIn struct {
	Name           string `wire:",required"`
	WithDecryption bool
}

type getOut struct{ Parameter parameterOut }

func selector(name string) string {
	if strings.HasPrefix(name, "arn:") {
		name = name[strings.Index(name, ":parameter")+1:]
	}
	if i := strings.Index(name, ":"); i >= 0 {
		return name[i:]
	}
	return ""
}

func (s *Service) get(_ context.Context, in *getIn) (*getOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, version, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	return &getOut{s.out(p, version, selector(in.Name), in.WithDecryption)}, nil
}

func (s *Service) delete(_ context.Context, in *struct {
	Name string `wire:",required"`
}) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.parameters[in.Name]; !ok {
		return nil, fail("ParameterNotFound", "")
	}
	delete(s.parameters, in.Name)
	return &none{}, nil
}
