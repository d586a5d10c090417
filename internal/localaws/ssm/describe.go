package ssm

import (
	"context"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/paging"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type filter struct {
	Key    string `wire:",required"`
	Option string
	Values []string
}

type describeIn struct {
	Filters, ParameterFilters []filter
	MaxResults                *int
	NextToken                 string
	Shared                    bool
}

type metadata struct {
	Name, ARN, Type  string
	KeyId            *string
	LastModifiedDate *wire.Time
	LastModifiedUser string
	Description      *string
	AllowedPattern   *string
	Version          int
	Tier             string
	Policies         []none
	DataType         string
}

type describeOut struct {
	NextToken  string `wire:",omitempty"`
	Parameters []metadata
}

// matches applies one filter. https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html
func (f filter) matches(p *parameter) (bool, error) {
	var have []string
	options := []string{"Equals", "BeginsWith"}
	switch key, isTag := strings.CutPrefix(f.Key, "tag:"); {
	case isTag:
		if value, ok := p.tags[key]; ok {
			have = append(have, value)
		}
		if len(f.Values) == 0 {
			return len(have) > 0, nil
		}
		options = options[:1]
	case f.Key == "Name":
		have, options = []string{p.name, strings.TrimPrefix(p.name, "/")}, append(options, "Contains")
	case f.Key == "Type":
		have = []string{p.kind}
	case f.Key == "KeyId":
		have = []string{p.keyID}
	case f.Key == "Tier":
		have, options = []string{p.tier}, options[:1]
	case f.Key == "DataType":
		have, options = []string{p.dataType}, options[:1]
	case f.Key == "Path":
		have, options = []string{p.name}, []string{"OneLevel", "Recursive"}
	default:
		return false, fail("InvalidFilterKey", "The specified filter key %s isn't valid.", f.Key)
	}
	option := f.Option
	if option == "" {
		option = options[0]
	}
	if !slices.Contains(options, option) {
		return false, fail("InvalidFilterOption", "The following filter option is not valid: %s. Valid options include: [%s].", option, strings.Join(options, ", "))
	}
	for _, h := range have {
		for _, v := range f.Values {
			if map[string]bool{"Equals": h == v, "BeginsWith": strings.HasPrefix(h, v), "Contains": strings.Contains(h, v),
				"OneLevel": below(h, v, false), "Recursive": below(h, v, true)}[option] {
				return true, nil
			}
		}
	}
	return false, nil
}

// below reports whether a parameter is under a path.
func below(name, path string, recursive bool) bool {
	rest, ok := strings.CutPrefix(name, strings.TrimSuffix(path, "/")+"/")
	return ok && (recursive || !strings.Contains(rest, "/"))
}

// matching lists, by name, the parameters that pass every filter; the caller holds the lock.
func (s *Service) matching(filters []filter) ([]*parameter, error) {
	var out []*parameter
	for _, f := range filters { // invalid filters are errors even without parameters
		if _, err := f.matches(&parameter{}); err != nil {
			return nil, err
		}
	}
	for _, p := range s.parameters {
		pass := true
		for _, f := range filters {
			ok, _ := f.matches(p)
			pass = pass && ok
		}
		if pass {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *parameter) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

func cut(all []*parameter, maxResults *int, token string, most int) ([]*parameter, string, error) {
	size, ok := paging.Size(maxResults, most, 1, most)
	if !ok {
		return nil, "", refuse("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and %d", size, most)
	}
	all, next, ok := paging.Cut(all, func(p *parameter) string { return p.name }, size, token)
	if !ok {
		return nil, "", fail("InvalidNextToken", "The specified token isn't valid.")
	}
	return all, next, nil
}

func (s *Service) describe(_ context.Context, in *describeIn) (*describeOut, error) {
	if in.Shared {
		return nil, refuse("localaws does not share parameters between accounts")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.matching(append(slices.Clone(in.Filters), in.ParameterFilters...))
	if err != nil {
		return nil, err
	}
	some, next, err := cut(all, in.MaxResults, in.NextToken, 50)
	if err != nil {
		return nil, err
	}
	out := &describeOut{next, []metadata{}}
	for _, p := range some {
		m := metadata{Name: p.name, ARN: s.arn(p), Type: p.kind, LastModifiedDate: wire.At(p.modified), LastModifiedUser: p.user,
			Version: len(p.values), Tier: p.tier, Policies: []none{}, DataType: p.dataType}
		for _, o := range []struct {
			text string
			into **string
		}{{p.keyID, &m.KeyId}, {p.description, &m.Description}, {p.pattern, &m.AllowedPattern}} {
			if o.text != "" {
				*o.into = &o.text
			}
		}
		out.Parameters = append(out.Parameters, m)
	}
	return out, nil
}

type resourceIn struct {
	ResourceType string `wire:",required"`
	ResourceId   string `wire:",required"`
}

// tagged finds the parameter whose tags are meant; the caller holds the lock.
func (s *Service) tagged(in resourceIn) (*parameter, error) {
	if in.ResourceType != "Parameter" {
		return nil, fail("InvalidResourceType", "localaws serves tags of parameters, not of a %s", in.ResourceType)
	}
	p, ok := s.parameters[in.ResourceId]
	if !ok {
		return nil, fail("InvalidResourceId", "The resource ID isn't valid: parameter %s does not exist. Verify that you entered the correct ID and try again.", in.ResourceId)
	}
	return p, nil
}

// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AddTagsToResource.html
var rules = tagset.Rules{Refuse: func(p tagset.Problem, t tagset.Tag) error {
	if p == tagset.TooMany {
		return fail("TooManyTagsError", "The Targets parameter includes too many tags. Remove one or more tags and try the command again.")
	}
	return refuse("tag %q: keys have 1 to 128 characters and do not begin with aws:, values have at most 256", t.Key)
}}

func (s *Service) addTags(_ context.Context, in *struct {
	resourceIn
	Tags []tagset.Pair `wire:",required"`
}) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.tagged(in.resourceIn)
	if err != nil {
		return nil, err
	}
	return &none{}, tagset.Put(rules, &p.tags, in.Tags)
}

func (s *Service) removeTags(_ context.Context, in *struct {
	resourceIn
	TagKeys []string `wire:",required"`
}) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.tagged(in.resourceIn)
	if err == nil {
		p.tags = rules.Remove(p.tags, in.TagKeys)
	}
	return &none{}, err
}

func (s *Service) listTags(_ context.Context, in *resourceIn) (*struct{ TagList []tagset.Tag }, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.tagged(*in)
	if err != nil {
		return nil, err
	}
	return &struct{ TagList []tagset.Tag }{tagset.List[tagset.Tag](p.tags)}, nil
}

// Tagged are the tags of all parameters, by ARN.
func (s *Service) Tagged() map[string]tagset.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]tagset.Set{}
	for name, one := range s.parameters {
		all[s.acct.ARN("ssm", "parameter/"+strings.TrimPrefix(name, "/"))] = one.tags.Clone()
	}
	return all
}
