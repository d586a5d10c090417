package chart

import "math"

// Axis is what the x axis counts.
type Axis int

const (
	Time       Axis = iota // Unix seconds; labels in UTC
	Elapsed                // seconds since a start
	Percentile             // 0 to below 100, on a logarithmic axis of 1/(1-q): 90, 99, 99.9 ... are evenly apart
	Ordinal                // 0, 1, 2 ...: one place for each of Names
	Quantity               // from 0, in XUnit; dots of one value have their series' name beside them
)

// Chart is one chart. Values that are NaN or infinite are gaps.
type Chart struct {
	ID    string // of the figure element; unique on its page
	Title string
	Unit  string // of y, for example "operations/s"; "%" and "bytes" are written as people do
	Note  string // a sentence below the title: where the data is from, or why there is none

	X        Axis
	XUnit    string   // of a Quantity
	From, To float64  // ends of the x axis; both 0: as far as the data and Bands go
	Names    []string // of the places on an Ordinal axis
	Top      float64  // the y axis reaches at least here
	Log      bool     // y is logarithmic; only values above 0 are drawn

	Series []Series
	Bands  []Band
	Lines  []Line
	Marks  []Mark
}

// Series is one set of values. X rises.
type Series struct {
	Name string
	X, Y []float64
	// Low and High, where set, are drawn as an area around Y: the lowest and the highest of the values behind each Y.
	Low, High []float64
	Step      float64 // usual distance of neighbours: more than 2.5 of it is a gap; 0: there are no gaps
	Style     Style
	Color     int // 1 to Colors; 0: by its place among the series
}

// Style is how a series is drawn.
type Style int

const (
	Solid Style = iota
	Dashed
	Dots
	Rings // as Dots, for more series than there are colours
	Bars
)

// Colors is how many colours the stylesheet has.
const Colors = 8

// Band marks a stretch of the x axis, for example a phase.
type Band struct {
	Name     string
	From, To float64
	Muted    bool // outside of what counts
}

// Line is a horizontal limit. One far above the values would flatten them: it is named at the top with an arrow instead.
type Line struct {
	Name string
	Y    float64
}

// Mark is an event on the x axis.
type Mark struct {
	Name string
	X    float64
}

// maxPoints is how many points of a series are drawn; a longer one is thinned.
const maxPoints = 2000

// Thin gives at most limit points: each the mean of a stretch, with the lowest and highest value of it as Low and High.
func (s Series) Thin(limit int) Series {
	if len(s.X) <= limit || s.Style == Bars || s.single() {
		return s
	}
	t := s
	t.X, t.Y, t.Low, t.High = nil, nil, nil, nil
	first, last := s.X[0], s.X[len(s.X)-1]
	width := (last - first) / float64(limit-1)
	if s.Step > 0 { // whole steps, so that each point covers as many
		width = math.Ceil(width/s.Step) * s.Step
	}
	t.Step = width
	for i := 0; i < len(s.X); {
		at := first + math.Floor((s.X[i]-first)/width)*width
		n, sum, low, high := 0., 0., math.Inf(1), math.Inf(-1)
		for ; i < len(s.X) && s.X[i] < at+width; i++ {
			if !finite(s.Y[i]) {
				continue
			}
			n, sum = n+1, sum+s.Y[i]
			l, h := s.Y[i], s.Y[i]
			if s.Low != nil && s.High != nil && finite(s.Low[i]) && finite(s.High[i]) {
				l, h = s.Low[i], s.High[i]
			}
			low, high = min(low, l), max(high, h)
		}
		if n == 0 {
			sum, n, low, high = math.NaN(), 1, math.NaN(), math.NaN()
		}
		t.X, t.Y, t.Low, t.High = append(t.X, at), append(t.Y, sum/n), append(t.Low, low), append(t.High, high)
	}
	return t
}

// single tells whether each value is drawn by itself.
func (s Series) single() bool { return s.Style == Dots || s.Style == Rings }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// empty tells that there is nothing to draw.
func (s Series) empty(log bool) bool {
	for _, y := range s.Y {
		if finite(y) && (!log || y > 0) {
			return false
		}
	}
	return true
}
