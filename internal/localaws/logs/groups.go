package logs

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

func invalid(format string, args ...any) error {
	return wire.Errorf(400, "InvalidParameterException", format, args...)
}

func noGroup() error {
	return wire.Errorf(400, "ResourceNotFoundException", "The specified log group does not exist.")
}

func noStream() error {
	return wire.Errorf(400, "ResourceNotFoundException", "The specified log stream does not exist.")
}

var (
	groupName = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
	retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)

const standard, infrequent, delivery = "STANDARD", "INFREQUENT_ACCESS", "DELIVERY"

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagResource.html
var rules = tagset.Rules{Chars: true, Refuse: func(p tagset.Problem, t tagset.Tag) error {
	if p == tagset.TooMany {
		return wire.Errorf(400, "TooManyTagsException", "a log group has at most 50 tags")
	}
	return invalid("tag %q=%q: a key must have 1 to 128 letters, digits, spaces or _.:/=+-@ and not begin with aws:, a value at most 256", t.Key, t.Value)
}}

type createLogGroupIn struct {
	LogGroupName              string `wire:",required"`
	KmsKeyId, LogGroupClass   *string
	Tags                      map[string]string
	DeletionProtectionEnabled *bool
}

func (s *Service) createLogGroup(_ context.Context, in *createLogGroupIn) (*struct{}, error) {
	if !groupName.MatchString(in.LogGroupName) {
		return nil, invalid("logGroupName %q must have 1 to 512 characters of A-Z, a-z, 0-9 and . - _ / #", in.LogGroupName)
	}
	if strings.HasPrefix(in.LogGroupName, "aws/") { // reserved
		return nil, invalid("logGroupName %q must not begin with aws/", in.LogGroupName)
	}
	tags, err := rules.Merge(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	g := &group{name: in.LogGroupName, class: standard, arn: s.acct.ARN("logs", "log-group:"+in.LogGroupName), created: s.now(),
		tags: tags, streams: map[string]*stream{}}
	if in.LogGroupClass != nil {
		g.class = *in.LogGroupClass
	}
	switch g.class {
	case standard, infrequent:
	case delivery: // kept for one day, whatever is asked: API_CreateLogGroup
		day := 1
		g.retention = &day
	default:
		return nil, invalid("logGroupClass %q must be one of STANDARD, INFREQUENT_ACCESS, DELIVERY", g.class)
	}
	if in.KmsKeyId != nil {
		if !strings.HasPrefix(*in.KmsKeyId, "arn:") || len(*in.KmsKeyId) > 256 {
			return nil, invalid("kmsKeyId %q must be a key ARN of at most 256 characters", *in.KmsKeyId)
		}
		g.kms = *in.KmsKeyId
	}
	g.protected = in.DeletionProtectionEnabled != nil && *in.DeletionProtectionEnabled
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups[g.name] != nil {
		return nil, wire.Errorf(400, "ResourceAlreadyExistsException", "The specified log group already exists")
	}
	s.groups[g.name] = g
	return &struct{}{}, nil
}

type groupIn struct {
	LogGroupName string `wire:",required"`
}

func (s *Service) deleteLogGroup(_ context.Context, in *groupIn) (*struct{}, error) {
	s.mu.Lock()
	g := s.groups[in.LogGroupName]
	if g == nil {
		s.mu.Unlock()
		return nil, noGroup()
	}
	if g.protected {
		s.mu.Unlock()
		return nil, wire.Errorf(400, "ValidationException", "log group %s has deletion protection enabled", g.name)
	}
	delete(s.groups, g.name)
	s.mu.Unlock()
	var errs []error
	for _, st := range s.list(g) {
		errs = append(errs, st.remove())
	}
	return &struct{}{}, errors.Join(errs...)
}

type logGroup struct {
	LogGroupName, Arn, LogGroupArn, LogGroupClass string
	CreationTime, StoredBytes                     int64
	MetricFilterCount                             int
	RetentionInDays                               *int
	KmsKeyId                                      string `wire:",omitempty"`
	DeletionProtectionEnabled                     bool
}

type describeLogGroupsIn struct {
	LogGroupNamePrefix, LogGroupNamePattern, LogGroupClass *string
	NextToken                                              string
	LogGroupIdentifiers                                    []string
	Limit                                                  *int
}

type describeLogGroupsOut struct {
	LogGroups []logGroup
	NextToken string `wire:",omitempty"`
}

func (s *Service) describeLogGroups(_ context.Context, in *describeLogGroupsIn) (*describeLogGroupsOut, error) {
	if in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil {
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	limit, err := pageLimit(in.Limit, 50)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	names := slices.Sorted(maps.Keys(s.groups))
	groups := maps.Clone(s.groups)
	s.mu.Unlock()
	names = slices.DeleteFunc(names, func(name string) bool {
		switch g := groups[name]; {
		case in.LogGroupNamePrefix != nil && !strings.HasPrefix(name, *in.LogGroupNamePrefix),
			in.LogGroupNamePattern != nil && !strings.Contains(strings.ToLower(name), strings.ToLower(*in.LogGroupNamePattern)),
			in.LogGroupClass != nil && g.class != *in.LogGroupClass,
			in.LogGroupIdentifiers != nil && !slices.Contains(in.LogGroupIdentifiers, name) && !slices.Contains(in.LogGroupIdentifiers, g.arn):
			return true
		}
		return false
	})
	page, next, err := cut(names, limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &describeLogGroupsOut{LogGroups: []logGroup{}, NextToken: next}
	for _, name := range page {
		g := groups[name]
		d := logGroup{LogGroupName: name, Arn: g.arn + ":*", LogGroupArn: g.arn, LogGroupClass: g.class, CreationTime: g.created,
			KmsKeyId: g.kms, DeletionProtectionEnabled: g.protected}
		for _, st := range s.list(g) {
			st.mu.Lock()
			d.StoredBytes += st.bytes
			st.mu.Unlock()
		}
		s.mu.Lock()
		d.RetentionInDays = g.retention
		s.mu.Unlock()
		out.LogGroups = append(out.LogGroups, d)
	}
	return out, nil
}

func pageLimit(asked *int, most int) (int, error) {
	limit, ok := paging.Size(asked, most, 1, most)
	if !ok {
		return 0, invalid("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value between 1 and %d", limit, most)
	}
	return limit, nil
}

func cut(names []string, limit int, token string) (page []string, next string, err error) {
	page, next, ok := paging.Names(names, limit, token)
	if !ok {
		return nil, "", invalid("The specified nextToken is invalid.")
	}
	return page, next, nil
}

func (s *Service) putRetentionPolicy(_ context.Context, in *struct {
	LogGroupName    string `wire:",required"`
	RetentionInDays int    `wire:",required"`
}) (*struct{}, error) {
	if !slices.Contains(retentions, in.RetentionInDays) {
		return nil, invalid("retentionInDays %d is not one of %v", in.RetentionInDays, retentions)
	}
	return s.retain(in.LogGroupName, &in.RetentionInDays)
}

func (s *Service) deleteRetentionPolicy(_ context.Context, in *groupIn) (*struct{}, error) {
	return s.retain(in.LogGroupName, nil)
}

func (s *Service) retain(name string, days *int) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[name]
	switch {
	case g == nil:
		return nil, noGroup()
	case g.class == delivery:
		return nil, invalid("log group %s has class DELIVERY: its retention is one day", name)
	}
	g.retention = days
	return &struct{}{}, nil
}

// tagged finds a group by ARN, which ends without ":*". The service's lock is held.
func (s *Service) tagged(arn string) (*group, error) {
	name, ok := strings.CutPrefix(arn, s.acct.ARN("logs", "log-group:"))
	if g := s.groups[name]; ok && g != nil {
		return g, nil
	}
	if strings.HasSuffix(arn, ":*") {
		return nil, invalid("resourceArn %s must not end with :*", arn)
	}
	return nil, wire.Errorf(400, "ResourceNotFoundException", "The specified resource does not exist.")
}

func (s *Service) tagResource(_ context.Context, in *struct {
	ResourceArn string            `wire:",required"`
	Tags        map[string]string `wire:",required"`
}) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &struct{}{}, tagset.Put(rules, &g.tags, tagset.List[tagset.Tag](in.Tags))
}

func (s *Service) untagResource(_ context.Context, in *struct {
	ResourceArn string   `wire:",required"`
	TagKeys     []string `wire:",required"`
}) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.tagged(in.ResourceArn)
	if err == nil {
		g.tags = rules.Remove(g.tags, in.TagKeys)
	}
	return &struct{}{}, err
}

