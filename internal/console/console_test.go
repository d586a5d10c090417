package console

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/proc"
)

func TestWritingGoesOnWhenNobodyReads(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	_, stop := proc.Interruptible(io.Discard)
	defer stop()
	n, err := Lasting{W: w}.Write([]byte("one"))
	require.NoError(t, err)
	require.Equal(t, 3, n)
}

// What does not fit on the disk is not lost without a word.
func TestFullDiskIsNotForgotten(t *testing.T) {
	for _, c := range []struct{ fails, lost error }{
		{&os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}, syscall.ENOSPC},
		{syscall.EPIPE, nil}, // nobody reads
	} {
		con := &Console{lost: new(atomic.Pointer[error])}
		_, err := Lasting{W: failing{c.fails}, Lost: con.lost}.Write([]byte("one"))
		require.NoError(t, err, "the work goes on")
		require.ErrorIs(t, con.Lost(), c.lost)
	}
	require.NoError(t, (&Console{}).Lost())
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// A yes is given by a person, or beforehand; a missing terminal is a no.
func TestApproval(t *testing.T) {
	for name, c := range map[string]struct {
		given, person bool
		typed, want   string
	}{
		"given beforehand":           {given: true},
		"given beforehand, a person": {given: true, person: true, typed: "n\n"},
		"nobody":                     {typed: "yes\n", want: "Remove it?\nnot approved, because there is no terminal to answer in: nothing was changed. APPROVE=1 answers yes in advance"},
		"yes":                        {person: true, typed: "y\n"},
		"Yes in full":                {person: true, typed: "Yes\n"},
		"no":                         {person: true, typed: "n\n", want: "not approved: nothing was changed"},
		"just Enter":                 {person: true, typed: "\n", want: "not approved: nothing was changed"},
		"the terminal went away":     {person: true, want: "not approved: nothing was changed"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked bytes.Buffer
			con := &Console{In: strings.NewReader(c.typed), Out: io.Discard}
			if c.person {
				con.Answer = &asked
			}
			err := con.Approve(t.Context(), c.given, "Remove it?", "nothing was changed")
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, c.want)
			}
			require.Equal(t, c.person && !c.given, asked.String() == "Remove it? [y/N] ")
		})
	}
}

func TestQuestionSteersNoTerminal(t *testing.T) {
	var asked bytes.Buffer
	con := &Console{In: strings.NewReader("y\n"), Out: io.Discard, Answer: &asked}
	require.NoError(t, con.Approve(t.Context(), false, "Remove \x1b[2J?", "nothing"))
	require.Equal(t, `Remove \x1b[2J? [y/N] `, asked.String())
}

func TestQuestionIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	cancel(proc.ErrInterrupted)
	require.ErrorIs(t, (&Console{In: r, Out: io.Discard, Answer: io.Discard}).Approve(ctx, false, "", ""), proc.ErrInterrupted)
}

func TestSayDoesNotSteerTheTerminal(t *testing.T) {
	var out bytes.Buffer
	(&Console{Out: &out}).Say("task %s:\n\tstopped", "a\x1b[2J\r\u009b1mb")
	require.Equal(t, "task a\\x1b[2J\\x0d\\x9b1mb:\n\tstopped\n", out.String())
}
