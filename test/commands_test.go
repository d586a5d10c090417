package test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/dev"
	"github.com/elasticache-perf/elasticache-perf/internal/local"
	"github.com/elasticache-perf/elasticache-perf/internal/ops"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// command matches a command in a message, as a person copies it.
var command = regexp.MustCompile("(?:[A-Z]+=[^ `]+ )*go tool mage [a-z:]+|aws [a-z0-9-]+ [a-z0-9-]+[^`\n]*")

// runAdvice runs the commands in a part of a message, in the environment that printed it, like somebody who pastes them into another shell. A verb in the
// part, %s or %v, matches any text. TestEveryCommandInAMessageIsRun reads the parts, so they must be literals in the calls.
func runAdvice(t *testing.T, ws *workspace.Workspace, con *console.Console, message, part string) {
	t.Helper()
	pattern := strings.NewReplacer("%s", "(?s:.*?)", "%v", "(?s:.*?)").Replace(regexp.QuoteMeta(part))
	where := regexp.MustCompile(pattern).FindStringIndex(message)
	require.NotNil(t, where, "%q is not in the message: %s", part, message)
	found := 0
	for _, span := range command.FindAllStringIndex(message, -1) {
		if span[1] <= where[0] || span[0] >= where[1] {
			continue
		}
		found++
		if strings.HasPrefix(message[span[0]:], "aws ") && !strings.Contains(message[span[0]:span[1]], "s3://my-elasticache-perf-exports") { // that message is Terraform's, whose variables cannot name a Region
			require.Contains(t, message[span[0]:span[1]], " --region ", "a person's default Region may differ")
		}
		line := strings.Trim(local.AdviceOf(ws)("`"+message[span[0]:span[1]]+"`"), "`")
		t.Log("runs: " + line)
		words := strings.Fields(line)
		if words[0] == "aws" {
			runAWS(t, ws, words)
			continue
		}
		in := *ws
		for words[0] == "." { // `. FILE &&`, the file that local:up writes; this environment has none
			words = words[3:]
		}
		for strings.Contains(words[0], "=") {
			in.Env = append(in.Env[:len(in.Env):len(in.Env)], words[0])
			words = words[1:]
		}
		all := allCommands()
		require.NotNil(t, all[words[3]], line)
		require.NoError(t, all[words[3]](t.Context(), &in, con), line)
	}
	require.Positive(t, found, "no command in %q", part)
}

// allCommands are the commands that a message can name.
func allCommands() map[string]ops.Command {
	all := map[string]ops.Command{"build": dev.Build, "validate": ops.Validate}
	maps.Copy(all, commands)
	maps.Copy(all, ofCampaigns)
	maps.Copy(all, stateless)
	return all
}

func (p *person) runAdvice(message, part string) (said string) {
	p.t.Helper()
	p.mu.Lock()
	p.out.Reset()
	p.mu.Unlock()
	runAdvice(p.t, p.workspace, p.console, message, part)
	return p.printed()
}

// runAWS runs a command of the AWS CLI, or its SDK call if there is no CLI. The credentials are the workspace's; only the command itself names Region
// and endpoint.
func runAWS(t *testing.T, ws *workspace.Workspace, words []string) {
	t.Helper()
	env := workspace.Without(ws.Env, func(name string) bool {
		return strings.HasPrefix(name, "AWS_") && name != "AWS_ACCESS_KEY_ID" && name != "AWS_SECRET_ACCESS_KEY" && name != "AWS_SESSION_TOKEN"
	})
	if _, err := exec.LookPath("aws"); err != nil {
		require.NoError(t, callAWS(t.Context(), env, words), "%q", words)
		return
	}
	c := exec.CommandContext(t.Context(), "aws", words[1:]...)
	c.Env = append(env, "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=")
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%q: %s", words, out)
}

