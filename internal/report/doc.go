// Package report turns the exported files of a run into its answer. It only reads its input, and makes no calls:
// the same functions serve a run on AWS and one on a laptop, and the answer depends on no clock and no randomness.
//
// Analyze makes Results, which is results.json (docs/results.schema.json). analyze.go is the entry; client.go and metrics.go read the two files in one
// pass each; phases.go, network.go, server.go, verdict.go with rules.go, and cost.go make its sections. Compare compares several Results.
//
// Percentiles of several tasks are merged from their histograms, or shown as the range over tasks, never averaged: an average of percentiles is
// not a percentile.
package report
