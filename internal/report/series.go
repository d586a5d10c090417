package report

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Series is evenly spaced values from Start on, one per Step; NaN (null in JSON) if there is no value. A value covers [Start+i*Step,
// Start+(i+1)*Step). A long run is down-sampled: Values are then means (maxima if Stat is "max"), and Low and High the extremes that were measured;
// otherwise they are empty.
type Series struct {
	Name        string    `json:"name"`
	Unit        string    `json:"unit"`
	Stat        string    `json:"stat"` // mean or max
	Start       time.Time `json:"start"`
	StepSeconds int       `json:"step_seconds"`
	Values      Values    `json:"values"`
	Low         Values    `json:"low"`
	High        Values    `json:"high"`
}

func (s *Series) At(i int) time.Time {
	return s.Start.Add(time.Duration(i*s.StepSeconds) * time.Second)
}

func (s *Series) End() time.Time { return s.At(len(s.Values)) }

// Values are numbers, some of which can be unknown: NaN, null in JSON. They are written with six significant digits.
type Values []float64

// MarshalJSON writes NaN and infinities as null.
func (v Values) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 2+8*len(v))
	b = append(b, '[')
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			b = append(b, "null"...)
			continue
		}
		mark := len(b)
		if b = strconv.AppendFloat(b, x, 'g', 6, 64); math.Abs(x) >= 1e6 && math.Abs(x) < 1e15 {
			b = strconv.AppendFloat(b[:mark], math.Round(x), 'f', -1, 64) // 1234567, not 1.23457e+06
		}
	}
	return append(b, ']'), nil
}

// UnmarshalJSON reads null as NaN.
func (v *Values) UnmarshalJSON(text []byte) error {
	var read []*float64
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	*v = make(Values, len(read))
	for i, x := range read {
		if (*v)[i] = math.NaN(); x != nil {
			(*v)[i] = *x
		}
	}
	return nil
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// Thousands formats a whole number with separators: 1234567.8 is 1,234,568.
func Thousands(v float64) string {
	s := fmt.Sprintf("%.0f", math.Abs(v))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if v <= -0.5 {
		s = "-" + s
	}
	return s
}
