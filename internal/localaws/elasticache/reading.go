package elasticache

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// reading is what a node shows at one moment.
type reading struct {
	at                 time.Time
	info               map[string]string
	calls, micros      map[string]float64 // of each command since the server began
	timed              bool               // micros are known
	cpu                time.Duration
	rss, swap, pgFault float64
}

// read takes a reading of a node.
func (s *Service) read(n *cacheNode) (reading, error) {
	info, err := n.info("everything")
	if err != nil {
		return reading{}, err
	}
	r := reading{at: s.acct.Clock.Now(), info: info, calls: map[string]float64{}, micros: map[string]float64{}}
	for field, value := range info {
		name, ok := strings.CutPrefix(field, "cmdstat_")
		if !ok {
			continue
		}
		for _, part := range strings.Split(value, ",") {
			k, v, _ := strings.Cut(part, "=")
			f, _ := strconv.ParseFloat(v, 64)
			switch k {
			case "calls":
				r.calls[name] = f
			case "usec":
				r.micros[name], r.timed = f, true
			}
		}
	}
	if _, real := info["used_memory"]; !real { // the embedded stand-in reports its keys in another way
		size, err := n.do("DBSIZE")
		if err != nil {
			return reading{}, err
		}
		keys, _ := size.(int64)
		info["db0"] = "keys=" + strconv.FormatInt(keys, 10)
	}
	n.mu.Lock()
	p := n.process
	n.mu.Unlock()
	if p != nil {
		use := p.Usage()
		r.cpu, r.rss = use.CPU, float64(use.RSS)
		r.swap, r.pgFault = memory(p.PID())
	}
	return r, nil
}

// memory reads swapped bytes and major page faults of a process.
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func memory(pid int) (swap, faults float64) {
	dir := "/proc/" + strconv.Itoa(pid)
	if b, err := os.ReadFile(dir + "/status"); err == nil {
		if _, rest, ok := strings.Cut(string(b), "VmSwap:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			swap = kb * 1024
		}
	}
	if b, err := os.ReadFile(dir + "/stat"); err == nil {
		if f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:])); len(f) > 9 {
			faults, _ = strconv.ParseFloat(f[9], 64)
		}
	}
	return swap, faults
}
