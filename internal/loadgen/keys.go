package loadgen

import (
	"bytes"
	"math"
	"math/rand/v2"
)

// generator draws one client's requests: which command, which key, how large a
// value. Equal seeds draw equal sequences, which cluster mode builds on: the
// connections of one client all draw the same sequence, and each sends what
// belongs to its shard.
type generator struct {
	cfg      *config
	keys     *rand.Rand
	sizes    *rand.Rand // apart, so that values do not disturb the sequence of keys
	lo, hi   uint64
	done     []int    // of the present round of the ratio, by command: gets and sets, or those of --command
	next     []uint64 // sequential patterns: the next key, by command
	pattern  []byte
	turn     int // of --command: whose turn it is
	zipf     *zipf
	values   []byte // shared by all clients
	weighted int    // sum of the weights of --data-size-list
}

const (
	get = iota
	set
)

// newGenerator makes the generator of client number i, from 0.
func newGenerator(cfg *config, i int, seed uint64, values []byte) *generator {
	g := &generator{cfg: cfg, lo: cfg.keyMin, hi: cfg.keyMax, values: values,
		pattern: []byte{get: cfg.keyPattern[2], set: cfg.keyPattern[0]}}
	if cfg.commands != nil {
		g.pattern = nil
		for _, c := range cfg.commands {
			g.pattern = append(g.pattern, c.pattern)
		}
	}
	if cfg.distinctSeed {
		seed += uint64(i)
	}
	g.keys = rand.New(rand.NewPCG(seed, 1))
	g.sizes = rand.New(rand.NewPCG(seed, 2))
	if g.pattern[0] == 'P' {
		// Each client has a part of its own, all of one length; the last takes what is left over. As in memtier, parts
		// of few keys for many clients begin past the last key, and the last client then has one key only, its first.
		total := uint64(cfg.clients * cfg.threads)
		width := (cfg.keyMax-cfg.keyMin)/total + 1
		g.lo = cfg.keyMin + width*uint64(i)
		if uint64(i) < total-1 {
			g.hi = g.lo + width - 1
		}
	}
	g.done = make([]int, len(g.pattern))
	for range g.pattern {
		g.next = append(g.next, g.lo)
	}
	if bytes.IndexByte(g.pattern, 'Z') >= 0 {
		g.zipf = newZipf(max(g.lo, 1), max(g.hi, 1), cfg.zipfExp)
	}
	for _, w := range cfg.sizes {
		g.weighted += w.weight
	}
	return g
}

// draw gives the next command and the number of its key.
func (g *generator) draw() (command int, key uint64) {
	if commands := g.cfg.commands; commands != nil {
		for g.done[g.turn] >= commands[g.turn].ratio {
			g.done[g.turn] = 0
			g.turn = (g.turn + 1) % len(commands)
		}
		g.done[g.turn]++
		return g.turn, g.key(g.turn)
	}
	if g.done[set] >= g.cfg.ratio[0] && g.done[get] >= g.cfg.ratio[1] {
		g.done[set], g.done[get] = 0, 0
	}
	if g.done[set] < g.cfg.ratio[0] {
		command = set
	}
	g.done[command]++
	return command, g.key(command)
}

func (g *generator) key(command int) uint64 {
	switch g.pattern[command] {
	case 'R':
		return g.lo + g.keys.Uint64N(g.hi-g.lo+1)
	case 'G':
		return g.gauss()
	case 'Z':
		return g.zipf.draw(g.keys)
	}
	k := g.next[command]
	if g.next[command]++; k >= g.hi {
		g.next[command] = g.lo
	}
	return k
}

// gauss is memtier's: a normal distribution around the middle of the range with
// a sixth of it as standard deviation, drawn again when it falls outside.
func (g *generator) gauss() uint64 {
	if g.lo == g.hi {
		return g.lo
	}
	width, lo := float64(g.hi-g.lo), float64(g.lo)
	median, stddev := g.cfg.median, g.cfg.stddev
	if median == 0 {
		median = lo + width/2 + 0.5
	}
	if stddev == 0 {
		stddev = width / 6
	}
	for {
		if v := g.keys.NormFloat64()*stddev + median; v >= lo && v < lo+width+1 {
			return uint64(v)
		}
	}
}

