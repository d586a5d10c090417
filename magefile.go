//go:build mage

// Ephemeral ElastiCache performance runs: deploy, load, export, destroy.
package main

import (
	"github.com/magefile/mage/mg"

	"github.com/elasticache-perf/elasticache-perf/internal/dev"
	"github.com/elasticache-perf/elasticache-perf/internal/ops"
)

// Aliases: `mage test` runs the suites that a change has to pass, `mage campaign` a campaign.
var Aliases = map[string]any{"test": Test.Default, "campaign": Campaign.Default}

// Build makes the Lambda's zip, byte for byte the same for the same sources.
func Build() error { return ops.Run(dev.Build) }

// Release makes dist/ for people without Go: both zips, the stack and its modules as a tarball, and their SHA-256 sums.
func Release() error { return ops.Run(dev.Release) }

// Validate checks inputs, bucket, subnets and quota, and says what to do.
func Validate() error { return ops.Run(ops.Validate) }

// Deploy creates the stack and waits until the load runs (APPROVE=1: yes to every question).
func Deploy() error { return ops.Run(ops.Deploy) }

// Status shows where the run stands.
func Status() error { return ops.Run(ops.Status) }

// Watch keeps the status in view until the run is over.
func Watch() error { return ops.Run(ops.Watch) }

// Stop ends the run now: stops the load, exports, deletes the cache.
func Stop() error { return ops.Run(ops.Stop) }

// Export writes a run's exports again from what CloudWatch still has (RUN=...).
func Export() error { return ops.Run(ops.Export) }

// Report says what a run did and what limited it (RUN=, RUNS=a,b, FROM=folder, UPLOAD=1).
func Report() error { return ops.Run(ops.Report) }

// Destroy removes the stack; a run that is not exported is exported first (APPROVE=1: yes to every question; FORCE=1: the run is lost).
func Destroy() error { return ops.Run(ops.Destroy) }

// Sweep lists every stack in the account and Region, guarded or not; SWEEP=name or all ends, exports and removes one (APPROVE=1: yes to every question).
func Sweep() error { return ops.Run(ops.Sweep) }

// Help prints the environment variables of the commands, their values and defaults; `mage help deploy` those of deploy.
func Help() error { return ops.Run(ops.Help) }

// Check runs gofmt, go vet, terraform fmt and validate, terraform-docs and tflint.
func Check() error { return ops.Run(dev.Check) }

// Bench measures the export's speed, calls and memory (BENCH=name, COUNT=6).
func Bench() error { return ops.Run(dev.Bench) }

// Clean removes what builds, tests and local runs left.
func Clean() error { return ops.Run(dev.Clean) }

// Campaign compares several settings, each run in a stack of its own.
type Campaign mg.Namespace

// Default runs the missing runs of a campaign, and ranks its variants: the same as `mage campaign` (CAMPAIGN=file, APPROVE=1).
func (Campaign) Default() error { return ops.Run(ops.Campaign) }

// Status shows where the runs of a campaign stand (CAMPAIGN=file).
func (Campaign) Status() error { return ops.Run(ops.CampaignStatus) }

// Report ranks the variants by the runs that have measured (CAMPAIGN=file, UPLOAD=1).
func (Campaign) Report() error { return ops.Run(ops.CampaignReport) }

// Destroy ends and removes all stacks of a campaign (CAMPAIGN=file, APPROVE=1).
func (Campaign) Destroy() error { return ops.Run(ops.CampaignDestroy) }

// Local runs everything on this machine.
type Local mg.Namespace

// Run takes a run from end to end on an embedded AWS and prints what came out (MINUTES=1).
func (Local) Run() error { return ops.Run(ops.LocalRun) }

// Up keeps an embedded AWS running and prints the environment that leads to it (FAULT=, QUOTAS=1).
func (Local) Up() error { return ops.Run(ops.LocalUp) }

// Campaign takes a campaign through an embedded AWS, several stacks at the same time (CAMPAIGN=file, MINUTES=).
func (Local) Campaign() error { return ops.Run(ops.LocalCampaign) }

// Test is what proves the project.
type Test mg.Namespace

// Default runs unit, modules, drawn pages, faults and e2e: the same as `mage test`.
func (Test) Default() error { return ops.Run(dev.Test) }

// Unit runs the Go tests.
func (Test) Unit() error { return ops.Run(dev.TestUnit) }

// Modules runs the tests of the Terraform modules and the stack.
func (Test) Modules() error { return ops.Run(dev.TestModules) }

// E2E runs the journeys on the embedded AWS (E2E_TARGET=aws: in your account).
func (Test) E2E() error { return ops.Run(dev.TestE2E) }

// Faults kills the stop at every write and breaks every call; the run must end all the same.
func (Test) Faults() error { return ops.Run(dev.TestFaults) }

// Pages opens report and dashboard in Chromium and keeps screenshots.
func (Test) Pages() error { return ops.Run(dev.TestPages) }

// Docs checks the modules' READMEs against terraform-docs, and runs tflint.
func (Test) Docs() error { return ops.Run(dev.TestDocs) }

// Versions builds Terraform 1.3, 1.5 and OpenTofu, and runs validate, plan and a journey on each (VERSIONS=tofu).
func (Test) Versions() error { return ops.Run(dev.TestVersions) }

// Flakes runs every test 30 times and every journey 5 times beside busy loops (COUNT=, JOURNEYS=, FLAKES=package).
func (Test) Flakes() error { return ops.Run(dev.TestFlakes) }

// All runs everything but the versions, the longer suites too.
func (Test) All() error { return ops.Run(dev.TestAll) }
