//go:build browser

package localaws_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/chart/charttest"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
)

// attack tries what a page can send without asking first, and what it may read; its value is what came back.
const attack = `(async (endpoint, path, key) => {
  const said = [];
  const credential = "AWS4-HMAC-SHA256 Credential=" + key + "/20261129/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00";
  for (const [url, options] of [
    [path, {}],
    ["/2015-03-31/functions", { method: "POST", mode: "no-cors", body: '{"FunctionName":"f"}' }],
    ["/2015-03-31/functions?X-Amz-Credential=" + key + "/20261129/us-east-1/lambda/aws4_request", { method: "POST", mode: "no-cors", body: '{"FunctionName":"f"}' }],
    ["/2015-03-31/functions", { method: "POST", headers: { Authorization: credential, "Content-Type": "application/json" }, body: '{"FunctionName":"f"}' }],
    ["/", { method: "POST", mode: "no-cors", body: new URLSearchParams({ Action: "CreateRole", Version: "2010-05-08", RoleName: "r" }) }],
  ]) {
    try {
      const answer = await fetch(endpoint + url, options);
      said.push(answer.type === "opaque" ? "opaque" : String(answer.status));
    } catch (e) {
      said.push("refused");
    }
  }
  return said.join(" ");
})`

// A page of another site, of another program on this machine, and of a name that was rebound to the loopback: none has an effect or reads a thing.
// Not even the access key helps without its secret.
func TestWebPagesInTheBrowser(t *testing.T) {
	path := charttest.Chromium(t)
	server := serve(t, localaws.Config{})
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>evil</title><main></main>"))
	}))
	defer page.Close()
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.WSURLReadTimeout(10*time.Minute), chromedp.Env("HOME="+t.TempDir()), chromedp.Flag("host-resolver-rules", "MAP rebound.example.com 127.0.0.1"))...)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	port := func(url string) string { return url[strings.LastIndexByte(url, ':'):] }
	for name, c := range map[string]struct{ page, endpoint, want string }{
		"another program of this machine": {page.URL, server.URL(), "refused opaque opaque refused opaque"},
		"another site":                    {"http://localhost" + port(page.URL), server.URL(), "refused opaque opaque refused opaque"},
		// The page is of the endpoint's own origin, as the browser sees it: it reads the refusals.
		"a rebound name": {"http://rebound.example.com" + port(server.URL()) + "/_localaws/dashboard/", "http://rebound.example.com" + port(server.URL()), "403 403 403 403 403"},
	} {
		require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(c.page)), name)
		said, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf("%s(%q, %q, %q)", attack, c.endpoint, "/_localaws/unhandled", server.Env()["AWS_ACCESS_KEY_ID"]), chromedp.EvalAwaitPromise))
		require.NoError(t, err, name)
		require.Equal(t, c.want, said, name)
	}
	_, err := lambda.NewFromConfig(as(t, server.Env())).GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	require.Equal(t, "ResourceNotFoundException", code(err), "no page made the function")
	// The dashboard, which a person opens, is there.
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(server.DashboardURL())))
	title, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.title"))
	require.NoError(t, err)
	require.Contains(t, title, "embedded AWS")
}
