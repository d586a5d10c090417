package test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/gruntwork-io/terratest/modules/terraform"
	"github.com/stretchr/testify/require"
)

// A separate root passes its own users and prefix list to modules/cache: the second plan is empty, users log in by name with the permissions in their
// access strings, a load logs in as one of them, and everything is destroyed.
func TestUsersAndPrefixListsOfAnotherRoot(t *testing.T) {
	t.Parallel()
	onlyLocal(t)
	onlyLong(t)
	w := newEnvironment(t)
	s := &stack{environment: w, name: nameOf(t), options: w.options(t, "examples/cache-only", nil)}
	s.options.TerraformDir = t.TempDir()
	project, err := filepath.Abs("..")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(filepath.Join(project, "modules"), filepath.Join(s.options.TerraformDir, "modules")))
	require.NoError(t, os.WriteFile(filepath.Join(s.options.TerraformDir, "main.tf"), []byte(foreignRoot), 0o600))
	ca, err := w.local.CA()
	require.NoError(t, err)
	write(t, s.options.TerraformDir, "terraform.tfvars.json", map[string]any{"name": s.name, "vpc_id": w.vpc, "subnet_ids": w.subnets, "ca_pem": ca})
	s.destroyAtEnd(t)
	terraform.InitContext(t, t.Context(), s.options)
	s.apply(t)
	s.assertEmptyPlan(t)

	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(ca)))
	says := func(commands ...string) (answers []string) {
		t.Helper()
		host, _, err := net.SplitHostPort(s.output(t, "address"))
		require.NoError(t, err)
		c, err := (&tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: host}}).DialContext(t.Context(), "tcp", s.output(t, "address"))
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(waitLimit)))
		r := bufio.NewReader(c)
		for _, command := range commands {
			_, err := fmt.Fprint(c, command+"\r\n")
			require.NoError(t, err)
			answer, err := r.ReadString('\n')
			require.NoError(t, err)
			answers = append(answers, strings.Fields(answer)[0])
		}
		return answers
	}
	require.Equal(t, []string{"-NOAUTH", "-WRONGPASS", "+OK", "+OK", "-NOPERM", "-NOPERM"},
		says("SET app:k v", "AUTH app not-the-password", "AUTH app a-password-of-the-app", "SET app:k v", "SET other v", "CONFIG GET maxmemory"))
	eventually(t, "progress of the load", func(ctx context.Context) (bool, any, error) {
		out, err := cloudwatchlogs.NewFromConfig(s.Config).FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{
			LogGroupName: aws.String(s.output(t, "log_group")), FilterPattern: aws.String(`"[RUN #1"`)})
		return err == nil && len(out.Events) > 2, out, err
	})
}

const foreignRoot = `
variable "name" { type = string }
variable "vpc_id" { type = string }
variable "subnet_ids" { type = list(string) }
variable "ca_pem" { type = string }

resource "aws_ec2_managed_prefix_list" "vpn" {
  name           = var.name
  address_family = "IPv4"
  max_entries    = 5

  entry {
    cidr        = "10.20.0.0/16"
    description = "office"
  }
}

resource "aws_elasticache_user" "default" {
  user_id       = "staff-default"
  user_name     = "default"
  engine        = "redis"
  access_string = "off ~* -@all"
  passwords     = ["never-used-by-anybody"]
}

resource "aws_elasticache_user" "app" {
  user_id       = "staff-app"
  user_name     = "app"
  engine        = "redis"
  access_string = "on ~app:* -@all +@read +@write +@connection"
  tags          = { team = "search" }

  authentication_mode {
    type      = "password"
    passwords = ["a-password-of-the-app"]
  }
}

resource "aws_elasticache_user" "load" {
  user_id       = "staff-load"
  user_name     = "load"
  engine        = "redis"
  access_string = "on ~memtier-* -@all +@read +@write +@connection"
  passwords     = ["a-password-of-the-load"]
}

resource "aws_elasticache_user_group" "staff" {
  user_group_id = "staff"
  engine        = "redis"
  user_ids      = [aws_elasticache_user.default.user_id, aws_elasticache_user.app.user_id, aws_elasticache_user.load.user_id]
}

module "cache" {
  source = "./modules/cache"

  name                = var.name
  vpc_id              = var.vpc_id
  subnet_ids          = var.subnet_ids
  clients             = { load = module.load.security_group_id }
  client_prefix_lists = { vpn = aws_ec2_managed_prefix_list.vpn.id }
  cache               = { transit_encryption = true, user_group_ids = [aws_elasticache_user_group.staff.id] }
}

module "load" {
  source = "./modules/ecs-load"

  name       = var.name
  vpc_id     = var.vpc_id
  subnet_ids = var.subnet_ids
  run        = "2026-11-23T03-08-09Z"
  minutes    = 60
  auth_token = "load:a-password-of-the-load"
  load       = { threads = 1, clients = 4, rate_limit = 250, key_maximum = 1000, ca_pem = var.ca_pem }

  cache = {
    endpoint          = module.cache.endpoint
    port              = module.cache.port
    tls               = module.cache.tls
    security_group_id = module.cache.security_group_id
  }
}

output "address" {
  value = "${module.cache.endpoint}:${module.cache.port}"
}

output "log_group" {
  value = module.load.log_group
}
`
