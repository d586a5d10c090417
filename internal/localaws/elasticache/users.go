package elasticache

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// user is an RBAC user, who logs in by name and password to the caches of their user groups.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
type user struct {
	id, name, engine, access string
	passwords                []string // none: no password is required
	tags                     tagset.Set
}

// defaultUser is in every account: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
const defaultUser = "default"

type authentication struct {
	Type          string
	PasswordCount *int
}

type userShape struct {
	UserId, UserName, Status, Engine, MinimumEngineVersion, AccessString, ARN string
	UserGroupIds                                                              []string
	Authentication                                                            authentication
}

// leastVersion is the oldest version with RBAC, by engine.
var leastVersion = map[string]string{"redis": "6.0", "valkey": "7.2"}

func (s *Service) shapeUser(u *user) *userShape {
	out := &userShape{UserId: u.id, UserName: u.name, Status: "active", Engine: u.engine, MinimumEngineVersion: leastVersion[u.engine], AccessString: u.access,
		ARN: s.acct.ARN("elasticache", "user:"+u.id), UserGroupIds: []string{}, Authentication: authentication{Type: "no-password"}}
	for _, id := range slices.Sorted(maps.Keys(s.userGroups)) {
		if slices.Contains(s.userGroups[id].users, u.id) {
			out.UserGroupIds = append(out.UserGroupIds, id)
		}
	}
	if n := len(u.passwords); n > 0 {
		out.Authentication = authentication{"password", &n}
	}
	return out
}

func (s *Service) findUser(id string) (*user, error) {
	if u := s.users[strings.ToLower(id)]; u != nil {
		return u, nil
	}
	return nil, wire.Errorf(404, "UserNotFound", "User %s not found.", id)
}

// accessRule is a word of an access string: what ACL SETUSER accepts, except passwords, and reset, which would remove them.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html#Access-string
// Categories are those of the servers: https://valkey.io/topics/acl/#command-categories
var accessRule = regexp.MustCompile(`^(on|off|allkeys|resetkeys|allchannels|resetchannels|allcommands|nocommands|~.+|%(R|W|RW)~.+|&.+|[+-][a-z-]+(\|[a-z-]+)?|` +
	`[+-]@(all|admin|bitmap|blocking|connection|dangerous|fast|geo|hash|hyperloglog|keyspace|list|pubsub|read|scripting|set|slow|sortedset|stream|string|transaction|write))$`)

type createUserIn struct {
	UserId             string `wire:",required"`
	UserName           string `wire:",required"`
	Engine             string `wire:",required"`
	AccessString       string `wire:",required"`
	Passwords          []string
	NoPasswordRequired *bool
	AuthenticationMode *authenticationMode
	Tags               []tagset.Tag
}

type authenticationMode struct {
	Type      *string
	Passwords []string
}

// createUser makes a user who is active at once.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateUser.html
func (s *Service) createUser(_ context.Context, in *createUserIn) (*userShape, error) {
	id, err := checkID("UserId", in.UserId, 40)
	if err != nil {
		return nil, err
	}
	u := &user{id: id, name: in.UserName, engine: strings.ToLower(in.Engine), access: in.AccessString}
	if leastVersion[u.engine] == "" {
		return nil, invalidValue("Invalid engine of a user: %s. It is redis or valkey.", in.Engine)
	}
	if strings.ContainsAny(u.name, " \t\r\n") || u.name == admin {
		return nil, invalidValue("The parameter UserName is not valid: %q. It has no spaces, and localaws keeps %s for itself.", u.name, admin)
	}
	words := strings.Fields(u.access)
	for _, w := range words {
		if !accessRule.MatchString(w) {
			return nil, invalidValue("The access string has the rule %q, which is not allowed in it, or which localaws's servers do not have.", w)
		}
	}
	if len(words) == 0 {
		return nil, invalidValue("The access string is empty.")
	}
	if err := u.authenticate(in); err != nil {
		return nil, err
	}
	if u.tags, err = tagset.Add(tagRules, nil, in.Tags); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[u.id] != nil {
		return nil, wire.Errorf(400, "UserAlreadyExists", "User %s already exists.", u.id)
	}
	s.users[u.id] = u
	return s.shapeUser(u), nil
}

