// Package page presents a run's Results: Text for a terminal, HTML as one file that opens offline, and the same two for a Comparison. Status is
// a live run in a few lines. The package only decides how things look: every figure is computed in Results.
package page
