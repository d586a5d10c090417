package cloudwatch

import (
	"encoding/json"
	"fmt"
	"time"
)

// action is a message for a topic: sent without the mutex.
type action struct{ topic, subject, message string }

// watch starts the one goroutine that evaluates alarms; the mutex is held.
func (s *Service) watch() {
	if s.evaluating {
		return
	}
	s.evaluating = true
	every := min(max(s.acct.MetricsPeriod, time.Second), time.Minute)
	s.wg.Go(func() {
		for s.acct.Clock.Sleep(s.ctx, every) == nil {
			s.evaluate(s.acct.Clock.Now())
		}
	})
}

func (s *Service) evaluate(now time.Time) {
	var acts []action
	s.mu.Lock()
	s.arrive()
	for _, a := range s.alarms {
		if state, reason := s.judge(a, now); state != a.state {
			acts = append(acts, s.change(a, state, reason, now)...)
		}
	}
	s.mu.Unlock()
	s.act(acts)
}

// judge decides an alarm's state from its last complete periods. With fewer datapoints than EvaluationPeriods in a
// range that is two periods longer, TreatMissingData decides.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
func (s *Service) judge(a *alarm, now time.Time) (state, reason string) {
	period, n := int64(*a.Period), *a.EvaluationPeriods
	m := n
	if a.DatapointsToAlarm != nil {
		m = *a.DatapointsToAlarm
	}
	end := now.Unix() / period * period
	start := end - period*int64(n+2)
	var points []sample
	if of := s.metrics[identity(*a.Namespace, *a.MetricName, sorted(a.Dimensions))]; of != nil {
		unit, _ := checkUnit(a.Unit)
		points = of.window(start, end, period, unit, now)
	}
	if len(points) > n {
		points = points[len(points)-n:]
	}
	breaching, oldest := 0, int64(0)
	for _, p := range points {
		if v, ok := a.stat(p); ok && comparisons[*a.ComparisonOperator](v, *a.Threshold) {
			if breaching == 0 {
				oldest = p.at
			}
			breaching++
		}
	}
	missing, treat := n-len(points), "missing"
	if a.TreatMissingData != nil {
		treat = *a.TreatMissingData
	}
	reason = fmt.Sprintf("Threshold Crossed: %d datapoints out of the last %d were breaching (%s %g); %d were missing and treated as %s.",
		breaching, n, *a.ComparisonOperator, *a.Threshold, missing, treat)
	alarmed := breaching >= m
	switch {
	case treat == "breaching":
		alarmed = breaching+missing >= m
	case treat == "missing" && len(points) == 0:
		return "INSUFFICIENT_DATA", fmt.Sprintf("Insufficient Data: %d datapoints were unknown.", n)
	case treat == "missing" && missing > 0 && breaching > 0 && breaching == len(points):
		alarmed = alarmed || (end-oldest)/period >= int64(m) // the oldest breaching one is as old as M
		if !alarmed {
			return a.state, a.reason // too early to say
		}
	case treat == "ignore" && !alarmed && missing > 0:
		return a.state, a.reason
	}
	if alarmed {
		return "ALARM", reason
	}
	return "OK", reason
}

// change sets a state and returns what has to be told of it; the mutex is held.
func (s *Service) change(a *alarm, state, reason string, now time.Time) []action {
	old := a.state
	a.state, a.reason, a.updated = state, reason, now
	if old == state {
		return nil
	}
	a.transition = now
	if !*a.ActionsEnabled {
		return nil
	}
	topics := map[string][]string{"OK": a.OKActions, "ALARM": a.AlarmActions, "INSUFFICIENT_DATA": a.InsufficientDataActions}[state]
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
	message, _ := json.Marshal(map[string]any{ // strings and numbers always encode
		"AlarmName": a.AlarmName, "AlarmDescription": a.AlarmDescription, "AWSAccountId": s.acct.ID, "Region": s.acct.Region,
		"NewStateValue": state, "NewStateReason": reason, "OldStateValue": old,
		"StateChangeTime": now.Format("2006-01-02T15:04:05.000-0700"), "AlarmArn": s.acct.ARN("cloudwatch", "alarm:"+a.AlarmName),
		"Trigger": map[string]any{"MetricName": a.MetricName, "Namespace": a.Namespace, "Period": a.Period, "EvaluationPeriods": a.EvaluationPeriods,
			"Threshold": a.Threshold, "ComparisonOperator": a.ComparisonOperator, "TreatMissingData": a.TreatMissingData, "Dimensions": present(a.Dimensions)},
	})
	var acts []action
	for _, t := range topics {
		acts = append(acts, action{t, fmt.Sprintf("%s: %q in %s", state, a.AlarmName, s.acct.Region), string(message)})
	}
	return acts
}

func (s *Service) act(acts []action) {
	for _, a := range acts {
		if s.sns == nil {
			s.acct.Log.Warn("an alarm's action has no SNS to go to", "topic", a.topic)
		} else if err := s.sns.Publish(a.topic, a.subject, a.message); err != nil { // AWS notes it in the alarm's history
			s.acct.Log.Warn("an alarm's action failed", "topic", a.topic, "error", err)
		}
	}
}
