// Package report turns the exported files of a run into its answer. It reads what it is given and calls nothing:
// the same functions serve a run on AWS and one on a laptop, and no clock or chance is in the answer.
//
// Analyze makes Results, which is results.json (docs/results.schema.json): read.go leads through it, client.go and metrics.go read the two files
// in one pass each, phases.go, network.go, server.go, verdict.go with rules.go, and cost.go are its sections. Compare holds several Results against each other.
//
// Percentiles of several tasks are merged from their histograms, or shown as the range over tasks, never averaged: an average of percentiles is
// no percentile.
package report
