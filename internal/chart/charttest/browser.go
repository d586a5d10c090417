//go:build browser

package charttest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// views are how every page is looked at.
var views = []struct {
	name          string
	width         int64
	scheme, media string
}{
	{"wide-light", 1280, "light", "screen"}, {"wide-dark", 1280, "dark", "screen"}, {"narrow-light", 390, "light", "screen"}, {"narrow-dark", 390, "dark", "screen"},
	{"wider-light", 1600, "light", "screen"},
	{"print", 760, "dark", "print"}, // A4 less its margins; somebody who likes it dark prints on white paper
}

// patience ends a test whose browser hangs; on a busy machine it may take a minute to start.
const patience = 10 * time.Minute

// Chromium is the path of a browser; without one the test is skipped.
func Chromium(t *testing.T) string {
	t.Helper()
	for _, browser := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(browser); err == nil {
			return path
		}
	}
	t.Skip("no Chromium on the path: apt-get install chromium")
	return ""
}

// Check opens a page in every view. It fails when a chart did not draw its data, when labels overlap, when the page is wider than the window, when
// a script fails, or when the pointer and the arrow keys bring no values. It keeps screenshots, and the page as printed, in build/screenshots.
func Check(t *testing.T, url, name string) {
	t.Helper()
	ctx := browser(t)
	var mu sync.Mutex
	var thrown []string
	ctx, cancel := chromedp.NewContext(ctx, chromedp.WithListener(func(event any) {
		if e, is := event.(*runtime.EventExceptionThrown); is {
			mu.Lock()
			defer mu.Unlock()
			thrown = append(thrown, e.ExceptionDetails.Text)
		}
	}))
	defer cancel()
	for _, v := range views {
		require.NoError(t, chromedp.Do(ctx, open(url, v.width, 900)))
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: v.media,
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: v.scheme}}})
		require.NoError(t, err)
		keep(t, name+"-"+v.name+".png", run(ctx, t, chromedp.FullScreenshot(100)))
		require.Empty(t, run(ctx, t, chromedp.Evaluate[[]string](look)), v.name)
	}
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(ctx, open(url, views[0].width, 900)))
	hover(ctx, t, name)
	keep(t, name+".pdf", run(ctx, t, chromedp.PrintToPDF(chromedp.PDFPrintBackground(), chromedp.PDFPreferCSSPageSize())))
	mu.Lock()
	defer mu.Unlock()
	require.Empty(t, thrown, "the page's scripts")
}

// Picture is the top of a page, light, as a PNG.
func Picture(t *testing.T, url string, width, height int64) []byte {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser(t))
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, open(url, width, height)))
	return run(ctx, t, chromedp.CaptureScreenshot())
}

// browser is a context of a browser that ends with the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := Chromium(t)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.WSURLReadTimeout(patience), chromedp.Flag("hide-scrollbars", true), chromedp.Env("HOME="+t.TempDir()))...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	return ctx
}

func open(url string, width, height int64) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(chromedp.EmulateViewport(width, height), chromedp.Navigate(url), chromedp.WaitReady("main"))
}

func run[T any](ctx context.Context, t *testing.T, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, a)
	require.NoError(t, err)
	return v
}

func keep(t *testing.T, name string, content []byte) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	require.NoError(t, err)
	folder := filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), "build", "screenshots")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, name), content, 0o644))
}

// look finds what is wrong with the charts, as sentences.
const look = `(() => {
  const wrong = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) wrong.push("the page is " + root.scrollWidth + " wide in a window of " + root.clientWidth);
  let drawn = 0;
  for (const figure of document.querySelectorAll("figure.chart")) {
    const plot = figure.querySelector(".plot");
    if (!plot) continue;
    const data = JSON.parse(figure.querySelector("script").textContent), box = plot.getBoundingClientRect();
    if (box.width < 150 || box.height < 60) wrong.push(figure.id + ": the plot is " + box.width + " x " + box.height);
    for (const s of data.series) {
      const values = s.y.filter(v => v !== null).length, c = ".c" + s.color;
      const line = [...figure.querySelectorAll("path.line" + c)].reduce((sum, p) => sum + p.getTotalLength(), 0);
      const shapes = figure.querySelectorAll("rect.bar" + c + ", circle.dot" + c).length;
      if (values > 0 && !line && !shapes) wrong.push(figure.id + ": " + s.name + " has " + values + " values and nothing is drawn");
      else drawn++;
    }
    const labels = [...figure.querySelectorAll(".xt, .yt")].map(e => ({ e, r: e.getBoundingClientRect() })).filter(l => l.r.width);
    const card = figure.parentElement.getBoundingClientRect();
    for (const [i, a] of labels.entries()) {
      if (a.r.left < card.left || a.r.right > card.right) wrong.push(figure.id + ": the label " + a.e.textContent + " leaves its card");
      for (const b of labels.slice(i + 1)) if (a.r.left < b.r.right && b.r.left < a.r.right && a.r.top < b.r.bottom && b.r.top < a.r.bottom) wrong.push(figure.id + ": the labels " + a.e.textContent + " and " + b.e.textContent + " overlap");
    }
  }
  if (!drawn) wrong.push("no chart drew anything");
  return wrong;
})()`

type place struct{ X, Y float64 }

// hover points at each chart, and walks over the first by the arrow keys.
func hover(ctx context.Context, t *testing.T, name string) {
	t.Helper()
	ids := run(ctx, t, chromedp.Evaluate[[]string](`[...document.querySelectorAll("figure.chart .plot")].map(p => p.parentElement.id)`))
	require.NotEmpty(t, ids)
	for i, id := range ids {
		at := run(ctx, t, chromedp.Evaluate[place](fmt.Sprintf(`(() => {
			const p = document.querySelector("#%s .plot");
			p.scrollIntoView({block: "center"});
			const r = p.getBoundingClientRect();
			return {X: r.left + 0.45 * r.width, Y: r.top + r.height / 2};
		})()`, id)))
		require.NoError(t, chromedp.Do(ctx, chromedp.MouseEvent(chromedp.MouseMoved, at.X, at.Y)))
		tip := run(ctx, t, chromedp.Evaluate[string](fmt.Sprintf(`(() => { const t = document.querySelector("#%s .tip"); return t.hidden ? "" : t.innerText; })()`, id)))
		require.Regexp(t, `\d`, tip, "%s: nothing under the pointer", id)
		series := run(ctx, t, chromedp.Evaluate[[]string](fmt.Sprintf(`JSON.parse(document.querySelector("#%s script").textContent).series.map(s => s.name)`, id)))
		require.True(t, slices.ContainsFunc(series, func(s string) bool { return strings.Contains(tip, s) }), "%s: %q names none of %q", id, tip, series)
		if i == 0 {
			keep(t, name+"-hover.png", run(ctx, t, chromedp.CaptureScreenshot()))
		}
	}
	head := chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector("#%s .tip b").textContent`, ids[0]))
	require.NoError(t, chromedp.Do(ctx, chromedp.Focus("#"+ids[0]+" .plot"), chromedp.KeyEvent(kb.ArrowRight)))
	before := run(ctx, t, head)
	require.NoError(t, chromedp.Do(ctx, chromedp.KeyEvent(kb.ArrowRight)))
	require.NotEqual(t, before, run(ctx, t, head), "the arrow key moves on")
}
