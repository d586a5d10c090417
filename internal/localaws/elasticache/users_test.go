package elasticache_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/elasticache"
)

func (w *fixture) user(t *testing.T, id, name, access string, passwords ...string) error {
	t.Helper()
	in := &sdk.CreateUserInput{UserId: &id, UserName: &name, Engine: aws.String("redis"), AccessString: &access, Passwords: passwords, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("search")}}}
	if len(passwords) == 0 {
		in.NoPasswordRequired = aws.Bool(true)
	}
	_, err := w.c.CreateUser(t.Context(), in)
	return err
}

func (w *fixture) users(t *testing.T, id, engine string, users ...string) error {
	t.Helper()
	_, err := w.c.CreateUserGroup(t.Context(), &sdk.CreateUserGroupInput{UserGroupId: &id, Engine: &engine, UserIds: users})
	return err
}

// Users of a cache's group log in by name and password, may do what their access strings say and nothing that ElastiCache keeps from them; on replicas, too,
// and after a change of the cache.
func TestUsersLogIn(t *testing.T) {
	real(t)
	w := start(t)
	const password, second = "a password of theirs>", "another-password-of-20"
	require.NoError(t, w.user(t, "nobody", "default", "off ~keys* -@all", "never-used-by-anybody"))
	require.NoError(t, w.user(t, "app", "application", "on ~app::* +@all", password, second))
	require.NoError(t, w.user(t, "reader", "reader", "on ~* -@all +@read +@connection", second))
	require.NoError(t, w.users(t, "staff", "redis", "app", "nobody", "reader"))
	g := w.create(t, func(in *sdk.CreateReplicationGroupInput) {
		in.TransitEncryptionEnabled, in.UserGroupIds, in.NumCacheClusters, in.AutomaticFailoverEnabled = aws.Bool(true), []string{"staff"}, aws.Int32(2), aws.Bool(true)
	})
	require.Equal(t, []string{"staff"}, g.UserGroupIds)
	require.False(t, *g.AuthTokenEnabled)
	shown, err := w.c.DescribeUserGroups(t.Context(), &sdk.DescribeUserGroupsInput{UserGroupId: aws.String("staff")})
	require.NoError(t, err)
	require.Equal(t, []string{"perf"}, shown.UserGroups[0].ReplicationGroups)
	require.Equal(t, []string{"app", "nobody", "reader"}, shown.UserGroups[0].UserIds)

	pem, err := os.ReadFile(w.svc.CAFile())
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	login := func(e *types.Endpoint, user, password string) (*elasticache.Client, error) {
		c, err := elasticache.Connect(t.Context(), *e.Address+":6390", &tls.Config{RootCAs: pool, ServerName: *e.Address}, user, password)
		if err == nil {
			t.Cleanup(c.Close)
		}
		return c, err
	}
	look := func() {
		t.Helper()
		primary, reader := g.NodeGroups[0].PrimaryEndpoint, g.NodeGroups[0].ReaderEndpoint
		c, err := login(primary, "", "")
		require.NoError(t, err)
		_, err = c.Do("GET", "k")
		require.ErrorContains(t, err, "NOAUTH")
		for user, wrong := range map[string]string{"default": "never-used-by-anybody", "application": "wrong", "reader": password} {
			_, err := login(primary, user, wrong)
			require.ErrorContains(t, err, "WRONGPASS", user)
		}
		app, err := login(primary, "application", password)
		require.NoError(t, err)
		do(t, app, "SET", "app::k", "v")
		_, err = app.Do("SET", "other", "v")
		require.ErrorContains(t, err, "NOPERM")
		for _, kept := range [][]string{{"CONFIG", "GET", "*"}, {"ACL", "SETUSER", "x"}} {
			_, err = app.Do(kept...)
			require.ErrorContains(t, err, "NOPERM", kept)
		}
		for _, e := range []*types.Endpoint{primary, reader} {
			r, err := login(e, "reader", second)
			require.NoError(t, err)
			do(t, r, "GET", "app::k")
			_, err = r.Do("SET", "app::k", "w")
			require.ErrorContains(t, err, "NOPERM")
		}
	}
	look()
	_, err = w.c.ModifyReplicationGroup(t.Context(), &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String("perf"), ApplyImmediately: aws.Bool(true), SnapshotWindow: aws.String("07:00-08:00")})
	require.NoError(t, err)
	w.await(t, "available")
	look()

	_, err = w.c.DeleteUserGroup(t.Context(), &sdk.DeleteUserGroupInput{UserGroupId: aws.String("staff")})
	require.ErrorContains(t, err, "InvalidUserGroupState")
	_, err = w.c.DeleteUser(t.Context(), &sdk.DeleteUserInput{UserId: aws.String("nobody")})
	require.ErrorContains(t, err, "DefaultUserAssociatedToUserGroup")
	w.remove(t)
	_, err = w.c.DeleteUserGroup(t.Context(), &sdk.DeleteUserGroupInput{UserGroupId: aws.String("staff")})
	require.NoError(t, err)
	_, err = w.c.DeleteUser(t.Context(), &sdk.DeleteUserInput{UserId: aws.String("app")})
	require.NoError(t, err)
	_, err = w.c.DescribeUsers(t.Context(), &sdk.DescribeUsersInput{UserId: aws.String("app")})
	require.ErrorAs(t, err, new(*types.UserNotFoundFault))
	_, err = w.c.DescribeUserGroups(t.Context(), &sdk.DescribeUserGroupsInput{UserGroupId: aws.String("staff")})
	require.ErrorAs(t, err, new(*types.UserGroupNotFoundFault))
}

