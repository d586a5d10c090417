package cloudwatch

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// checker collects what is wrong with a dashboard body: an error refuses it, a warning is answered.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
type checker struct {
	errs, warnings []validationMessage
	fetched        int // metrics and expressions, of all widgets
}

func (c *checker) fail(path, format string, args ...any) {
	c.errs = append(c.errs, validationMessage{path, fmt.Sprintf(format, args...)})
}

func (c *checker) warn(path, format string, args ...any) {
	c.warnings = append(c.warnings, validationMessage{path, fmt.Sprintf(format, args...)})
}

type object = map[string]any

var (
	rootMembers   = []string{"widgets", "start", "end", "periodOverride", "variables"}
	widgetMembers = []string{"type", "x", "y", "width", "height", "properties"}
	widgetTypes   = []string{"metric", "text", "log", "alarm", "explorer", "custom"}
	properties    = map[string][]string{
		"text":  {"markdown", "background"},
		"alarm": {"alarms", "sortBy", "states", "title"},
		"log":   {"query", "queryLanguage", "logGroups", "region", "accountId", "title", "view", "stacked"},
		"metric": {"metrics", "annotations", "region", "accountId", "title", "view", "stacked", "period", "stat", "legend", "liveData",
			"yAxis", "singleValueFullPrecision", "setPeriodToTimeRange", "sparkline", "timezone", "trend", "start", "end", "table", "labels", "gauge", "min", "max"},
	}
	rendering = []string{"accountId", "color", "expression", "id", "label", "period", "region", "stat", "visible", "yAxis"}
	isTime    = regexp.MustCompile(`^(-P(\d+[YMWD])*(T(\d+[HMS])+)?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)$`)
)

func checkBody(body string) (errs, warnings []validationMessage) {
	var root object
	c := &checker{}
	if err := json.Unmarshal([]byte(body), &root); err != nil {
		c.fail("", "The field DashboardBody must be a valid JSON object: %v", err)
		return c.errs, nil
	}
	c.members("", root, rootMembers)
	for _, k := range []string{"start", "end"} {
		if v, ok := root[k]; ok {
			if s, _ := v.(string); !isTime.MatchString(s) || k == "end" && strings.HasPrefix(s, "-") {
				c.fail("/"+k, "Should be an ISO 8601 time in UTC, or for start a duration such as -PT3H")
			}
		}
	}
	c.oneOf("/periodOverride", root["periodOverride"], "auto", "inherit")
	widgets, ok := root["widgets"].([]any)
	if !ok {
		c.fail("/widgets", "Should be an array")
	}
	if len(widgets) > 500 {
		c.fail("/widgets", "Should NOT have more than 500 items")
	}
	for i, w := range widgets {
		c.widget(fmt.Sprintf("/widgets/%d", i), w)
	}
	if c.fetched > 2500 {
		c.fail("/widgets", "Should NOT have more than 2500 metrics in all widgets, hidden ones and expressions too: there are %d", c.fetched)
	}
	return c.errs, c.warnings
}

func (c *checker) members(path string, o object, known []string) {
	for k := range o {
		if !slices.Contains(known, k) {
			c.warn(path+"/"+k, "Should NOT have additional properties")
		}
	}
}

func (c *checker) oneOf(path string, v any, values ...string) {
	if v == nil {
		return
	}
	if s, ok := v.(string); !ok || !slices.Contains(values, s) {
		c.fail(path, "Should be equal to one of the allowed values: %s", strings.Join(values, ", "))
	}
}

// integer checks an optional whole number of low to high.
func (c *checker) integer(path string, v any, low, high float64) {
	if v == nil {
		return
	}
	if n, ok := v.(float64); !ok || n != float64(int(n)) || n < low || n > high {
		c.fail(path, "Should be an integer from %g to %g", low, high)
	}
}

func (c *checker) text(path string, o object, member string, required bool) {
	v, ok := o[member]
	if !ok && required {
		c.fail(path, "Should have required property %q", member)
	}
	if s, isText := v.(string); ok && (!isText || required && s == "") {
		c.fail(path+"/"+member, "Should be a string")
	}
}

