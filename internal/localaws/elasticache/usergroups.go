package elasticache

import (
	"context"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// userGroup is a set of users who can log in to caches. https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
type userGroup struct {
	id, engine string
	users      []string // their ids, in order
	tags       tagset.Set
}

type userGroupShape struct {
	UserGroupId, Status, Engine, MinimumEngineVersion, ARN string
	UserIds, ReplicationGroups, ServerlessCaches           []string
}

func (s *Service) shapeUserGroup(ug *userGroup) *userGroupShape {
	out := &userGroupShape{UserGroupId: ug.id, Status: "active", Engine: ug.engine, MinimumEngineVersion: leastVersion[ug.engine], ARN: s.acct.ARN("elasticache", "usergroup:"+ug.id),
		UserIds: ug.users, ReplicationGroups: []string{}, ServerlessCaches: []string{}}
	for _, g := range s.all() {
		switch {
		case g.userGroup != ug.id:
		case g.serverless != nil:
			out.ServerlessCaches = append(out.ServerlessCaches, g.id)
		default:
			out.ReplicationGroups = append(out.ReplicationGroups, g.id)
		}
	}
	slices.Sort(out.ReplicationGroups)
	slices.Sort(out.ServerlessCaches)
	return out
}

func (s *Service) findUserGroup(id string) (*userGroup, error) {
	if ug := s.userGroups[strings.ToLower(id)]; ug != nil {
		return ug, nil
	}
	return nil, wire.Errorf(404, "UserGroupNotFound", "UserGroup %s not found.", id)
}

type createUserGroupIn struct {
	UserGroupId string `wire:",required"`
	Engine      string `wire:",required"`
	UserIds     []string
	Tags        []tagset.Tag
}

// createUserGroup: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateUserGroup.html
// A group for Redis OSS has a user named default; one for Valkey needs none, and takes only users who prove who they are.
func (s *Service) createUserGroup(_ context.Context, in *createUserGroupIn) (*userGroupShape, error) {
	id, err := checkID("UserGroupId", in.UserGroupId, 40)
	if err != nil {
		return nil, err
	}
	ug := &userGroup{id: id, engine: strings.ToLower(in.Engine)}
	if leastVersion[ug.engine] == "" {
		return nil, invalidValue("Invalid engine of a user group: %s. It is redis or valkey.", in.Engine)
	}
	if ug.tags, err = tagset.Add(tagRules, nil, in.Tags); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.userGroups[ug.id] != nil {
		return nil, wire.Errorf(400, "UserGroupAlreadyExists", "UserGroup %s already exists.", ug.id)
	}
	names := map[string]bool{}
	for _, id := range in.UserIds {
		u, err := s.findUser(id)
		switch {
		case err != nil:
			return nil, err
		case names[u.name]:
			return nil, wire.Errorf(400, "DuplicateUserName", "The user name %s is there twice in user group %s.", u.name, ug.id)
		case ug.engine == "redis" && u.engine != "redis":
			return nil, invalidValue("A user group with engine redis has users with engine redis only: %s has %s.", u.id, u.engine)
		case ug.engine == "valkey" && len(u.passwords) == 0:
			return nil, invalidValue("A user group with engine valkey has users with a password or IAM only: %s has neither.", u.id)
		}
		names[u.name] = true
		ug.users = append(ug.users, u.id)
	}
	if ug.engine == "redis" && !names[defaultUser] {
		return nil, wire.Errorf(400, "DefaultUserRequired", "A user group with engine redis needs a user with the user name default.")
	}
	slices.Sort(ug.users)
	s.userGroups[ug.id] = ug
	return s.shapeUserGroup(ug), nil
}

type describeUserGroupsIn struct {
	page
	UserGroupId *string
}

type describeUserGroupsOut struct {
	UserGroups []*userGroupShape
	Marker     string `wire:",omitempty"`
}

// describeUserGroups: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeUserGroups.html
func (s *Service) describeUserGroups(_ context.Context, in *describeUserGroupsIn) (*describeUserGroupsOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups, marker, err := listed(in.page, s.userGroups, given(in.UserGroupId), s.findUserGroup, s.shapeUserGroup)
	return &describeUserGroupsOut{groups, marker}, err
}

// deleteUserGroup: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DeleteUserGroup.html
func (s *Service) deleteUserGroup(_ context.Context, in *struct {
	UserGroupId string `wire:",required"`
}) (*userGroupShape, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ug, err := s.findUserGroup(in.UserGroupId)
	if err != nil {
		return nil, err
	}
	out := s.shapeUserGroup(ug)
	if used := append(out.ReplicationGroups, out.ServerlessCaches...); len(used) > 0 {
		return nil, wire.Errorf(400, "InvalidUserGroupState", "UserGroup %s is used by %s.", ug.id, used[0])
	}
	delete(s.userGroups, ug.id)
	out.Status = "deleting"
	return out, nil
}

// give adds a group's users to a cache that is created; the mutex is held.
func (s *Service) give(g *group, ids ...string) error {
	switch {
	case len(ids) == 0:
		return nil
	case len(ids) > 1:
		return invalidValue("A cache takes one user group, not %d.", len(ids))
	case !g.tls:
		return invalidCombination("User group based access control requires encryption-in-transit: set TransitEncryptionEnabled, or leave UserGroupIds out.")
	case g.authToken != "":
		return invalidCombination("AuthToken and UserGroupIds exclude each other.")
	case !g.version.atLeast(leastVersion[g.version.engine]):
		return invalidCombination("User groups need engine version %s or later, not %s.", leastVersion[g.version.engine], g.version.full)
	}
	ug, err := s.findUserGroup(ids[0])
	if err != nil {
		return err
	}
	if g.version.engine == "redis" && ug.engine != "redis" {
		return invalidCombination("A cache with engine redis takes user groups with engine redis only: %s has %s.", ug.id, ug.engine)
	}
	g.userGroup = ug.id
	return nil
}
