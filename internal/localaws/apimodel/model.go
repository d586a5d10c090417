// Package apimodel checks exchanges of the embedded AWS against AWS's own API models: member names, required
// members, enums, patterns, bounds and status codes of every request and answer.
//
// The models are data inside the module github.com/aws/aws-sdk-go v1.55.8, the last that ships them; nothing of
// it is linked into the product. They end in July 2024, so an action, a member or an enum value that they lack is
// accepted if the current SDK v2 has it in the same place (found by reflection).
//
// Not checked: S3 (a library's wire), blobs, and the text of errors.
package apimodel

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// services maps a SigV4 service name to its model and to the SDK v2 client that knows what is newer.
var services = map[string]struct {
	dir    string
	client reflect.Type
}{
	"ec2":           {"ec2/2016-11-15", reflect.TypeFor[*ec2.Client]()},
	"ecs":           {"ecs/2014-11-13", reflect.TypeFor[*ecs.Client]()},
	"elasticache":   {"elasticache/2015-02-02", reflect.TypeFor[*elasticache.Client]()},
	"iam":           {"iam/2010-05-08", reflect.TypeFor[*iam.Client]()},
	"lambda":        {"lambda/2015-03-31", reflect.TypeFor[*lambda.Client]()},
	"logs":          {"logs/2014-03-28", reflect.TypeFor[*cloudwatchlogs.Client]()},
	"monitoring":    {"monitoring/2010-08-01", reflect.TypeFor[*cloudwatch.Client]()},
	"pricing":       {"pricing/2017-10-15", reflect.TypeFor[*pricing.Client]()},
	"scheduler":     {"scheduler/2021-06-30", reflect.TypeFor[*scheduler.Client]()},
	"servicequotas": {"service-quotas/2019-06-24", reflect.TypeFor[*servicequotas.Client]()},
	"sns":           {"sns/2010-03-31", reflect.TypeFor[*sns.Client]()},
	"sqs":           {"sqs/2012-11-05", reflect.TypeFor[*sqs.Client]()},
	"ssm":           {"ssm/2014-11-06", reflect.TypeFor[*ssm.Client]()},
	"sts":           {"sts/2011-06-15", reflect.TypeFor[*sts.Client]()},
	"tagging":       {"resourcegroupstaggingapi/2017-01-26", reflect.TypeFor[*resourcegroupstaggingapi.Client]()},
}

type ref struct {
	Shape, Location, LocationName, QueryName string
	Flattened                                bool
}

type shape struct {
	Type       string
	Members    map[string]ref
	Required   []string
	Payload    string
	Member     ref // of a list
	Key, Value ref // of a map
	Flattened  bool
	Enum       []string
	Pattern    string
	Min, Max   *float64
	Error      struct { // of an exception
		Code           string
		HTTPStatusCode int
	}
}

type operation struct {
	HTTP struct {
		Method, RequestURI string
		ResponseCode       int
	}
	Input, Output struct{ Shape string }
	Errors        []struct{ Shape string }
}

type model struct {
	Metadata   struct{ Protocol string }
	Operations map[string]operation
	Shapes     map[string]shape
	client     reflect.Type
}

// Models are AWS's, loaded one service at a time when they are first needed. Safe for concurrent use.
type Models struct {
	dir     string
	mu      sync.Mutex
	loaded  map[string]*model
	checked map[string]bool // service/shape of every structure that was seen
	actions map[string]bool // service.action
}

// Load finds the models in the module cache.
func Load() (*Models, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go").Output()
	if dir := strings.TrimSpace(string(out)); err == nil && dir == "" { // known, but not downloaded
		if err = exec.Command("go", "mod", "download", "github.com/aws/aws-sdk-go").Run(); err == nil {
			out, err = exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go").Output()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find the module github.com/aws/aws-sdk-go, which holds AWS's API models: %w", err)
	}
	return &Models{dir: filepath.Join(strings.TrimSpace(string(out)), "models", "apis"), loaded: map[string]*model{},
		checked: map[string]bool{}, actions: map[string]bool{}}, nil
}

var errNoModel = errors.New("no model")

func (m *Models) model(service string) (*model, error) {
	if md, ok := m.loaded[service]; ok {
		return md, nil
	}
	s, ok := services[service]
	if !ok {
		return nil, fmt.Errorf("%w for service %q", errNoModel, service)
	}
	b, err := os.ReadFile(filepath.Join(m.dir, s.dir, "api-2.json"))
	if err != nil {
		return nil, fmt.Errorf("model of %s: %w", service, err)
	}
	md := &model{client: s.client}
	if err := json.Unmarshal(b, md); err != nil {
		return nil, fmt.Errorf("model of %s: %w", service, err)
	}
	m.loaded[service] = md
	return md, nil
}

// Coverage is how many structure shapes were seen in exchanges, of how many that the called actions can carry.
func (m *Models) Coverage() (seen, reachable, actions int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	reach := map[string]bool{}
	for sa := range m.actions {
		service, action, _ := strings.Cut(sa, ".")
		md := m.loaded[service]
		op := md.Operations[action]
		md.reach(service, op.Input.Shape, reach)
		md.reach(service, op.Output.Shape, reach)
	}
	return len(m.checked), len(reach), len(m.actions)
}

func (md *model) reach(service, name string, seen map[string]bool) {
	s, ok := md.Shapes[name]
	if !ok || seen[service+"/"+name] {
		return
	}
	if s.Type == "structure" {
		seen[service+"/"+name] = true
	}
	for _, r := range s.Members {
		md.reach(service, r.Shape, seen)
	}
	for _, r := range []ref{s.Member, s.Key, s.Value} {
		md.reach(service, r.Shape, seen)
	}
}
