package ops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/local"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// subject is the stack that a command acts on. The inputs name it, the credentials lead to it, and the state, unless empty, belongs to it.
type subject struct {
	cli    *terraform.CLI
	inputs *terraform.Inputs
	state  *terraform.State
	caller stack.Caller
}

// identify finds the stack that a command acts on. It fails if state, inputs and credentials disagree on name, account or Region: the command would act on
// resources that are not the state's.
func identify(ctx context.Context, ws *workspace.Workspace, con *console.Console) (*subject, error) {
	t, in, err := terraform.Ready(ctx, ws, con)
	if err != nil {
		return nil, err
	}
	cfg, err := ws.AWS(ctx, in.Region)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		return nil, errors.New("no AWS Region: set aws_region in terraform.tfvars, or AWS_REGION in the environment")
	}
	if err := local.Sealed(aws.ToString(cfg.BaseEndpoint), ws.Env, in); err != nil {
		return nil, err
	}
	caller, err := stack.Who(ctx, cfg)
	if err != nil {
		return nil, err
	}
	state, err := t.ReadState(ctx, ws, con)
	if err != nil {
		return nil, err
	}
	return &subject{cli: t, inputs: in, state: state, caller: caller}, errors.Join(agree(state, in.Name, caller), belongs(state, ws))
}

// belongs refuses a state that has nothing of the stack's configuration, such as from a wrong backend key or a copied file: a destroy would remove its
// resources.
func belongs(state *terraform.State, ws *workspace.Workspace) error {
	undeclared, all, err := state.Undeclared(ws.Stack)
	if err != nil || !all {
		return err
	}
	return fmt.Errorf("the state holds %s, but nothing of the stack in %s: it belongs to another project, and nothing was done. Use the state that belongs here (terraform.tfstate, or the backend's)",
		some(undeclared), ws.Stack)
}

// some lists the first of many names.
func some(names []string) string {
	if most := 5; len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// agree returns an error that lists how the state differs from the name and the caller.
func agree(state *terraform.State, name string, caller stack.Caller) error {
	var differ []string
	held := state.Name()
	if held != "" && held != name {
		differ = append(differ, fmt.Sprintf("name: the state holds %s, the inputs say %s. To act on %[1]s, set name = %[1]q (terraform.tfvars, TF_VAR_name); %[2]s needs a state of its own: another checkout, or another Terraform workspace", held, name))
	}
	account, region := state.Elsewhere(caller.Account, caller.Region)
	if account != "" {
		differ = append(differ, fmt.Sprintf("account: the state holds resources in %s, the credentials are for %s (%s). Use credentials for %[1]s (AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)", account, caller.Account, caller.ARN))
	}
	if region != "" {
		differ = append(differ, fmt.Sprintf("Region: the state holds resources in %s, the inputs select %s. Set aws_region = %[1]q (terraform.tfvars), or AWS_REGION", region, caller.Region))
	}
	if len(differ) == 0 {
		return nil
	}
	return fmt.Errorf("this is not the stack that the state holds; nothing was done:\n  - %s\nor use the state that belongs to these inputs and credentials", strings.Join(differ, "\n  - "))
}

// lock keeps others who use this folder from deploying or destroying at the same time. It reads the state again, because they may have changed it before.
func (s *subject) lock(ctx context.Context, ws *workspace.Workspace, con *console.Console) (unlock func(), err error) {
	unlock, err = terraform.Lock(ws)
	if err != nil {
		return nil, err
	}
	s.state, err = s.cli.ReadState(ctx, ws, con)
	if err == nil {
		err = errors.Join(agree(s.state, s.inputs.Name, s.caller), belongs(s.state, ws))
	}
	if err != nil {
		unlock()
	}
	return unlock, err
}

// open reads the stack from AWS.
func (s *subject) open(ctx context.Context, ws *workspace.Workspace) (*stack.Stack, error) {
	return stack.Open(ctx, ws, s.inputs.Region, s.inputs.Config())
}

// place is the stack's name, account and Region, for questions and errors.
func (s *subject) place() string {
	return fmt.Sprintf("%s in account %s, Region %s", s.inputs.Name, s.caller.Account, s.caller.Region)
}

// own opens the stack for a command that changes or ends it. It refuses a stack of another state: AWS has the guard that ends its runs, and this state does
// not. Parts of a stack without a guard are not refused, because a lost answer leaves such parts.
func (s *subject) own(ctx context.Context, ws *workspace.Workspace) (*stack.Stack, error) {
	there, err := s.open(ctx, ws)
	if err != nil || s.state.GuardsRun() {
		return there, err
	}
	run, err := there.Run(ctx)
	if err != nil {
		return nil, err
	}
	var found []string
	if run != nil {
		found = append(found, runOf(there, run))
	}
	left, err := s.leftOvers(ctx, there)
	if err != nil {
		return nil, err
	}
	guarded := run != nil || there.Lambda != ""
	for _, l := range left {
		found = append(found, l.What)
		guarded = guarded || l.Guard && s.state.Empty() // a state that is not empty may lack the role because the answer was lost
	}
	switch {
	case guarded:
		return nil, s.foreign(found...)
	case s.state.Empty():
		return there, stack.LeftError(left)
	}
	return there, nil
}

// leftOvers lists what AWS has under the stack's names, except what AWS itself created.
func (s *subject) leftOvers(ctx context.Context, there *stack.Stack) ([]stack.LeftOver, error) {
	left, err := there.Left(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot tell whether there is another stack %s: %w", s.place(), err)
	}
	insights, err := there.StrayInsights(ctx)
	return slices.DeleteFunc(left, func(l stack.LeftOver) bool { return l.What == "the log group "+insights }), err
}

func runOf(s *stack.Stack, run *shutdown.Event) string {
	return fmt.Sprintf("the run %s, which exports to s3://%s/%s and ends by itself", run.Run, s.Config.Bucket, prefixed(s.Config.Prefix))
}

// foreign is the error for a stack that another state created.
func (s *subject) foreign(found ...string) error {
	return fmt.Errorf("there is already a stack %s, and it was not created from this state; nothing was done. AWS has\n  - %s\n"+
		"It seems to be a colleague's, or yours from another checkout or Terraform workspace; where only IAM roles are listed, it is in another Region, because roles belong to the account. For a stack of your own, set another name (name = \"%s-2\" in terraform.tfvars, or TF_VAR_name); "+
		"for this one, use the state that it was deployed with", s.place(), strings.Join(found, "\n  - "), s.inputs.Name)
}
