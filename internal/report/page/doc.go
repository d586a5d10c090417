// Package page writes a run's Results for people: Text for a terminal, HTML as one file that opens offline, and the same two for a Comparison.
// Status is a live run on a few lines. The package decides how things look, and nothing else: every figure is Results'.
package page
