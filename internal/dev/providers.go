package dev

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/proc"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// providers are processes of the aws provider that many Terraform commands share, one for each version. By itself Terraform starts the provider anew
// for every plan in a test, which takes a second and more (13 plans: 19.8 s, and 3.7 s with a shared one).
//
// They are for commands that configure no provider: validation, and tests that mock it. Commands that call AWS start their own, as everywhere.
// https://developer.hashicorp.com/terraform/plugin/debugging#terraform-cli-configuration-for-debugger-based-debugging
type providers struct {
	ctx     context.Context
	end     context.CancelFunc
	mu      sync.Mutex
	started map[string]func() ([]string, error) // by version: starts it the first time, and gives its environment
	running sync.WaitGroup
}

// shareProviders starts none yet; close ends them all.
func shareProviders(ctx context.Context) *providers {
	ctx, end := context.WithCancel(ctx)
	return &providers{ctx: ctx, end: end, started: map[string]func() ([]string, error){}}
}

func (p *providers) close() {
	p.end()
	p.running.Wait()
}

const awsProvider = "registry.terraform.io/hashicorp/aws"

// environment makes Terraform use a shared process of the provider that init has chosen in t's folder and installed under data. It is empty where the
// configuration has no aws provider.
func (p *providers) environment(t *terraform.CLI, data string) ([]string, error) {
	var out bytes.Buffer
	if err := t.Run(p.ctx, &out, "version", "-json"); err != nil {
		return nil, err
	}
	var chosen struct {
		Versions map[string]string `json:"provider_selections"`
	}
	if err := json.Unmarshal(out.Bytes(), &chosen); err != nil {
		return nil, fmt.Errorf("terraform version -json: %w", err)
	}
	version := chosen.Versions[awsProvider]
	if version == "" {
		return nil, nil
	}
	p.mu.Lock()
	shared := p.started[version]
	if shared == nil {
		shared = sync.OnceValues(func() ([]string, error) {
			programs, err := workspace.Glob(filepath.Join(data, "providers", awsProvider, version), "*/terraform-provider-aws*")
			if err != nil {
				return nil, err
			}
			if len(programs) == 0 {
				return nil, fmt.Errorf("the aws provider %s is not under %s, where init should have put it", version, data)
			}
			return p.start(programs[0], t.Env)
		})
		p.started[version] = shared
	}
	p.mu.Unlock()
	return shared()
}

// start starts a provider and returns the variable with its address, which it prints.
func (p *providers) start(program string, env []string) ([]string, error) {
	c := exec.CommandContext(p.ctx, program, "-debug")
	out, in := io.Pipe()
	var problems bytes.Buffer
	c.Env, c.Stdout, c.Stderr = env, in, &problems
	ended := make(chan error, 1)
	p.running.Go(func() {
		err := proc.Run(c, 10*time.Second)
		ended <- err
		_ = in.Close()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "TF_REATTACH_PROVIDERS='"); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }() // it must not wait for a reader
			return []string{"TF_REATTACH_PROVIDERS=" + strings.TrimSuffix(value, "'")}, nil
		}
	}
	return nil, fmt.Errorf("%s -debug did not say how Terraform reaches it: %v\n%s", program, <-ended, strings.TrimSpace(problems.String()))
}
