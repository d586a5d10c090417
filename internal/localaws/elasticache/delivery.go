package elasticache

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
)

type cloudWatchLogsDetails struct{ LogGroup string }

type firehoseDetails struct{ DeliveryStream string }

type destinationDetails struct {
	CloudWatchLogsDetails  *cloudWatchLogsDetails
	KinesisFirehoseDetails *firehoseDetails
}

type deliveryIn struct {
	LogType, DestinationType, LogFormat *string
	DestinationDetails                  *destinationDetails
	Enabled                             *bool
}

type deliveryShape struct {
	LogType, DestinationType, LogFormat, Status string
	DestinationDetails                          destinationDetails
	Message                                     string `wire:",omitempty"`
}

// delivery delivers one log of a replication group to CloudWatch Logs. It has its own mutex,
// because nodes write without holding the service's.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Log_Delivery.html
type delivery struct {
	logType, group, format string

	mu              sync.Mutex
	status, message string
	waiting         []func() // what nodes wrote before it was active
}

func shapeDeliveries(g *group) []deliveryShape {
	out := []deliveryShape{}
	for _, d := range g.deliveries {
		d.mu.Lock()
		out = append(out, deliveryShape{d.logType, "cloudwatch-logs", d.format, d.status, destinationDetails{CloudWatchLogsDetails: &cloudWatchLogsDetails{d.group}}, d.message})
		d.mu.Unlock()
	}
	return out
}

// deliver applies the requested configurations to the existing ones, one for each log type.
func (s *Service) deliver(now []*delivery, asked []deliveryIn, g *group) ([]*delivery, error) {
	out := append([]*delivery{}, now...)
	seen := map[string]bool{}
	for _, in := range asked {
		kind := text(in.LogType)
		switch {
		case kind != "slow-log" && kind != "engine-log":
			return nil, invalidValue("Invalid LogType: %s. Valid values are slow-log and engine-log.", kind)
		case seen[kind]:
			return nil, invalidCombination("LogType %s is there twice in LogDeliveryConfigurations.", kind)
		case kind == "engine-log" && !g.version.atLeast("6.2"):
			return nil, invalidCombination("Engine log delivery needs engine version 6.2 or later, not %s.", g.version.full)
		}
		seen[kind] = true
		i := 0
		for i < len(out) && out[i].logType != kind {
			i++
		}
		if in.Enabled != nil && !*in.Enabled {
			if i < len(out) {
				out = append(out[:i], out[i+1:]...)
			}
			continue
		}
		if text(in.DestinationType) != "cloudwatch-logs" || in.DestinationDetails == nil || in.DestinationDetails.CloudWatchLogsDetails == nil {
			return nil, invalidCombination("localaws delivers to cloudwatch-logs with a log group only, not to %q.", text(in.DestinationType))
		}
		format := text(in.LogFormat)
		if format != "text" && format != "json" {
			return nil, invalidValue("Invalid LogFormat: %s. Valid values are text and json.", format)
		}
		name := in.DestinationDetails.CloudWatchLogsDetails.LogGroup
		if !s.logs.Group(name) {
			return nil, invalidValue("The log group %s for %s does not exist: create it first.", name, kind)
		}
		d := &delivery{logType: kind, group: name, format: format, status: "enabling"}
		if i < len(out) {
			out[i] = d
		} else {
			out = append(out, d)
		}
	}
	return out, nil
}

// activate delivers what is queued, and later events at once.
func (d *delivery) activate() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.status == "enabling" {
		d.status = "active"
	}
	for _, put := range d.waiting {
		put()
	}
	d.waiting = nil
}

// maxWaiting limits the queue of a delivery that is being enabled.
const maxWaiting = 10_000

// put writes an event of a node, now or once the delivery is active.
func (d *delivery) put(s *Service, engine, cluster string, t time.Time, message string) {
	stream := fmt.Sprintf("elasticache/%s/%s/%s/%s", engine, cluster, nodeID, d.logType)
	write := func() {
		if err := s.logs.Put(d.group, stream, logs.Event{Time: t, Message: message}); err != nil && d.status == "active" {
			d.status, d.message = "error", err.Error()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.status != "enabling" {
		write()
	} else if len(d.waiting) < maxWaiting {
		d.waiting = append(d.waiting, write)
	}
}

// serverLine is "1781:M 23 Nov 2026 14:55:21.400 # Server initialized".
var serverLine = regexp.MustCompile(`^\d+:([MSCX]) (\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) ([.*#-]) (.*)$`)

var levels = map[string]string{".": "DEBUG", "-": "VERBOSE", "*": "NOTICE", "#": "WARNING"}

// engineEvent formats a line of a server's output as ElastiCache delivers engine logs.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Log_Delivery.html
func engineEvent(format, cluster, line string, now time.Time) (time.Time, string) {
	t, role, level, message := now, "M", "*", line
	if m := serverLine.FindStringSubmatch(line); m != nil {
		role, level, message = m[1], m[3], m[4]
		if at, err := time.Parse("02 Jan 2006 15:04:05.000", m[2]); err == nil { // servers run in UTC
			t = at
		}
	}
	at := t.UTC().Format("02 Jan 2006 15:04:05.000") + " UTC"
	if format == "text" {
		return t, fmt.Sprintf("%s/%s:%s %s %s %s", cluster, nodeID, role, at, level, message)
	}
	return t, jsonLine(struct {
		CacheClusterId, CacheNodeId, LogLevel, Role, Time, Message string
	}{cluster, nodeID, levels[level], role, at, message})
}

// jsonLine encodes strings and numbers, which cannot fail.
func jsonLine(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n")
}

// slowEvent is an entry of SLOWLOG GET as ElastiCache delivers it: arguments are not shown.
func slowEvent(format, cluster string, e slowEntry) string {
	command := e.args[0]
	if n := len(e.args) - 1; n > 0 {
		command += fmt.Sprintf(" ... (%d more arguments)", n)
	}
	if format == "text" {
		return strings.Join([]string{cluster, nodeID, strconv.FormatInt(e.at, 10), strconv.FormatInt(e.micros, 10), command, e.address, e.name}, ",")
	}
	return jsonLine(struct {
		CacheClusterId, CacheNodeId string
		Id, Timestamp               int64
		Duration                    int64 `json:"Duration (us)"`
		Command                     string
		ClientAddress, ClientName   string
	}{cluster, nodeID, e.id, e.at, e.micros, command, e.address, e.name})
}

type slowEntry struct {
	id, at, micros int64
	args           []string
	address, name  string
}

// parseSlow reads the answer of SLOWLOG GET.
func parseSlow(answer any) ([]slowEntry, error) {
	entries, ok := answer.([]any)
	if !ok {
		return nil, errors.New("SLOWLOG GET: not a list")
	}
	var out []slowEntry
	for _, x := range entries {
		f, _ := x.([]any)
		if len(f) < 6 {
			return nil, errors.New("SLOWLOG GET: an entry has fewer than 6 fields")
		}
		e := slowEntry{address: asString(f[4]), name: asString(f[5])}
		e.id, _ = f[0].(int64)
		e.at, _ = f[1].(int64)
		e.micros, _ = f[2].(int64)
		args, _ := f[3].([]any)
		for _, a := range args {
			e.args = append(e.args, asString(a))
		}
		// A long command ends with "... (123 more arguments)" in place of its last arguments.
		if n := len(e.args); n > 0 {
			var more int
			if _, err := fmt.Sscanf(e.args[n-1], "... (%d more arguments)", &more); err == nil {
				e.args = append(e.args[:n-1], make([]string, more)...)
			}
			out = append(out, e)
		}
	}
	return out, nil
}
