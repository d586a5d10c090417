package elasticache

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

type parameterGroupShape struct {
	CacheParameterGroupName, CacheParameterGroupFamily, Description, ARN string
	IsGlobal                                                             bool
}

func (s *Service) shapeParameters(g *parameterGroup) parameterGroupShape {
	return parameterGroupShape{g.name, g.family, g.description, s.acct.ARN("elasticache", "parametergroup:"+g.name), false}
}

func (s *Service) findParameters(name string) (*parameterGroup, error) {
	if g := s.parameters[strings.ToLower(name)]; g != nil {
		return g, nil
	}
	return nil, wire.Errorf(404, "CacheParameterGroupNotFound", "CacheParameterGroup not found: %s", name)
}

type createParameterGroupIn struct {
	CacheParameterGroupName   string `wire:",required"`
	CacheParameterGroupFamily string `wire:",required"`
	Description               string `wire:",required"`
	Tags                      []tagset.Tag
}

type parameterGroupOut struct{ CacheParameterGroup parameterGroupShape }

// createParameterGroup: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateCacheParameterGroup.html
func (s *Service) createParameterGroup(_ context.Context, in *createParameterGroupIn) (*parameterGroupOut, error) {
	name, err := checkID("CacheParameterGroupName", in.CacheParameterGroupName, 255)
	if err != nil {
		return nil, err
	}
	if families[in.CacheParameterGroupFamily].major == 0 {
		return nil, invalidValue("CacheParameterGroupFamily %s is not a valid parameter group family: localaws has %s.", in.CacheParameterGroupFamily,
			strings.Join(slices.Sorted(maps.Keys(families)), ", "))
	}
	t, err := tagset.Add(tagRules, nil, in.Tags)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parameters[name] != nil {
		return nil, wire.Errorf(400, "CacheParameterGroupAlreadyExists", "CacheParameterGroup %s already exists.", name)
	}
	custom := 0
	for _, g := range s.parameters {
		if !g.system {
			custom++
		}
	}
	if custom >= 150 { // https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/quota-limits.html
		return nil, wire.Errorf(400, "CacheParameterGroupQuotaExceeded", "There are %d cache parameter groups already.", custom)
	}
	g := &parameterGroup{name: name, family: in.CacheParameterGroupFamily, description: in.Description, values: map[string]string{}, tags: t}
	s.parameters[name] = g
	return &parameterGroupOut{s.shapeParameters(g)}, nil
}

type nameValue struct {
	ParameterName  *string
	ParameterValue *string
}

type parameterGroupName struct {
	CacheParameterGroupName string `wire:",required"`
}

type modifyParameterGroupIn struct {
	parameterGroupName
	ParameterNameValues []nameValue `wire:",required"`
}

type parameterGroupNameOut struct{ CacheParameterGroupName string }

// modifiable finds a group that may be changed; the mutex is held.
func (s *Service) modifiableGroup(name string, changes []nameValue) (*parameterGroup, error) {
	g, err := s.findParameters(name)
	if err != nil {
		return nil, err
	}
	if g.system {
		return nil, invalidValue("The cache parameter group %s cannot be modified: it is a default group.", name)
	}
	if len(changes) > 20 {
		return nil, invalidValue("A maximum of 20 parameters may be modified or reset per request, not %d.", len(changes))
	}
	known := familyParameters(g.family)
	for _, c := range changes {
		if c.ParameterName == nil {
			return nil, invalidValue("ParameterName must be given for each parameter.")
		}
		p, ok := known[*c.ParameterName]
		if !ok {
			return nil, invalidValue("The parameter %s does not exist in parameter group family %s.", *c.ParameterName, g.family)
		}
		if !p.modifiable {
			return nil, invalidValue("The parameter %s cannot be modified.", p.name)
		}
	}
	return g, nil
}

// modifyParameterGroup changes values; living nodes get those that take effect immediately.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyCacheParameterGroup.html
func (s *Service) modifyParameterGroup(_ context.Context, in *modifyParameterGroupIn) (*parameterGroupNameOut, error) {
	s.mu.Lock()
	g, err := s.modifiableGroup(in.CacheParameterGroupName, in.ParameterNameValues)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	known := familyParameters(g.family)
	for _, c := range in.ParameterNameValues {
		p := known[*c.ParameterName]
		switch {
		case c.ParameterValue == nil:
			err = invalidValue("ParameterValue must be given for parameter %s.", p.name)
		case !p.accepts(*c.ParameterValue):
			err = invalidValue("The parameter %s has the value %q, which is not allowed: it must be %s of %s.", p.name, *c.ParameterValue, p.kind, p.allowed)
		case p.name == "rename-commands" && *c.ParameterValue != "":
			err = invalidValue("localaws does not rename commands: leave the parameter rename-commands out.")
		case p.name == "cluster-enabled" && *c.ParameterValue != g.get("cluster-enabled") && s.usedBy(g) != "":
			err = wire.Errorf(400, "InvalidCacheParameterGroupState", "cluster-enabled cannot be changed while %s uses cache parameter group %s.", s.usedBy(g), g.name)
		}
		if err != nil {
			s.mu.Unlock()
			return nil, err
		}
	}
	for _, c := range in.ParameterNameValues {
		g.values[*c.ParameterName] = *c.ParameterValue
	}
	apply := s.applications(g)
	s.mu.Unlock()
	for _, a := range apply {
		a()
	}
	return &parameterGroupNameOut{g.name}, nil
}

