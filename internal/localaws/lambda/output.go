package lambda

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/logs"
)

const (
	tailSize = 4 << 10   // bytes that Invoke returns with LogType Tail
	maxLine  = 256 << 10 // bytes; longer lines become several events
)

// output is where an environment's stdout and stderr go: a log stream, if its group is there and the role may write.
type output struct {
	service       *Service
	group, stream string
	allowed       bool
	format        string
	pipe          *os.File // the write end, the process's stdout and stderr
	marker        []byte   // written by flush, and by nobody else
	flushed       chan struct{}
	done          chan struct{}

	mu   sync.Mutex
	last []byte
}

func (s *Service) newOutput(f *function) (*output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("output of function %s: %w", f.FunctionName, err)
	}
	group := f.LoggingConfig.LogGroup
	prefix := ""
	if group != "/aws/lambda/"+f.FunctionName { // https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
		prefix = f.FunctionName
	}
	o := &output{service: s, group: group, format: f.LoggingConfig.LogFormat, pipe: w, marker: []byte("\x00" + account.NewID(32) + "\n"),
		stream:  s.acct.Clock.Now().UTC().Format("2006/01/02/") + prefix + "[" + latest + "]" + account.NewID(32),
		flushed: make(chan struct{}, 1), done: make(chan struct{})}
	arn := s.acct.ARN("logs", "log-group:"+group+":log-stream:"+o.stream)
	o.allowed = s.IAM.Allowed(f.Role, "logs:CreateLogStream", arn, nil) && s.IAM.Allowed(f.Role, "logs:PutLogEvents", arn, nil)
	go o.copy(r)
	return o, nil
}

// copy turns what the process writes into events, a line each.
func (o *output) copy(r *os.File) {
	defer close(o.done)
	defer func() { _ = r.Close() }()
	var rest []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		rest = append(rest, buf[:n]...)
		for {
			head, after, marked := bytes.Cut(rest, o.marker)
			rest = o.lines(head, marked || err != nil)
			if !marked {
				break
			}
			rest = append(rest, after...)
			o.flushed <- struct{}{}
		}
		if err != nil {
			return
		}
	}
}

// lines emits the complete lines of b, and with all also the rest. It returns what is left.
func (o *output) lines(b []byte, all bool) []byte {
	var found []string
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n') + 1
		if end == 0 && (all || len(b) > maxLine+len(o.marker)) { // which may have come in part
			end = len(b)
		}
		if end == 0 {
			break
		}
		end = min(end, maxLine)
		found = append(found, strings.TrimSuffix(string(b[:end]), "\n")+"\n")
		b = b[end:]
	}
	o.put(o.service.acct.Clock.Now(), found...)
	return bytes.Clone(b)
}

// system adds a line of the platform, in JSON format as an event object. kind "" has no event object.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
func (o *output) system(now time.Time, word, kind, text string, record map[string]any) {
	if o.format != "JSON" {
		o.put(now, word+" "+text+"\n")
		return
	}
	if kind == "" {
		return
	}
	b, _ := json.Marshal(struct { // strings and numbers always encode
		Time   string         `json:"time"`
		Type   string         `json:"type"`
		Record map[string]any `json:"record"`
	}{now.UTC().Format("2006-01-02T15:04:05.000Z"), kind, record})
	o.put(now, string(b)+"\n")
}

func (o *output) put(now time.Time, lines ...string) {
	if len(lines) == 0 {
		return
	}
	events := make([]logs.Event, len(lines))
	o.mu.Lock()
	for i, l := range lines {
		events[i] = logs.Event{Time: now, Message: l}
		o.last = append(o.last, l...)
	}
	if extra := len(o.last) - tailSize; extra > 0 {
		o.last = bytes.Clone(o.last[extra:])
	}
	o.mu.Unlock()
	if o.allowed && o.service.Logs.Group(o.group) {
		if err := o.service.Logs.Put(o.group, o.stream, events...); err != nil {
			o.service.acct.Log.Debug("lambda log", "group", o.group, "error", err) // AWS drops it silently
		}
	}
}

// begin clears the tail of the last invocation.
func (o *output) begin() {
	o.flush()
	o.mu.Lock()
	o.last = nil
	o.mu.Unlock()
}

func (o *output) tail() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.last)
}

// flush waits until everything written so far has become events.
func (o *output) flush() {
	if _, err := o.pipe.Write(o.marker); err != nil {
		return // closed
	}
	select {
	case <-o.flushed:
	case <-o.done:
	}
}

func (o *output) close() {
	_ = o.pipe.Close() // the reader then sees the end, because all other holders are dead
	<-o.done
}
