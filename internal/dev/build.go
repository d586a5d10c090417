// Package dev is this repository's own chores: build, tools, checks, tests, documents.
package dev

import (
	"context"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
)

// Build makes the Lambda's zip for the stack's architecture: arm64, or the one that ARCH or lambda_architecture says.
func Build(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	architecture := ws.Getenv("ARCH")
	if architecture == "" {
		architecture = ws.Getenv("TF_VAR_lambda_architecture")
	}
	if architecture == "" {
		architecture = "arm64"
		// The variables need not be complete to build; what terraform.tfvars says counts when they are.
		if t, err := terraform.Find(ws, con); err == nil {
			if in, err := terraform.ReadInputs(ctx, ws, t); err == nil {
				architecture = in.Architecture
			}
		}
	}
	return gobuild.Lambda(ctx, ws, con, architecture)
}