type tagsOut struct{ Tags map[string]string }

func (s *Service) listTagsForResource(_ context.Context, in *struct {
	ResourceArn string `wire:",required"`
}) (*tagsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.tagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if len(g.tags) == 0 { // AWS's model has no empty map of tags
		return &tagsOut{}, nil
	}
	return &tagsOut{g.tags.Clone()}, nil
}

type resourcePolicy struct {
	PolicyName, PolicyDocument string
	LastUpdatedTime            int64
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutResourcePolicy.html
func (s *Service) putResourcePolicy(_ context.Context, in *struct {
	PolicyName     string `wire:",required"`
	PolicyDocument string `wire:",required"`
}) (*struct{ ResourcePolicy *resourcePolicy }, error) {
	if len(in.PolicyDocument) > 5120 || !json.Valid([]byte(in.PolicyDocument)) {
		return nil, invalid("policyDocument of %s must be JSON of at most 5120 characters", in.PolicyName)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.policies[in.PolicyName] == nil && len(s.policies) == 10 {
		return nil, wire.Errorf(400, "LimitExceededException", "Resource limit exceeded.")
	}
	p := &resourcePolicy{in.PolicyName, in.PolicyDocument, s.now()}
	s.policies[p.PolicyName] = p
	return &struct{ ResourcePolicy *resourcePolicy }{p}, nil
}

func (s *Service) describeResourcePolicies(_ context.Context, in *struct {
	NextToken string
	Limit     *int
}) (*struct {
	ResourcePolicies []*resourcePolicy
	NextToken        string `wire:",omitempty"`
}, error) {
	limit, err := pageLimit(in.Limit, 50)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	page, next, err := cut(slices.Sorted(maps.Keys(s.policies)), limit, in.NextToken)
	out := &struct {
		ResourcePolicies []*resourcePolicy
		NextToken        string `wire:",omitempty"`
	}{[]*resourcePolicy{}, next}
	for _, name := range page {
		out.ResourcePolicies = append(out.ResourcePolicies, s.policies[name])
	}
	return out, err
}

// Tagged are the tags of all log groups, by ARN.
func (s *Service) Tagged() map[string]tagset.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]tagset.Set{}
	for _, g := range s.groups {
		all[strings.TrimSuffix(g.arn, ":*")] = g.tags.Clone()
	}
	return all
}
