package wire

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseFault(t *testing.T) {
	for text, want := range map[string]Fault{
		"monitoring.GetMetricData:3=throttle": {Action: "monitoring.GetMetricData", First: 3, Last: 3, Kind: Throttle},
		"logs.*:2-4=5xx":                      {Action: "logs.*", First: 2, Last: 4, Kind: ServerFail},
		"logs.CreateLogGroup:1=5xx-after":     {Action: "logs.CreateLogGroup", First: 1, Last: 1, Kind: FailAfter},
		"*:17=kill":                           {Action: "*", First: 17, Last: 17, Kind: Kill},
		"s3.UploadPart:2+=cut-request":        {Action: "s3.UploadPart", First: 2, Kind: CutRequest},
		"logs.GetLogEvents=slow(200ms)":       {Action: "logs.GetLogEvents", First: 1, Kind: Slow, Delay: 200 * time.Millisecond},
		"ecs.DescribeServices=stale":          {Action: "ecs.DescribeServices", First: 1, Kind: Stale},
	} {
		got, err := ParseFault(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for text, says := range map[string]string{
		"GetMetricData=throttle": "is not of the form", "logs.GetLogEvents:0=5xx": "is not of the form", "logs.GetLogEvents=slow": "needs a duration",
		"logs.PutLogEvents=stale": "only a read", "s3.PutObject=5xx-after": "take cut", "s3.GetObject=stale": "strongly consistent", "logs.GetLogEvents=flood": `no kind "flood"`,
	} {
		_, err := ParseFault(text)
		assert.ErrorContains(t, err, says, text)
	}
}

// faulty is a service with a counter, that GetCount reads and PutCount raises.
func faulty(t *testing.T, faults ...string) (ask func(action string) (status int, body string, err error), count *int, r *Registry) {
	count, r = new(int), NewRegistry()
	type out struct{ Count int }
	r.On(Service{Name: "logs", Lower: true},
		Action("GetCount", func(context.Context, *struct{}) (*out, error) { return &out{*count}, nil }),
		Action("PutCount", func(context.Context, *struct{}) (*out, error) { *count++; return &out{*count}, nil }))
	r.Faults = &Faults{}
	for _, text := range faults {
		f, err := ParseFault(text)
		require.NoError(t, err)
		r.Faults.Add(f)
	}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	return func(action string) (int, string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader("{}"))
		require.NoError(t, err)
		req.Header.Set("X-Amz-Target", "Logs_20140328."+action)
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=KEY/20261123/us-east-1/logs/aws4_request, Signature=x")
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req) // or it sends again on its own
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), err
	}, count, r
}

func TestFaults(t *testing.T) {
	ask, count, r := faulty(t, "logs.GetCount:2=throttle", "logs.GetCount:3=denied", "logs.GetCount:4=5xx", "logs.PutCount:1=cut", "logs.PutCount:2=cut-request", "logs.GetCount:6=stale")
	status, _, err := ask("GetCount")
	require.NoError(t, err)
	assert.Equal(t, 200, status)
	for _, want := range []string{"ThrottlingException", "AccessDeniedException", "ServiceUnavailableException"} {
		status, body, err := ask("GetCount")
		require.NoError(t, err)
		assert.GreaterOrEqual(t, status, 400)
		assert.Contains(t, body, want)
	}
	status, body, err := ask("PutCount")
	assert.Equal(t, 200, status)
	assert.Less(t, len(body), len(`{"count":1}`))
	assert.ErrorContains(t, err, "unexpected EOF")
	assert.Equal(t, 1, *count, "a cut answer's call had its effect")
	_, _, err = ask("PutCount")
	require.Error(t, err)
	assert.Equal(t, 1, *count, "a cut request's had none")
	_, body, _ = ask("GetCount")
	assert.JSONEq(t, `{"count":1}`, body)
	_, _, _ = ask("PutCount")
	_, body, _ = ask("GetCount")
	assert.JSONEq(t, `{"count":1}`, body, "stale: as it was asked before")
	_, body, _ = ask("GetCount")
	assert.JSONEq(t, `{"count":2}`, body)
	assert.Equal(t, []string{"logs.GetCount:2=throttle", "logs.GetCount:3=denied", "logs.GetCount:4=5xx", "logs.PutCount:1=cut", "logs.PutCount:2=cut-request", "logs.GetCount:6=stale"}, r.Faults.Fired())
}

func TestAnswerThatSaysItFailed(t *testing.T) {
	ask, count, r := faulty(t, "logs.PutCount:2=5xx-after")
	r.Faults.Add(Fault{Action: "logs.GetCount", Kind: Denied, Holds: "{another}"})
	for _, want := range []int{200, 500} {
		status, body, err := ask("PutCount")
		require.NoError(t, err)
		assert.Equal(t, want, status)
		assert.Equal(t, want == 500, strings.Contains(body, "ServiceUnavailableException"), body)
	}
	assert.Equal(t, 2, *count, "it was carried out")
	status, _, err := ask("GetCount")
	require.NoError(t, err)
	assert.Equal(t, 200, status, "a call that does not hold the fault's text")
}

// A kill counts the calls of processes alone.
func TestKillCountsProcesses(t *testing.T) {
	ask, count, r := faulty(t, "*:2=kill", "*:1=kill-after")
	var lives bool
	killed := 0
	r.Faults.Caller = func(key string) func() {
		if !lives || key != "KEY" {
			return nil
		}
		return func() { killed++ }
	}
	_, _, err := ask("PutCount")
	require.NoError(t, err)
	lives = true
	_, _, err = ask("PutCount")
	require.Error(t, err)
	assert.Equal(t, 2, *count, "killed after its effect")
	_, _, err = ask("PutCount")
	require.Error(t, err)
	assert.Equal(t, 2, *count, "killed before")
	assert.Equal(t, 2, killed)
}

// Answers are kept for stale reads alone: an embedded AWS can run for hours, and each task and page is a request of its own.
func TestAnswersAreKeptForStaleReads(t *testing.T) {
	for fault, kept := range map[string]int{"": 0, "logs.PutCount=throttle": 0, "logs.GetCount:9=stale": 1} {
		var faults []string
		if fault != "" {
			faults = []string{fault}
		}
		ask, _, r := faulty(t, faults...)
		r.Faults.Add() // none, as when the embedded AWS starts
		_, _, err := ask("GetCount")
		require.NoError(t, err)
		require.Len(t, r.Faults.answers, kept, fault)
	}
}
