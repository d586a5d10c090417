// Package chart draws charts as SVG for self-contained pages: the report, and the dashboard of the embedded AWS.
//
// A chart fits any width without its text being scaled: the SVG has no viewBox, positions along x are percentages, and
// only the lines lie in a nested, stretched one. Colours are CSS variables, so light, dark and paper are the
// stylesheet's work. The data is also in the page as JSON, from which Script shows the values under the pointer.
//
// It knows nothing of caches or AWS. docs/adr/0003-own-svg-writer.md says why it exists.
package chart
