package terraform

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/report/page"
)

func TestProgressOfTerraform(t *testing.T) { synctest.Test(t, progressOfTerraform) }

func progressOfTerraform(t *testing.T) {
	var log, out bytes.Buffer
	terminal := &page.Terminal{W: &out, Columns: func() int { return 200 }}
	con := &console.Console{Out: terminal, Terminal: terminal}
	f := &progress{to: &log}
	var step *console.Step
	defer func() { step.End() }()
	follow := func(title string) {
		step.End()
		step = con.Step("%s", title)
		f.follow(step)
	}
	write := func(text string) {
		_, err := io.WriteString(f, text)
		require.NoError(t, err)
	}
	shows := func(text string) {
		t.Helper()
		lines := strings.Split(strings.ReplaceAll(out.String(), "\x1b[K", ""), "\r")
		require.Equal(t, text, lines[len(lines)-1])
	}
	follow("terraform: planning")
	write("\x1b[1mPlan:\x1b[0m \x1b[0m3 to add, 0 to change, 1 to destroy.\n")
	follow("terraform: applying")
	write("\x1b[0m\x1b[1mmodule.a.aws_x.this[\"a b\"]: Creating...\x1b[0m\nmodule.a.aws_y.this: Destr")
	shows("  ░░░░░░░░░░░░░░░░░░░░░░░░   0 %  0 s  0 of 4 done, creating module.a.aws_x.this[\"a b\"]")
	write("oying... [id=y]\n")
	shows("  ░░░░░░░░░░░░░░░░░░░░░░░░   0 %  0 s  0 of 4 done, creating module.a.aws_x.this[\"a b\"] and 1 more")
	write("module.a.aws_x.this[\"a b\"]: Still creating... [10s elapsed]\nmodule.a.aws_x.this[\"a b\"]: Creation complete after 1s [id=x]\n")
	shows("  ██████░░░░░░░░░░░░░░░░░░  25 %  0 s  1 of 4 done, destroying module.a.aws_y.this")
	write("the end")
	require.NotContains(t, log.String(), "the end", "whole lines only")
	f.flush()
	require.Contains(t, log.String(), "[10s elapsed]\nmodule.a.aws_x.this[\"a b\"]: Creation complete after 1s [id=x]\nthe end\n")
	follow("terraform: destroying")
	write("Plan: 0 to add, 0 to change, 3 to destroy.\nmodule.a.aws_x.this: Destruction complete after 0s\n")
	shows("  ████████░░░░░░░░░░░░░░░░  33 %  0 s  1 of 3 done")
}