func (c *checker) widget(path string, v any) {
	w, ok := v.(object)
	if !ok {
		c.fail(path, "Should be an object")
		return
	}
	c.members(path, w, widgetMembers)
	kind, _ := w["type"].(string)
	if !slices.Contains(widgetTypes, kind) {
		c.fail(path+"/type", "Should be one of %s", strings.Join(widgetTypes, ", "))
		return
	}
	c.integer(path+"/x", w["x"], 0, 23)
	c.integer(path+"/y", w["y"], 0, 1e9)
	c.integer(path+"/width", w["width"], 1, 24)
	c.integer(path+"/height", w["height"], 1, 1000)
	if (w["x"] == nil) != (w["y"] == nil) {
		c.fail(path, "x and y must be given together")
	}
	x, _ := w["x"].(float64)
	width, hasWidth := w["width"].(float64)
	if !hasWidth {
		width = 6
	}
	if x+width > 24 {
		c.warn(path, "The widget reaches over column 24: x is %g and width %g", x, width)
	}
	p, ok := w["properties"].(object)
	if !ok {
		c.fail(path, "Should have required property \"properties\"")
		return
	}
	path += "/properties"
	if known := properties[kind]; known != nil {
		c.members(path, p, known)
	}
	switch kind {
	case "text":
		c.text(path, p, "markdown", true)
		c.oneOf(path+"/background", p["background"], "transparent", "solid")
	case "alarm":
		if l, ok := p["alarms"].([]any); !ok || len(l) < 1 || len(l) > 100 {
			c.fail(path+"/alarms", "Should be an array of 1 to 100 alarm ARNs")
		}
		c.text(path, p, "title", false)
	case "log":
		c.text(path, p, "query", true)
		c.text(path, p, "region", true)
		c.text(path, p, "title", false)
		c.oneOf(path+"/view", p["view"], "table", "timeSeries", "bar", "pie")
	case "metric":
		c.metricProperties(path, p)
	}
}

func (c *checker) metricProperties(path string, p object) {
	c.text(path, p, "title", false)
	c.text(path, p, "region", false)
	c.oneOf(path+"/view", p["view"], "timeSeries", "singleValue", "gauge", "bar", "pie", "table")
	if v, ok := p["stacked"]; ok {
		if _, ok := v.(bool); !ok {
			c.fail(path+"/stacked", "Should be a boolean")
		}
	}
	c.period(path+"/period", p["period"])
	metrics, hasMetrics := p["metrics"].([]any)
	if _, given := p["metrics"]; given && !hasMetrics {
		c.fail(path+"/metrics", "Should be an array")
	}
	annotations, _ := p["annotations"].(object)
	if !hasMetrics && annotations["alarms"] == nil {
		c.fail(path, "Should have required property \"metrics\", or \"annotations\" with alarms")
	}
	if _, ok := p["region"].(string); !ok && hasMetrics {
		c.fail(path, "Should have required property \"region\"")
	}
	if len(metrics) > 500 {
		c.fail(path+"/metrics", "Should NOT have more than 500 items")
	}
	c.fetched += len(metrics)
	ids := map[string]bool{}
	for i, m := range metrics {
		c.metric(fmt.Sprintf("%s/metrics/%d", path, i), m, i == 0, ids)
	}
	for k := range annotations {
		if !slices.Contains([]string{"alarms", "horizontal", "vertical"}, k) {
			c.warn(path+"/annotations/"+k, "Should NOT have additional properties")
		}
	}
	for _, band := range list(annotations["horizontal"]) {
		lines, isBand := band.([]any) // a band is two lines
		if !isBand {
			lines = []any{band}
		}
		for _, line := range lines {
			c.line(path+"/annotations/horizontal", line)
		}
	}
	if axes, ok := p["yAxis"].(object); ok {
		for side, v := range axes {
			axis, ok := v.(object)
			if !ok || side != "left" && side != "right" {
				c.fail(path+"/yAxis/"+side, "Should be an object, left or right")
			}
			c.members(path+"/yAxis/"+side, axis, []string{"label", "min", "max", "showUnits"})
			c.text(path+"/yAxis/"+side, axis, "label", false)
			c.of(path+"/yAxis/"+side, axis, isNumber, "min", "max")
			c.of(path+"/yAxis/"+side, axis, isBool, "showUnits")
		}
	}
	if legend, ok := p["legend"].(object); ok {
		c.oneOf(path+"/legend/position", legend["position"], "right", "bottom", "hidden")
	}
}