// callAWS makes the SDK call of a CLI command: `aws SERVICE ACTION --OPTION VALUE ...`, or `aws s3 mb`.
func callAWS(ctx context.Context, env, words []string) error {
	if words[1] == "s3" && words[2] == "mb" && len(words) > 3 {
		bucket := strings.TrimPrefix(words[3], "s3://")
		words = append([]string{"aws", "s3", "create-bucket", "--bucket", bucket}, words[4:]...)
	}
	options := map[string]string{}
	for i := 3; i+1 < len(words); i += 2 {
		options[strings.TrimPrefix(words[i], "--")] = words[i+1]
	}
	endpoint := options["endpoint-url"]
	cfg := aws.Config{Region: options["region"], BaseEndpoint: &endpoint, Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: workspace.Getenv(env, "AWS_ACCESS_KEY_ID"), SecretAccessKey: workspace.Getenv(env, "AWS_SECRET_ACCESS_KEY"),
			SessionToken: workspace.Getenv(env, "AWS_SESSION_TOKEN")}, nil
	})}
	delete(options, "endpoint-url")
	delete(options, "region")
	client, known := map[string]any{"ec2": ec2.NewFromConfig(cfg), "elasticache": elasticache.NewFromConfig(cfg), "iam": iam.NewFromConfig(cfg),
		"logs": cloudwatchlogs.NewFromConfig(cfg), "s3": s3.NewFromConfig(cfg), "service-quotas": servicequotas.NewFromConfig(cfg)}[words[1]]
	if !known {
		return fmt.Errorf("unknown service %s", words[1])
	}
	same := func(option string) func(string) bool { // role-name is RoleName, group-id is GroupId
		return func(name string) bool { return strings.EqualFold(strings.ReplaceAll(option, "-", ""), name) }
	}
	kind := reflect.TypeOf(client)
	for i := range kind.NumMethod() {
		method := kind.Method(i)
		if !same(words[2])(method.Name) {
			continue
		}
		in := reflect.New(method.Type.In(2).Elem())
		for option, value := range options {
			field := in.Elem().FieldByNameFunc(same(option))
			if !field.IsValid() {
				return fmt.Errorf("%s has no --%s", method.Name, option)
			}
			if err := set(field, value); err != nil {
				return fmt.Errorf("--%s: %w", option, err)
			}
		}
		if err, _ := method.Func.Call([]reflect.Value{reflect.ValueOf(client), reflect.ValueOf(ctx), in})[1].Interface().(error); err != nil {
			return err
		}
		return nil
	}
	return fmt.Errorf("%s has no %s", words[1], words[2])
}

// set sets a member of a request to a CLI value: a text, a number, or a list of one structure as KEY=VALUE,KEY=VALUE.
func set(field reflect.Value, text string) error {
	switch {
	case field.Kind() == reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
		return set(field.Elem(), text)
	case field.Kind() == reflect.String:
		field.SetString(text)
	case field.Kind() == reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return err
		}
		field.SetFloat(n)
	case field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct:
		item := reflect.New(field.Type().Elem()).Elem()
		for pair := range strings.SplitSeq(text, ",") {
			key, value, _ := strings.Cut(pair, "=")
			member := item.FieldByName(key)
			if !member.IsValid() {
				return fmt.Errorf("%s has no %s", item.Type(), key)
			}
			if member.Type() == reflect.TypeFor[[]string]() {
				member.Set(reflect.ValueOf([]string{value}))
			} else if err := set(member, value); err != nil {
				return err
			}
		}
		field.Set(reflect.Append(field, item))
	default:
		return fmt.Errorf("%s is not supported here", field.Type())
	}
	return nil
}

// Without an AWS CLI, the SDK makes its calls: a wrong option is an error.
func TestCallsOfTheCLI(t *testing.T) {
	onlyLocal(t)
	t.Parallel()
	w := newEnvironment(t)
	var env []string
	for name, value := range w.env {
		env = append(env, name+"="+value)
	}
	there := []string{"--endpoint-url", *w.BaseEndpoint, "--region", w.Region}
	for line, want := range map[string]string{
		"aws s3 mb s3://made-by-hand":                                                                                        "",
		"aws ec2 describe-subnets --filters Name=vpc-id,Values=" + w.vpc:                                                     "",
		"aws logs delete-log-group --log-group-name /none":                                                                   "ResourceNotFoundException",
		"aws iam delete-role --role none":                                                                                    "DeleteRole has no --role",
		"aws ec2 describe-subnets --filters VPC=" + w.vpc:                                                                    "has no VPC",
		"aws elasticache describe-events --source-identifier perf --source-type replication-group":                           "",
		"aws elasticache describe-everything":                                                                                "elasticache has no describe-everything",
		"aws service-quotas request-service-quota-increase --service-code fargate --quota-code L-3032A538 --desired-value 8": "",
	} {
		err := callAWS(t.Context(), env, slices.Concat(strings.Fields(line), there))
		if want == "" {
			require.NoError(t, err, line)
		} else {
			require.ErrorContains(t, err, want, line)
		}
	}
}