// A serverless cache's only way to a login is RBAC.
func TestUsersOfAServerlessCache(t *testing.T) {
	real(t)
	w := start(t)
	require.NoError(t, w.user(t, "app", "app", "on ~* +@all", "a-password-of-the-app"))
	require.NoError(t, w.users(t, "staff", "valkey", "app"))
	_, err := w.c.CreateServerlessCache(t.Context(), serverless(func(in *sdk.CreateServerlessCacheInput) { in.UserGroupId = aws.String("staff") }))
	require.NoError(t, err)
	c := w.awaitServerless(t, "available")
	require.Equal(t, "staff", *c.UserGroupId)
	pem, err := os.ReadFile(w.svc.CAFile())
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(pem))
	app, err := elasticache.Connect(t.Context(), *c.Endpoint.Address+":6379", &tls.Config{RootCAs: pool, ServerName: *c.Endpoint.Address}, "app", "a-password-of-the-app")
	require.NoError(t, err)
	defer app.Close()
	do(t, app, "SET", "k", "v")
	shown, err := w.c.DescribeUserGroups(t.Context(), &sdk.DescribeUserGroupsInput{})
	require.NoError(t, err)
	require.Equal(t, []string{"perf"}, shown.UserGroups[0].ServerlessCaches)
}

func TestUsersRefused(t *testing.T) {
	w := start(t)
	const password = "a-password-of-the-app"
	require.NoError(t, w.user(t, "app", "app", "on ~* +@all", password))
	require.NoError(t, w.user(t, "app2", "app", "on ~* +@all", password))
	require.NoError(t, w.user(t, "open", "open", "on ~* +@all"))
	for want, err := range map[string]error{
		"UserAlreadyExists":                          w.user(t, "app", "x", "on ~* +@all", password),
		"The access string has the rule \">secret\"": w.user(t, "a", "a", "on >secret ~* +@all", password),
		"has the rule \"+@reading\"":                 w.user(t, "a", "a", "on ~* +@reading", password),
		"has the rule \"reset\"":                     w.user(t, "a", "a", "reset on", password),
		"16 to 128 characters":                       w.user(t, "a", "a", "on ~* +@all", "short"),
		"one or two passwords, not 3":                w.user(t, "a", "a", "on ~* +@all", password, password+"2", password+"3"),
		"It has no spaces":                           w.user(t, "a", "a b", "on ~* +@all", password),
		"DefaultUserRequired":                        w.users(t, "g", "redis", "app"),
		"DuplicateUserName":                          w.users(t, "g", "redis", "default", "app", "app2"),
		"UserNotFound":                               w.users(t, "g", "redis", "default", "missing"),
		"open has neither":                           w.users(t, "g", "valkey", "open"),
	} {
		require.ErrorContains(t, err, want)
	}
	mode := func(m types.AuthenticationMode) error {
		_, err := w.c.CreateUser(t.Context(), &sdk.CreateUserInput{UserId: aws.String("a"), UserName: aws.String("a"), Engine: aws.String("valkey"), AccessString: aws.String("on ~* +@all"), NoPasswordRequired: aws.Bool(false), AuthenticationMode: &m})
		return err
	}
	require.ErrorContains(t, mode(types.AuthenticationMode{Type: types.InputAuthenticationTypeIam}), "localaws does not serve AuthenticationMode iam")
	require.ErrorContains(t, mode(types.AuthenticationMode{Type: types.InputAuthenticationTypePassword}), "A user has either passwords or needs none")
	require.NoError(t, mode(types.AuthenticationMode{Type: types.InputAuthenticationTypePassword, Passwords: []string{password}}))
	require.ErrorContains(t, w.users(t, "g", "redis", "default", "a"), "a has valkey")
	require.NoError(t, w.users(t, "mixed", "valkey", "a", "app"))
	require.ErrorContains(t, w.users(t, "mixed", "valkey", "a"), "UserGroupAlreadyExists")
	_, err := w.c.DeleteUser(t.Context(), &sdk.DeleteUserInput{UserId: aws.String("a")})
	require.ErrorContains(t, err, "delete user group mixed before user a")
	_, err = w.c.DeleteUser(t.Context(), &sdk.DeleteUserInput{UserId: aws.String("default")})
	require.ErrorContains(t, err, "cannot be deleted")

	tls := func(in *sdk.CreateReplicationGroupInput) {
		in.TransitEncryptionEnabled, in.UserGroupIds = aws.Bool(true), []string{"mixed"}
	}
	for want, change := range map[string]func(*sdk.CreateReplicationGroupInput){
		"takes user groups with engine redis only": func(*sdk.CreateReplicationGroupInput) {},
		"UserGroupNotFound":                        func(in *sdk.CreateReplicationGroupInput) { in.UserGroupIds = []string{"missing"} },
		"one user group, not 2":                    func(in *sdk.CreateReplicationGroupInput) { in.UserGroupIds = []string{"mixed", "other"} },
		"AuthToken and UserGroupIds exclude":       func(in *sdk.CreateReplicationGroupInput) { in.AuthToken = aws.String(password) },
	} {
		_, err := w.c.CreateReplicationGroup(t.Context(), input(tls, change))
		require.ErrorContains(t, err, want)
	}

	all, err := w.c.DescribeUsers(t.Context(), &sdk.DescribeUsersInput{Engine: aws.String("redis")})
	require.NoError(t, err)
	require.Len(t, all.Users, 4, "default is in every account")
	app := all.Users[0]
	require.Equal(t, []any{"app", "app", "active", "on ~* +@all", []string{"mixed"}, types.AuthenticationTypePassword, int32(1)},
		[]any{*app.UserId, *app.UserName, *app.Status, *app.AccessString, app.UserGroupIds, app.Authentication.Type, *app.Authentication.PasswordCount})
	tags, err := w.c.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceName: app.ARN})
	require.NoError(t, err)
	require.Equal(t, "search", *tags.TagList[0].Value)
}
