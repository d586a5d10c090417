package terraform

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// Inputs are the stack's variables as Terraform sees them: defaults, terraform.tfvars, *.auto.tfvars and TF_VAR_*, checked by their validations.
type Inputs struct {
	Name         string   `json:"name"`
	Region       string   `json:"aws_region"` // "" is the environment's
	VPC          string   `json:"vpc_id"`
	Subnets      []string `json:"subnet_ids"`
	LoadZones    string   `json:"load_zones"` // "": as the cache's nodes ask for
	Bucket       string   `json:"metrics_export_s3_bucket"`
	Prefix       string   `json:"metrics_export_s3_prefix"`
	KMSKey       string   `json:"metrics_export_kms_key_arn"` // "": S3's own
	Minutes      int      `json:"test_duration_minutes"`
	Architecture string   `json:"lambda_architecture"` // arm64 or x86_64
	Lambda       struct {
		Zip      string `json:"zip"`       // a file of the person's; "" with an object, or for what `mage build` makes
		S3Bucket string `json:"s3_bucket"` // "": no object
	} `json:"lambda"`
	Auth bool `json:"auth_token"` // whether there is one; the token itself is not read
	Load struct {
		TaskCount        int    `json:"task_count"`
		CPU              int    `json:"cpu"`          // units of 1/1024 vCPU
		Threads          int    `json:"threads"`      // 0: one for each vCPU
		Clients          int    `json:"clients"`      // of each thread
		RateLimit        int    `json:"rate_limit"`   // requests a second of each client; 0: none
		DataSize         int    `json:"data_size"`    // bytes; 0: sizes of several, or the workload's
		Memory           int    `json:"memory"`       // MiB
		Architecture     string `json:"architecture"` // X86_64 or ARM64
		Image            string `json:"image"`
		ImageCredentials string `json:"image_credentials_arn"` // "": none
		AssignPublicIP   bool   `json:"assign_public_ip"`
		Prefill          struct {
			Minutes int `json:"minutes"` // of its own, before the test's
		} `json:"prefill"`
	} `json:"load"`
	Cache struct {
		Engine        string            `json:"engine"`
		EngineVersion string            `json:"engine_version"`
		NodeType      string            `json:"node_type"`
		Shards        int               `json:"shards"`
		Replicas      int               `json:"replicas"`
		Port          int               `json:"port"`
		Parameters    map[string]string `json:"parameters"`
		Serverless    *Serverless       `json:"serverless"` // nil: nodes
	} `json:"cache"`
	ExistingCache *ExistingCache `json:"existing_cache"` // nil: the stack makes one
}

// Serverless are the limits of a serverless cache; 0: none.
type Serverless struct {
	MinGB   float64 `json:"min_storage_gb"`
	MaxGB   float64 `json:"max_storage_gb"`
	MinECPU float64 `json:"min_ecpu_per_second"`
	MaxECPU float64 `json:"max_ecpu_per_second"`
}

// BuildsLambda reports whether this project builds the Lambda's code, instead of the inputs naming a zip.
func (in *Inputs) BuildsLambda() bool { return in.Lambda.Zip == "" && in.Lambda.S3Bucket == "" }

// ExistingCache is a cache that existed before the stack. Unknown fields are empty.
type ExistingCache struct {
	Endpoint         string `json:"endpoint"`
	ReaderEndpoint   string `json:"reader_endpoint"`
	SecurityGroup    string `json:"security_group_id"`
	ReplicationGroup string `json:"replication_group_id"`
	Serverless       string `json:"serverless_cache"`
}

// filledIn lists the variables whose defaults and bounds are in a module; the root passes them on.
var filledIn = map[string]string{"load": "modules/ecs-load", "cache": "modules/cache"}

// ReadInputs reads the variables with Terraform, in a separate folder that has just the variables. Without provider, state or AWS
// it takes a tenth of a second, and reports errors in Terraform's own words. (terraform console would start the provider, and crashes on a
// value of the wrong type; a plan of the stack needs AWS, the zip and the bucket, which are yet to be checked.)
func ReadInputs(ctx context.Context, ws *workspace.Workspace, t *CLI) (*Inputs, error) {
	if err := CheckGiven(ws, t.Env); err != nil {
		return nil, err
	}
	args, err := inputArgs(ws, t.Env)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "elasticache-perf-inputs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // the plan holds the auth token
	if err := writeInputs(ws, dir); err != nil {
		return nil, err
	}
	var shown bytes.Buffer
	scratch := *t
	scratch.Dir, scratch.Out, scratch.Grace = dir, &shown, 0
	scratch.Env = append(workspace.Without(t.Env, func(name string) bool {
		return name == "TF_DATA_DIR" || name == "TF_WORKSPACE" || name == "TF_CLI_CONFIG_FILE" || strings.HasPrefix(name, "TF_CLI_ARGS")
	}), "TF_CLI_ARGS_plan="+args)
	if err := scratch.Init(ctx, false); err != nil {
		return nil, err
	}
	if _, err := scratch.Plan(ctx, "plan"); err != nil {
		var failed *Error
		if errors.As(err, &failed) {
			return nil, inputsError(ws, failed.Output)
		}
		return nil, err
	}
	var plan bytes.Buffer
	if err := scratch.Run(ctx, &plan, "show", "-json", "plan"); err != nil {
		return nil, err
	}
	var read struct {
		PlannedValues struct {
			Outputs struct{ Inputs struct{ Value *Inputs } }
		} `json:"planned_values"`
	}
	if err := json.Unmarshal(plan.Bytes(), &read); err != nil || read.PlannedValues.Outputs.Inputs.Value == nil {
		return nil, fmt.Errorf("the stack's inputs, as terraform show prints them: %w", errors.Join(err, errors.New("no value")))
	}
	return read.PlannedValues.Outputs.Inputs.Value, nil
}

