package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// State is Terraform's state: the stack's name, account and Region.
type State struct{ resources []resource }

// resource is a resource that Terraform manages, with what identifies its owner.
type resource struct {
	address    string
	kind       string // type and name: another root may have other module names
	attributes struct {
		ARN       string            `json:"arn"`
		Region    string            `json:"region"` // provider 6: https://registry.terraform.io/providers/hashicorp/aws/latest/docs/guides/enhanced-region-support
		GroupName string            `json:"group_name"`
		Name      string            `json:"name"`
		Tags      map[string]string `json:"tags_all"`
	}
}

// ReadState reads the stack's state. Terraform needs an initialized folder for that, with modules and backend; if it is not, it is prepared.
func (t *CLI) ReadState(ctx context.Context, ws *workspace.Workspace, con *console.Console) (*State, error) {
	text, err := t.pullState(ctx)
	var failed *Error
	if errors.As(err, &failed) && !t.prepared {
		if err := t.FindProvider(ctx, ws, con); err != nil {
			return nil, err
		}
		if err := t.Prepare(ctx, ws, con); err != nil {
			return nil, err
		}
		text, err = t.pullState(ctx)
	}
	if err != nil {
		return nil, err
	}
	return ParseState(text)
}

func (t *CLI) pullState(ctx context.Context) ([]byte, error) {
	var text bytes.Buffer
	err := t.Run(ctx, &text, "state", "pull")
	return text.Bytes(), err
}

// ParseState reads a state as `terraform state pull` prints it; no text is an empty state. OpenTofu prints its warnings before it.
func ParseState(text []byte) (*State, error) {
	var s State
	_, text, found := bytes.Cut(append([]byte("\n"), text...), []byte("\n{"))
	if !found {
		return &s, nil
	}
	var read struct {
		Version   int
		Resources []struct {
			Module, Mode, Type, Name string
			Instances                []struct {
				IndexKey   any             `json:"index_key"`
				Attributes json.RawMessage `json:"attributes"`
			}
		}
	}
	if err := json.Unmarshal(append([]byte("{"), text...), &read); err != nil {
		return nil, fmt.Errorf("the state, as terraform state pull prints it: %w", err)
	}
	if read.Version != 4 {
		return nil, fmt.Errorf("the state has version %d, but only version 4 is supported, which Terraform and OpenTofu have written since 0.12", read.Version)
	}
	for _, r := range read.Resources {
		if r.Mode != "managed" {
			continue
		}
		for _, i := range r.Instances {
			one := resource{address: r.Type + "." + r.Name, kind: r.Type + "." + r.Name}
			if r.Module != "" {
				one.address = r.Module + "." + one.address
			}
			if i.IndexKey != nil {
				key, _ := json.Marshal(i.IndexKey) // it was JSON
				one.address += "[" + string(key) + "]"
			}
			if err := json.Unmarshal(i.Attributes, &one.attributes); len(i.Attributes) > 0 && err != nil {
				return nil, fmt.Errorf("the state of %s: %w", one.address, err)
			}
			s.resources = append(s.resources, one)
		}
	}
	return &s, nil
}

// What ends a run.
const (
	watch    = "aws_scheduler_schedule.watch"
	group    = "aws_scheduler_schedule_group.this"
	function = "aws_lambda_function.this"
)

// Empty reports whether the state has no resources.
func (s *State) Empty() bool { return len(s.resources) == 0 }

// Name is the stack's; "" when the state does not say. The watch schedule decides, as it is what ends a run; of a state without one,
// the tag `name` that the provider gives everything does.
func (s *State) Name() string {
	name := ""
	for _, r := range s.resources {
		switch r.kind {
		case watch:
			return r.attributes.GroupName
		case group:
			name = r.attributes.Name
		}
	}
	for _, r := range s.resources {
		if name == "" {
			name = r.attributes.Tags["name"]
		}
	}
	return name
}

// GuardsRun reports whether the run of the stack's name belongs to this state: it has the run's watch schedule, or what that depends on. When the answer to
// the schedule's creation was lost, the group and the Lambda still tell, as AWS makes neither twice under one name.
func (s *State) GuardsRun() bool {
	for _, r := range s.resources {
		if r.kind == watch || r.kind == group || r.kind == function {
			return true
		}
	}
	return false
}

// HasCache reports whether the state has a cache.
func (s *State) HasCache() bool {
	return slices.ContainsFunc(s.resources, func(r resource) bool { return IsCache(r.address) })
}

// Undeclared are resources in the state that the configuration in a folder does not have, by their module or their own address: what a destroy removes all the same.
// all: nothing in the state is of it, so the state is somebody else's. What a `moved` block names is the configuration's, under the address that it had before.
// Of a configuration in JSON, or in files that only OpenTofu reads, nothing is said.
// https://developer.hashicorp.com/terraform/language/block/moved, https://opentofu.org/docs/language/files/
func (s *State) Undeclared(dir string) (addresses []string, all bool, err error) {
	for _, unread := range []string{"*.tf.json", "*.tofu", "*.tofu.json"} {
		if found, err := workspace.Glob(dir, unread); err != nil || len(found) > 0 {
			return nil, false, err
		}
	}
	files, err := workspace.Glob(dir, "*.tf")
	declared := map[string]bool{}
	for _, file := range files {
		read, diags := hclparse.NewParser().ParseHCLFile(file)
		if diags.HasErrors() {
			return nil, false, diags
		}
		for _, b := range read.Body.(*hclsyntax.Body).Blocks {
			switch name := strings.Join(b.Labels, "."); b.Type {
			case "resource":
				declared[name] = true
			case "module":
				declared["module."+name] = true
			case "moved":
				if from := b.Body.Attributes["from"]; from != nil {
					declared[movedFrom(from.Expr)] = true
				}
			}
		}
	}
	for _, r := range s.resources {
		if parts := strings.SplitN(r.address, ".", 3); !declared[unkeyed.ReplaceAllString(strings.Join(parts[:2], "."), "")] {
			addresses = append(addresses, r.address)
		}
	}
	return addresses, len(s.resources) > 0 && len(addresses) == len(s.resources), err
}

// movedFrom is the module or the resource of the root that an address in a `moved` block starts with; "" if it is none.
func movedFrom(address hcl.Expression) string {
	steps, diags := hcl.AbsTraversalForExpr(address)
	if diags.HasErrors() || len(steps) < 2 {
		return ""
	}
	name, ok := steps[1].(hcl.TraverseAttr)
	if !ok {
		return ""
	}
	return steps.RootName() + "." + name.Name
}

// unkeyed takes the key of for_each or count off an address.
var unkeyed = regexp.MustCompile(`\[.*`)

// Elsewhere is an account and Region of a resource in the state that differs from the given ones; "" if there is none.
func (s *State) Elsewhere(account, region string) (otherAccount, otherRegion string) {
	for _, r := range s.resources {
		a, in := r.place()
		if otherAccount == "" && a != "" && a != account {
			otherAccount = a
		}
		if otherRegion == "" && in != "" && in != region {
			otherRegion = in
		}
	}
	return otherAccount, otherRegion
}

// place is the account and Region of a resource; "" for what it does not tell, or has not: IAM is in no Region.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func (r resource) place() (account, region string) {
	if parts := strings.SplitN(r.attributes.ARN, ":", 6); len(parts) == 6 {
		account, region = parts[4], parts[3]
	}
	if r.attributes.Region != "" {
		region = r.attributes.Region
	}
	return account, region
}
