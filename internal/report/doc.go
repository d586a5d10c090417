// Package report turns the exported files of a run into its answer. It reads what it is given and calls nothing:
// the same functions serve a run on AWS and one on a laptop.
//
// Percentiles are shown per task and as the range over tasks, never averaged: an average of percentiles is no percentile.
package report