var unset = regexp.MustCompile(`(?s)input\s+variable\s+"(\w+)"\s+is\s+not\s+set`)

// inputsError is Terraform's error; for variables that are not set, it says what they are for.
func inputsError(ws *workspace.Workspace, said string) error {
	declared, _, err := variables(filepath.Join(ws.Stack, "variables.tf"))
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, m := range unset.FindAllStringSubmatch(said, -1) {
		text := ""
		if a := declared[m[1]].Body.Attributes["description"]; a != nil {
			value, _ := a.Expr.Value(nil) // Terraform took it: it is a string
			text = value.AsString()
		}
		fmt.Fprintf(&list, "\n  - %s: %s", m[1], text)
	}
	if list.Len() > 0 && strings.Count(said, "Error: ") == strings.Count(list.String(), "\n  - ") {
		return fmt.Errorf("these inputs are not set; put them into terraform.tfvars (terraform.tfvars.example shows how), or into TF_VAR_NAME variables:%s", list.String())
	}
	return fmt.Errorf("the stack's inputs (terraform.tfvars, TF_VAR_ variables) are invalid:\n%s", said)
}

// writeInputs writes a configuration with the stack's variables that outputs their values.
func writeInputs(ws *workspace.Workspace, dir string) error {
	declared, _, err := variables(filepath.Join(ws.Stack, "variables.tf"))
	if err != nil {
		return err
	}
	values, err := workspace.Glob(ws.Stack, "*.auto.tfvars*")
	if err != nil {
		return err
	}
	for _, file := range append(values, filepath.Join(ws.Stack, "variables.tf"), filepath.Join(ws.Stack, "terraform.tfvars"), filepath.Join(ws.Stack, "terraform.tfvars.json")) {
		if err := link(file, filepath.Join(dir, filepath.Base(file))); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	var outputs, modules strings.Builder
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		value := "var." + name
		if name == "auth_token" {
			value += " != null"
		}
		if module := filledIn[name]; module != "" {
			if err := writeDefaults(ws, filepath.Join(dir, name), module, name); err != nil {
				return err
			}
			fmt.Fprintf(&modules, "module %q {\n  source = \"./%[1]s\"\n  %[1]s = var.%[1]s\n}\n", name)
			value = "module." + name + ".value"
		}
		fmt.Fprintf(&outputs, "    %s = %s\n", name, value)
	}
	text := fmt.Sprintf("%soutput \"inputs\" {\n  sensitive = true\n  value = {\n%s  }\n}\n", modules.String(), outputs.String())
	return os.WriteFile(filepath.Join(dir, "inputs.tf"), []byte(text), 0o600)
}

// writeDefaults writes a module with one variable of another module, with its type, defaults and validations, that outputs its value.
func writeDefaults(ws *workspace.Workspace, dir, module, name string) error {
	file := filepath.Join(ws.Root, module, "variables.tf")
	declared, text, err := variables(file)
	if err != nil {
		return err
	}
	block := declared[name]
	if block == nil {
		return fmt.Errorf("%s has no variable %q", ws.Path(file), name)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "variables.tf"), fmt.Appendf(nil, "%s\noutput \"value\" {\n  value = var.%s\n}\n", block.Range().SliceBytes(text), name), 0o600)
}

func link(file, to string) error {
	if _, err := os.Stat(file); err != nil {
		return err
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	return os.Symlink(abs, to)
}

// Config is the Lambda's configuration of a stack with these inputs, as far as names give it: they are known before anything is created.
func (in *Inputs) Config() shutdown.Config {
	return shutdown.Config{Name: in.Name, Bucket: in.Bucket, Prefix: in.Prefix, KMSKeyARN: in.KMSKey, Cluster: in.Name, Service: in.Name + "-load",
		Cache:     in.cache(),
		Logs:      shutdown.Logs{Load: "/elasticache-perf/" + in.Name + "/load"},
		Schedules: shutdown.Schedules{Group: in.Name, Watch: in.Name + "-watch", Stop: in.Name + "-load-stop"}, Minutes: in.Minutes}
}

// ParameterFamily is the parameter family of a new cache's nodes, as in modules/cache.
func (in *Inputs) ParameterFamily() string {
	version := in.Cache.EngineVersion
	if version == "" {
		version = map[string]string{"redis": "7.1", "valkey": "8.1"}[in.Cache.Engine]
	}
	if version == "6.2" {
		return in.Cache.Engine + "6.x"
	}
	major, _, _ := strings.Cut(version, ".")
	return in.Cache.Engine + major
}

// cache is the cache of a stack with these inputs.
func (in *Inputs) cache() shutdown.Cache {
	switch e := in.ExistingCache; {
	case e != nil:
		return shutdown.Cache{ReplicationGroup: e.ReplicationGroup, Serverless: e.Serverless}
	case in.Cache.Serverless != nil:
		return shutdown.Cache{Serverless: in.Name, Delete: true}
	}
	return shutdown.Cache{ReplicationGroup: in.Name, Delete: true}
}
