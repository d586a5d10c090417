package dev

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
)

// One process for each version, however many commands ask at the same time; none is left.
func TestProvidersAreShared(t *testing.T) {
	dir := t.TempDir()
	folders := map[string]string{"a": "5.100.0", "b": "5.100.0", "c": "6.66.0", "d": ""}
	started := filepath.Join(dir, "started")
	for name, version := range folders {
		chosen := `{"terraform_version":"1.11.4","provider_selections":{}}`
		if version != "" {
			chosen = fmt.Sprintf(`{"provider_selections":{"registry.terraform.io/hashicorp/aws":%q}}`, version)
			script(t, filepath.Join(dir, name, "providers/registry.terraform.io/hashicorp/aws", version, "linux_amd64/terraform-provider-aws_v"+version+"_x5"),
				fmt.Sprintf("echo $$ >> '%s'\necho 'Provider started. Set:'\necho\nprintf '\\tTF_REATTACH_PROVIDERS=%%s\\n' \"'{%s}'\"\nexec sleep 600", started, version))
		}
		script(t, filepath.Join(dir, name, "terraform"), "echo '"+chosen+"'")
	}
	shared := shareProviders(t.Context())
	var asking sync.WaitGroup
	for range 3 {
		for name, version := range folders {
			asking.Go(func() {
				env, err := shared.environment(&terraform.CLI{Bin: filepath.Join(dir, name, "terraform"), Dir: dir}, filepath.Join(dir, name))
				assert.NoError(t, err)
				if version == "" {
					assert.Empty(t, env)
				} else {
					assert.Equal(t, []string{"TF_REATTACH_PROVIDERS={" + version + "}"}, env)
				}
			})
		}
	}
	asking.Wait()
	pids := strings.Fields(read(t, started))
	require.Len(t, pids, 2)
	shared.close()
	for _, text := range pids {
		pid, err := strconv.Atoi(text)
		require.NoError(t, err)
		require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "process %d", pid)
	}
}

func TestProviderThatCannotBeShared(t *testing.T) {
	dir := t.TempDir()
	terraform := &terraform.CLI{Bin: filepath.Join(dir, "terraform"), Dir: dir}
	script(t, terraform.Bin, `echo '{"provider_selections":{"registry.terraform.io/hashicorp/aws":"5.100.0"}}'`)
	shared := shareProviders(t.Context())
	_, err := shared.environment(terraform, dir)
	require.ErrorContains(t, err, "the aws provider 5.100.0 is not under "+dir+", where init should have put it")
	shared.close()

	program := filepath.Join(dir, "providers/registry.terraform.io/hashicorp/aws/5.100.0/linux_amd64/terraform-provider-aws_v5.100.0_x5")
	script(t, program, "echo starting; echo no memory >&2; exit 3")
	shared = shareProviders(t.Context())
	defer shared.close()
	for range 2 {
		_, err = shared.environment(terraform, dir)
		require.ErrorContains(t, err, program+" -debug did not say how Terraform reaches it: exit status 3\nno memory")
	}
}

func script(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o755))
}