// authenticate sets how the user logs in: exactly one way is given, in one of two forms.
func (u *user) authenticate(in *createUserIn) error {
	passwords, free := in.Passwords, is(in.NoPasswordRequired)
	if m := in.AuthenticationMode; m != nil {
		if len(passwords) > 0 || free {
			return invalidCombination("AuthenticationMode excludes Passwords and NoPasswordRequired.")
		}
		switch text(m.Type) {
		case "iam":
			return invalidCombination("localaws does not serve AuthenticationMode iam, whose tokens only AWS can check: give user %s a password.", u.id)
		case "password":
			passwords = m.Passwords
		case "no-password-required":
			if free = true; len(m.Passwords) > 0 {
				return invalidCombination("AuthenticationMode no-password-required excludes Passwords.")
			}
		default:
			return invalidValue("Invalid value for AuthenticationMode.Type: %s. It is password, no-password-required or iam.", text(m.Type))
		}
	}
	if free == (len(passwords) > 0) {
		return invalidCombination("A user has either passwords or needs none: NoPasswordRequired is %t, and there are %d passwords.", free, len(passwords))
	}
	if len(passwords) > 2 {
		return invalidValue("A user has one or two passwords, not %d.", len(passwords))
	}
	for _, p := range passwords {
		if len(p) < 16 || len(p) > 128 || strings.ContainsAny(p, "\r\n") {
			return invalidValue("A password must have 16 to 128 characters.")
		}
	}
	u.passwords = slices.Compact(slices.Sorted(slices.Values(passwords)))
	return nil
}

type describeUsersIn struct {
	page
	Engine, UserId *string
}

type describeUsersOut struct {
	Users  []*userShape
	Marker string `wire:",omitempty"`
}

// describeUsers: https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeUsers.html
func (s *Service) describeUsers(_ context.Context, in *describeUsersIn) (*describeUsersOut, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := maps.Clone(s.users)
	maps.DeleteFunc(of, func(_ string, u *user) bool { return text(in.Engine) != "" && u.engine != strings.ToLower(*in.Engine) })
	users, marker, err := listed(in.page, of, given(in.UserId), s.findUser, s.shapeUser)
	return &describeUsersOut{users, marker}, err
}

// deleteUser refuses a user who is in a group. AWS removes the user from the group and its caches; localaws cannot change the users of a running cache.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DeleteUser.html
func (s *Service) deleteUser(_ context.Context, in *struct {
	UserId string `wire:",required"`
}) (*userShape, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.findUser(in.UserId)
	if err != nil {
		return nil, err
	}
	out := s.shapeUser(u)
	switch {
	case u.id == defaultUser:
		return nil, invalidValue("The user default cannot be deleted.")
	case len(out.UserGroupIds) > 0 && u.name == defaultUser:
		return nil, wire.Errorf(400, "DefaultUserAssociatedToUserGroup", "The default user %s is in user group %s.", u.id, out.UserGroupIds[0])
	case len(out.UserGroupIds) > 0:
		return nil, invalidValue("localaws does not take a user out of a user group: delete user group %s before user %s.", out.UserGroupIds[0], u.id)
	}
	delete(s.users, u.id)
	out.Status = "deleting"
	return out, nil
}

// logins returns the commands that create a cache's users on a node, with the restricted commands denied; none without a user group. The mutex is held.
func (s *Service) logins(g *group, redis7 bool) [][]string {
	ug := s.userGroups[g.userGroup]
	if ug == nil {
		return nil
	}
	var out [][]string
	for _, id := range ug.users {
		u := s.users[id]
		c := append([]string{"ACL", "SETUSER", u.name, "reset"}, strings.Fields(u.access)...)
		for _, p := range u.passwords {
			c = append(c, ">"+p)
		}
		if len(u.passwords) == 0 {
			c = append(c, "nopass")
		}
		out = append(out, append(c, denied(redis7)...))
	}
	return out
}

// denied are the rules that keep the restricted commands from a user.
func denied(redis7 bool) (out []string) {
	for _, c := range restricted {
		if redis7 || !strings.Contains(c, "|") {
			out = append(out, "-"+c)
		}
	}
	return out
}
