package ops

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/report"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// InvalidError lists everything that prevents a deployment, each with its remedy.
type InvalidError struct{ Problems []string }

func (e *InvalidError) Error() string {
	what := "1 problem"
	if n := len(e.Problems); n > 1 {
		what = fmt.Sprintf("%d problems", n)
	}
	return fmt.Sprintf("%s to fix before a deployment; nothing was created:\n  - %s",
		what, strings.ReplaceAll(strings.Join(e.Problems, "\n- "), "\n", "\n  "))
}

// Validate checks what a deployment needs, without creating anything in AWS: Terraform and its provider, the inputs, the Lambda's zip (which it builds, as
// deploy does), this computer's clock, the bucket, the subnets' outbound access, the Fargate quota, the cache's node type and parameters, and whether Terraform
// can plan the stack.
func Validate(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	if _, err := skipped(ws); err != nil {
		return err
	}
	t, in, err := terraform.Ready(ctx, ws, con)
	if err != nil {
		return err
	}
	if err := t.FindProvider(ctx, ws, con); err != nil {
		return err
	}
	var problems []string
	if in.BuildsLambda() {
		if err := gobuild.Lambda(ctx, ws, con, in.Architecture); err != nil {
			return err
		}
	} else if zip := in.Lambda.Zip; zip != "" && !workspace.Exists(ws.InStack(zip)) {
		problems = append(problems, fmt.Sprintf("the Lambda's zip %s, which the input lambda names, does not exist: download it, or leave lambda out to have it built", zip))
	}
	if err := validate(ctx, ws, con, in, problems); err != nil {
		return err
	}
	if err := t.Prepare(ctx, ws, con); err != nil {
		return err
	}
	planning := con.Step("terraform: planning")
	defer planning.End()
	return t.Rehearse(ctx)
}

// looked is the input of the checks.
type looked struct {
	con    *console.Console
	cfg    aws.Config
	in     *terraform.Inputs
	answer middleware.Metadata // of a call to AWS made just before
}

// checks are the checks of the account, by their names in SKIP_CHECKS.
var checks = []struct {
	name string
	run  func(context.Context, looked) ([]string, error)
}{
	{"clock", func(_ context.Context, a looked) ([]string, error) { return skewed(a.answer), nil }},
	{"bucket", func(ctx context.Context, a looked) ([]string, error) { return checkBucket(ctx, a.cfg, a.in) }},
	{"subnets", func(ctx context.Context, a looked) ([]string, error) { return checkSubnets(ctx, a.cfg, a.in) }},
	{"quota", func(ctx context.Context, a looked) ([]string, error) { return checkQuota(ctx, a.con, a.cfg, a.in) }},
	{"cache", func(ctx context.Context, a looked) ([]string, error) { return checkNewCache(ctx, a.con, a.cfg, a.in) }},
	{"existing_cache", func(ctx context.Context, a looked) ([]string, error) { return checkExistingCache(ctx, a.cfg, a.in) }},
}

// skipped returns the names in SKIP_CHECKS.
func skipped(ws *workspace.Workspace) ([]string, error) {
	var names []string
	for _, c := range checks {
		names = append(names, c.name)
	}
	skip := strings.FieldsFunc(ws.Getenv("SKIP_CHECKS"), func(r rune) bool { return r == ',' || r == ' ' })
	for _, name := range skip {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("SKIP_CHECKS has %s, but the checks are %s", name, strings.Join(names, ", "))
		}
	}
	return skip, nil
}

// validate checks the account; problems are those already found.
func validate(ctx context.Context, ws *workspace.Workspace, con *console.Console, in *terraform.Inputs, problems []string) error {
	cfg, err := ws.AWS(ctx, in.Region)
	if err != nil {
		return &InvalidError{append(problems, fmt.Sprintf("the AWS configuration cannot be read: %v", err))}
	}
	if cfg.Region == "" {
		return &InvalidError{append(problems, "no AWS Region: set aws_region in terraform.tfvars, or AWS_REGION in the environment")}
	}
	who, err := stack.Who(ctx, cfg)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return &InvalidError{append(problems, err.Error())}
	}
	skip, err := skipped(ws)
	if err != nil {
		return err
	}
	for _, c := range checks {
		if slices.Contains(skip, c.name) {
			con.Say("skipped, because of SKIP_CHECKS: %s", c.name)
			continue
		}
		found, err := c.run(ctx, looked{con, cfg, in, who.Answer})
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			found = append(found, fmt.Sprintf("%v (SKIP_CHECKS=%s skips this check)", err, c.name))
		}
		problems = append(problems, found...)
	}
	if len(problems) > 0 {
		return &InvalidError{problems}
	}
	if warning := pullWarning(in); warning != "" {
		con.Say("%s", warning)
	}
	if warning := threadsWarning(in); warning != "" {
		con.Say("%s", warning)
	}
	con.Say("validated: account %s, Region %s, bucket %s, %s of %s, %d x %g vCPU", who.Account, cfg.Region, in.Bucket,
		report.Quantity(len(in.Subnets), "subnet"), in.VPC, in.Load.TaskCount, float64(in.Load.CPU)/1024)
	return nil
}

// skewed reports a clock that differs from AWS's, and how to set it.
func skewed(answer middleware.Metadata) (problems []string) {
	there, ok := awsmiddleware.GetServerTime(answer)
	here, known := awsmiddleware.GetResponseAt(answer)
	if off := here.Sub(there).Abs(); !ok || !known || off <= shutdown.Skew {
		return nil
	}
	return []string{fmt.Sprintf("the clock of this computer says %s, AWS's %s: a run is timed and named by this computer's, so set it (`timedatectl set-ntp true` on Linux, `sudo sntp -sS time.apple.com` on macOS)",
		here.UTC().Format(time.RFC3339), there.UTC().Format(time.RFC3339))}
}
