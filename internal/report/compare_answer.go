package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// answer describes how each group differs from the first in the first page's figures that are better or worse. Readers paste these sentences.
func (c *Comparison) answer() {
	for g := 1; g < len(c.Groups); g++ {
		of := map[string][]string{} // parts of the sentence, by direction
		why := map[string][]string{}
		var reasons []string
		for _, k := range Figures {
			i := slices.IndexFunc(c.Figures, func(row ComparedRow) bool { return row.ID == k.ID })
			if !k.Tile || k.Better == "" || i < 0 {
				continue
			}
			cell, said := c.Figures[i].Cells[g], lower(k.Label)
			switch cell.Direction {
			case NotComparable:
				each := cell.reasons
				if len(each) == 0 {
					each = []string{cell.Why}
				}
				for _, reason := range each {
					if !slices.Contains(reasons, reason) {
						reasons = append(reasons, reason)
					}
					why[reason] = append(why[reason], said)
				}
				continue
			case NotTested:
				if cell.DeltaPercent != nil {
					said += " " + signed(*cell.DeltaPercent) + " %"
				}
			case BetterThan, WorseThan:
				said += interval(cell)
			}
			direction := cell.Direction
			if direction == WithinNoise && cell.Why != "" {
				direction, said = unsettled, said+interval(cell)
			}
			of[direction] = append(of[direction], said)
		}
		var parts []string
		for i, reason := range reasons {
			same := func(other string) bool { return slices.Equal(why[other], why[reason]) }
			if slices.ContainsFunc(reasons[:i], same) {
				continue // reported with the first reason of these figures
			}
			all := slices.DeleteFunc(slices.Clone(reasons), func(other string) bool { return !same(other) })
			parts = append(parts, "not comparable in "+join(why[reason])+": "+strings.Join(all, ", "))
		}
		for _, d := range []struct{ direction, before, after string }{
			{BetterThan, "better in ", ""}, {WorseThan, "worse in ", ""}, {unsettled, "too few runs to tell of ", ""}, {WithinNoise, "no difference shown in ", ""},
			{NotTested, "", ", of which nothing is called better or worse, for one run on a side does not show how much runs vary"},
		} {
			if len(of[d.direction]) > 0 {
				parts = append(parts, d.before+join(of[d.direction])+d.after)
			}
		}
		if len(parts) > 0 {
			c.Answers = append(c.Answers, fmt.Sprintf("%s against %s: %s.", Letter(g), Letter(0), strings.Join(parts, "; ")))
		}
	}
}

// Unsaid returns the cautions that no answer mentions.
func (c *Comparison) Unsaid() []string {
	return slices.DeleteFunc(slices.Clone(c.Cautions), c.answers)
}

// Reason returns why a figure is judged as it is; "" if a reason printed above all figures makes it not comparable.
func (c *Comparison) Reason(of Compared) string {
	unsaid := func(reason string) bool { return !c.answers(reason) && !slices.Contains(c.Cautions, reason) }
	if of.Direction == NotComparable && len(of.reasons) > 0 && !slices.ContainsFunc(of.reasons, unsaid) {
		return ""
	}
	return of.Why
}

func (c *Comparison) answers(reason string) bool {
	return slices.ContainsFunc(c.Answers, func(answer string) bool { return strings.Contains(answer, reason) })
}

// unsettled marks a figure whose own interval excludes 0, but whose p, corrected for all figures, is not significant.
const unsettled = "unsettled"

func interval(c Compared) string {
	return fmt.Sprintf(" (%s %%, 95 %%: %s to %s %%)", signed(*c.DeltaPercent), signed(c.Interval[0]), signed(c.Interval[1]))
}

func signed(v float64) string { return strings.Replace(fmt.Sprintf("%+.1f", v), "-", "−", 1) }

func Letter(group int) string { return string(rune('A' + group%26)) }

// lower makes a sentence's first letter lower case.
func lower(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(first)) + s[size:]
}