// value gives the bytes to store under the key, valid until the next call.
func (g *generator) value(key uint64) []byte {
	size := g.cfg.size.min
	switch {
	case g.cfg.sizes != nil:
		n := g.sizes.IntN(g.weighted)
		for _, w := range g.cfg.sizes {
			if size = w.size; n < w.weight {
				break
			}
			n -= w.weight
		}
	case g.cfg.size.max > g.cfg.size.min && g.cfg.sizePattern == 'S':
		size += int(float64(g.cfg.size.max-g.cfg.size.min) * float64(key-g.cfg.keyMin) / math.Max(1, float64(g.cfg.keyMax-g.cfg.keyMin)))
	case g.cfg.size.max > g.cfg.size.min:
		size += g.sizes.IntN(g.cfg.size.max - g.cfg.size.min + 1)
	}
	if !g.cfg.randomData {
		return g.values[:size]
	}
	from := g.sizes.IntN(len(g.values) - size + 1)
	return g.values[from : from+size]
}

// expiry gives a lifetime in seconds, or 0 for none.
func (g *generator) expiry() int {
	if !g.cfg.expiry.defined() {
		return 0
	}
	return g.cfg.expiry.min + g.sizes.IntN(g.cfg.expiry.max-g.cfg.expiry.min+1)
}

// valueBytes makes what values are cut from: 'x', or with --random-data noise,
// 4 KiB longer than a value can be so that two of one size differ.
func valueBytes(cfg *config, seed uint64) []byte {
	size := cfg.size.max
	for _, w := range cfg.sizes {
		size = max(size, w.size)
	}
	if cfg.randomData {
		size += 4096
	}
	noise := rand.NewPCG(seed, 3)
	b := make([]byte, size)
	for i := range b {
		if b[i] = 'x'; cfg.randomData {
			b[i] = byte(noise.Uint64())
		}
	}
	return b
}

// zipf draws k from [lo, hi] with a probability proportional to k^-exp, by
// rejection-inversion: W. Hörmann, G. Derflinger, "Rejection-inversion to
// generate variates from monotone discrete distributions", ACM TOMACS 6 (1996),
// https://doi.org/10.1145/235025.235029. math/rand's own wants an exponent
// above 1; memtier's default is 1.
type zipf struct {
	lo, hi, exp   float64
	first, last   float64 // the integral's ends
	shortcutBelow float64 // accept without a second look
}

func newZipf(lo, hi uint64, exp float64) *zipf {
	z := &zipf{lo: float64(lo), hi: float64(hi), exp: exp}
	z.first = z.integral(z.lo+0.5) - z.density(z.lo)
	z.last = z.integral(z.hi + 0.5)
	z.shortcutBelow = z.lo + 1 - z.inverse(z.integral(z.lo+1.5)-z.density(z.lo+1))
	return z
}

func (z *zipf) density(x float64) float64 { return math.Exp(-z.exp * math.Log(x)) }

// integral is that of the density, (x^(1-exp) - 1) / (1-exp), without its
// cancellation near exp = 1, where it becomes log x.
func (z *zipf) integral(x float64) float64 {
	l := math.Log(x)
	if t := (1 - z.exp) * l; math.Abs(t) > 1e-8 {
		return math.Expm1(t) / t * l
	}
	return l
}

func (z *zipf) inverse(y float64) float64 {
	if t := max(-1, y*(1-z.exp)); math.Abs(t) > 1e-8 {
		return math.Exp(math.Log1p(t) / t * y)
	}
	return math.Exp(y)
}

func (z *zipf) draw(r *rand.Rand) uint64 {
	for {
		u := z.last + r.Float64()*(z.first-z.last)
		x := z.inverse(u)
		k := min(max(math.Floor(x+0.5), z.lo), z.hi)
		if k-x <= z.shortcutBelow || u >= z.integral(k+0.5)-z.density(k) {
			return uint64(k)
		}
	}
}
