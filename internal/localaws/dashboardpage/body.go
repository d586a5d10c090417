package dashboardpage

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// body is a dashboard body.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
type body struct {
	Start   string   `json:"start"` // a time, or a duration such as -PT3H
	End     string   `json:"end"`
	Widgets []widget `json:"widgets"`
}

// window is what the dashboard covers when it is opened; ok is false when it does not say that in times.
func (b *body) window(now time.Time) (from, to time.Time, ok bool) {
	from, err := time.Parse(time.RFC3339, b.Start)
	if to = now; err != nil || from.After(now) {
		return from, to, false
	}
	if end, err := time.Parse(time.RFC3339, b.End); err == nil && end.Before(now) {
		to = end
	}
	return from, to, true
}

type widget struct {
	Type       string     `json:"type"`
	X          *int       `json:"x"`
	Y          *int       `json:"y"`
	Width      int        `json:"width"`
	Height     int        `json:"height"`
	Properties properties `json:"properties"`
}

type properties struct {
	Markdown    string  `json:"markdown"`
	Query       string  `json:"query"`
	Title       string  `json:"title"`
	View        string  `json:"view"`
	Period      int     `json:"period"`
	Stat        string  `json:"stat"`
	Metrics     [][]any `json:"metrics"`
	Annotations struct {
		Horizontal []json.RawMessage `json:"horizontal"` // a line, or two that bound a band
		Vertical   []json.RawMessage `json:"vertical"`
	} `json:"annotations"`
	YAxis struct {
		Left axis `json:"left"`
	} `json:"yAxis"`
}

type axis struct {
	Label string   `json:"label"`
	Max   *float64 `json:"max"`
}

type annotation struct {
	Label string `json:"label"`
	Value any    `json:"value"` // a number; of a vertical one a time
}

// Metric is one line of a graph.
type Metric struct {
	Namespace, Name string
	Dimensions      [][2]string
	Stat            string
	Period          time.Duration

	label  string
	color  string
	right  bool
	id     string
	hidden bool // others are calculated from it
}

// expression is a line that is calculated from metrics.
type expression struct{ text, label, color string }

func parse(text string) (*body, error) {
	b := &body{}
	if err := json.Unmarshal([]byte(text), b); err != nil {
		return nil, fmt.Errorf("dashboard body: %w", err)
	}
	for i := range b.Widgets {
		w := &b.Widgets[i]
		if w.Width == 0 {
			w.Width = 6 // the documented default of both
		}
		if w.Height == 0 {
			w.Height = 6
		}
	}
	return b, nil
}

// metrics are those of a widget with their shorthands resolved: "." repeats the value above, "..." all up to those that follow it.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html#CloudWatch-Dashboard-Properties-Metrics-Array-Format
func (p *properties) metrics() (all []Metric, math []expression) {
	var above []string
	for _, m := range p.Metrics {
		options := map[string]any{}
		if len(m) > 0 {
			if o, is := m[len(m)-1].(map[string]any); is {
				options, m = o, m[:len(m)-1]
			}
		}
		if e, is := options["expression"].(string); is {
			if visible, is := options["visible"].(bool); !is || visible {
				math = append(math, expression{e, first(text(options["label"]), e), text(options["color"])})
			}
			continue
		}
		words := make([]string, 0, len(m))
		for i, v := range m {
			word, _ := v.(string)
			switch {
			case word == "..." && len(above) >= len(m)-1:
				words = append(words, above[:len(above)-(len(m)-1-i)]...)
			case word == "." && len(words) < len(above):
				words = append(words, above[len(words)])
			default:
				words = append(words, word)
			}
		}
		above = words
		if len(words) < 2 {
			continue
		}
		visible, is := options["visible"].(bool)
		one := Metric{id: text(options["id"]), hidden: is && !visible, Namespace: words[0], Name: words[1], Stat: first(text(options["stat"]), p.Stat, "Average"), Period: time.Duration(p.Period) * time.Second}
		if period, is := options["period"].(float64); is {
			one.Period = time.Duration(period) * time.Second
		}
		if one.Period == 0 {
			one.Period = 5 * time.Minute // the documented default
		}
		for pair := range slices.Chunk(words[2:], 2) {
			if len(pair) == 2 {
				one.Dimensions = append(one.Dimensions, [2]string{pair[0], pair[1]})
			}
		}
		one.label, one.color = first(text(options["label"]), one.Name), text(options["color"])
		if one.right = text(options["yAxis"]) == "right"; one.right {
			one.label += " (right axis on AWS)"
		}
		all = append(all, one)
	}
	return all, math
}

func text(v any) string { s, _ := v.(string); return s }

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// annotations reads the lines of a list; a band is its two lines.
func annotations(raw []json.RawMessage) []annotation {
	var all []annotation
	for _, r := range raw {
		var many []annotation
		var one annotation
		if strings.HasPrefix(strings.TrimSpace(string(r)), "[") {
			if json.Unmarshal(r, &many) == nil {
				all = append(all, many...)
			}
		} else if json.Unmarshal(r, &one) == nil {
			all = append(all, one)
		}
	}
	return all
}