// applications are calls that bring a group's values to the nodes that use it; to be made without the mutex.
func (s *Service) applications(g *parameterGroup) []func() {
	var out []func()
	for _, rg := range s.groups {
		if rg.parameters != g.name || rg.status != "available" {
			continue
		}
		settings, size := g.effective(), rg.nodeType
		for _, n := range rg.nodes() {
			out = append(out, func() {
				if err := n.configure(settings, size); err != nil {
					s.mu.Lock()
					s.note("cache-cluster", n.id, "Parameters of group %s were not applied: %v", g.name, err)
					s.mu.Unlock()
				}
			})
		}
	}
	return out
}

// usedBy names a replication group that uses a parameter group, or is "".
func (s *Service) usedBy(g *parameterGroup) string {
	for _, rg := range s.groups {
		if rg.parameters == g.name {
			return rg.id
		}
	}
	return ""
}

type resetParameterGroupIn struct {
	parameterGroupName
	ParameterNameValues []nameValue
	ResetAllParameters  *bool
}

// resetParameterGroup: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ResetCacheParameterGroup.html
func (s *Service) resetParameterGroup(_ context.Context, in *resetParameterGroupIn) (*parameterGroupNameOut, error) {
	all := in.ResetAllParameters != nil && *in.ResetAllParameters
	if all == (len(in.ParameterNameValues) > 0) {
		return nil, invalidCombination("Either ResetAllParameters or ParameterNameValues must be given, and not both.")
	}
	s.mu.Lock()
	g, err := s.modifiableGroup(in.CacheParameterGroupName, in.ParameterNameValues)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	if all {
		clear(g.values)
	}
	for _, c := range in.ParameterNameValues {
		delete(g.values, *c.ParameterName)
	}
	apply := s.applications(g)
	s.mu.Unlock()
	for _, a := range apply {
		a()
	}
	return &parameterGroupNameOut{g.name}, nil
}

type describeParameterGroupsIn struct {
	page
	CacheParameterGroupName *string
}

type describeParameterGroupsOut struct {
	CacheParameterGroups []parameterGroupShape `wire:"CacheParameterGroups>CacheParameterGroup"`
	Marker               string                `wire:",omitempty"`
}

func (s *Service) describeParameterGroups(_ context.Context, in *describeParameterGroupsIn) (*describeParameterGroupsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups, marker, err := listed(in.page, s.parameters, in.CacheParameterGroupName, s.findParameters, s.shapeParameters)
	return &describeParameterGroupsOut{groups, marker}, err
}

type parameterShape struct {
	ParameterName, ParameterValue, Source, DataType string
	AllowedValues                                   string `wire:",omitempty"`
	IsModifiable                                    bool
	MinimumEngineVersion, ChangeType                string
}

type describeParametersIn struct {
	page
	parameterGroupName
	Source *string
}

type describeParametersOut struct {
	Parameters []parameterShape `wire:"Parameters>Parameter"`
	Marker     string           `wire:",omitempty"`
}

// shapeValues gives a page of a group's parameters: source is user for what was set, system for the rest.
func shapeValues(g *parameterGroup, p page, source *string) (*describeParametersOut, error) {
	if source != nil && !slices.Contains([]string{"user", "system", "engine-default"}, *source) {
		return nil, invalidValue("The parameter Source must be user, system or engine-default, not %s.", *source)
	}
	known := familyParameters(g.family)
	from := func(name string) string {
		if _, ok := g.values[name]; ok && !g.system {
			return "user"
		}
		return "system"
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(known)), func(n string) bool { return source != nil && *source != from(n) })
	names, marker, err := p.cut(names)
	if err != nil {
		return nil, err
	}
	out := &describeParametersOut{Parameters: []parameterShape{}, Marker: marker}
	for _, n := range names {
		k := known[n]
		out.Parameters = append(out.Parameters, parameterShape{n, g.get(n), from(n), k.kind, k.allowed, k.modifiable, families[g.family].minimum, k.change})
	}
	return out, nil
}

// describeParameters: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeCacheParameters.html
func (s *Service) describeParameters(_ context.Context, in *describeParametersIn) (*describeParametersOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.findParameters(in.CacheParameterGroupName)
	if err != nil {
		return nil, err
	}
	return shapeValues(g, in.page, in.Source)
}

type defaultParametersOut struct {
	EngineDefaults struct {
		CacheParameterGroupFamily string
		describeParametersOut
	}
}

func (s *Service) describeDefaultParameters(_ context.Context, in *struct {
	page
	CacheParameterGroupFamily string `wire:",required"`
}) (*defaultParametersOut, error) {
	if families[in.CacheParameterGroupFamily].major == 0 {
		return nil, invalidValue("CacheParameterGroupFamily %s is not a valid parameter group family.", in.CacheParameterGroupFamily)
	}
	values, err := shapeValues(&parameterGroup{family: in.CacheParameterGroupFamily}, in.page, nil)
	if err != nil {
		return nil, err
	}
	var out defaultParametersOut
	out.EngineDefaults.CacheParameterGroupFamily, out.EngineDefaults.describeParametersOut = in.CacheParameterGroupFamily, *values
	return &out, nil
}

func (s *Service) deleteParameterGroup(_ context.Context, in *parameterGroupName) (*none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.findParameters(in.CacheParameterGroupName)
	if err != nil {
		return nil, err
	}
	if g.system {
		return nil, wire.Errorf(400, "InvalidCacheParameterGroupState", "The default cache parameter group %s cannot be deleted.", g.name)
	}
	if user := s.usedBy(g); user != "" {
		return nil, wire.Errorf(400, "InvalidCacheParameterGroupState", "One or more cache clusters, among them those of %s, are still members of this parameter group %s, so the group cannot be deleted.", user, g.name)
	}
	delete(s.parameters, g.name)
	return &none{}, nil
}
