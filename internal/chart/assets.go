package chart

import (
	_ "embed"
	"html/template"
)

// Style is the stylesheet of charts, and Script shows their values on hover, on touch and by the arrow keys. A page that has
// charts embeds both; one that changes its charts later calls charts() again.
var (
	//go:embed chart.css
	style string
	//go:embed chart.js
	script string

	Stylesheet = template.CSS(style)
	Script     = template.JS(script) // #nosec G203 -- our own file
)