func list(v any) []any { l, _ := v.([]any); return l }

func isNumber(v any) string {
	if _, ok := v.(float64); !ok {
		return "Should be a number"
	}
	return ""
}

func isBool(v any) string {
	if _, ok := v.(bool); !ok {
		return "Should be a boolean"
	}
	return ""
}

// of checks optional members of an object.
func (c *checker) of(path string, o object, is func(any) string, members ...string) {
	for _, m := range members {
		if v, ok := o[m]; ok {
			if problem := is(v); problem != "" {
				c.fail(path+"/"+m, "%s", problem)
			}
		}
	}
}

// line checks a horizontal annotation.
func (c *checker) line(path string, v any) {
	o, ok := v.(object)
	if !ok {
		c.fail(path, "Should be an object, or an array of two")
		return
	}
	if problem := isNumber(o["value"]); problem != "" {
		c.fail(path+"/value", "%s", problem)
	}
	c.members(path, o, []string{"value", "label", "color", "fill", "visible", "yAxis"})
	c.text(path, o, "label", false)
	c.of(path, o, isColor, "color")
	c.of(path, o, isBool, "visible")
	c.oneOf(path+"/fill", o["fill"], "above", "below", "none")
	c.oneOf(path+"/yAxis", o["yAxis"], "left", "right")
}

var color = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)

func isColor(v any) string {
	if s, _ := v.(string); !color.MatchString(s) {
		return "Should be a colour of six hexadecimal digits behind #"
	}
	return ""
}

func (c *checker) period(path string, v any) {
	if v == nil {
		return
	}
	if n, ok := v.(float64); !ok || checkPeriod("period", int(n)) != nil || n != float64(int(n)) {
		c.fail(path, "Should be 1, 5, 10, 20, 30 or a multiple of 60")
	}
}

// metric checks [namespace, name, (dimension, value)*, {rendering}?] or [{expression}]. "." repeats the value above
// and "..." all up to the last ones, so neither can be in the first metric.
func (c *checker) metric(path string, v any, first bool, ids map[string]bool) {
	m, ok := v.([]any)
	if !ok || len(m) == 0 {
		c.fail(path, "Should be an array of namespace, metric name, dimension names and values")
		return
	}
	last := len(m) - 1
	if o, ok := m[last].(object); ok {
		c.members(path, o, rendering)
		c.period(fmt.Sprintf("%s/%d/period", path, last), o["period"])
		c.oneOf(fmt.Sprintf("%s/%d/yAxis", path, last), o["yAxis"], "left", "right")
		at := fmt.Sprintf("%s/%d", path, last)
		c.text(at, o, "label", false)
		c.text(at, o, "stat", false)
		c.of(at, o, isColor, "color")
		c.of(at, o, isBool, "visible")
		if id, given := o["id"]; given {
			text, _ := id.(string)
			if !queryID.MatchString(text) || len(text) > 255 || ids[text] {
				c.fail(at+"/id", "Should begin with a lower-case letter, hold letters, digits and underscores only, and be the only one of its graph")
			}
			ids[text] = true
		}
		if e, isExpression := o["expression"]; isExpression {
			if text, _ := e.(string); text == "" || len(text) > 1024 || last != 0 {
				c.fail(at+"/expression", "Should be a string of 1 to 1024 characters in an array of its own")
			}
			return
		}
		m = m[:last]
	}
	short := false
	for i, e := range m {
		s, ok := e.(string)
		if !ok || s == "" {
			c.fail(fmt.Sprintf("%s/%d", path, i), "Should be a string")
			return
		}
		short = short || s == "..."
		if first && (s == "." || s == "...") {
			c.fail(fmt.Sprintf("%s/%d", path, i), "There is no metric before this one to repeat")
		}
	}
	if !short && (len(m) < 2 || len(m)%2 != 0) {
		c.fail(path, "Should have a namespace, a metric name, and for each dimension a name and a value")
	}
}
