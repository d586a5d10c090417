package lambda

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
)

// maxAnswer is the largest response of a function, in bytes.
const maxAnswer = maxSync + 100

// runtimeAPI is what the bootstrap talks to; https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
func (b *sandbox) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", b.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) { b.post(w, r, "") })
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) { b.post(w, r, "Unhandled") })
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", func(w http.ResponseWriter, r *http.Request) { b.post(w, r, "Unhandled") })
	return mux
}

func (b *sandbox) next(w http.ResponseWriter, r *http.Request) {
	select {
	case b.ready <- struct{}{}:
	default: // asks twice: a connection was lost
	}
	var inv invocation
	select {
	case inv = <-b.events:
	case <-r.Context().Done():
		return
	}
	b.mu.Lock()
	deadline := b.until
	b.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", b.spec.FunctionArn)
	h.Set("Lambda-Runtime-Trace-Id", "Root=1-"+strconv.FormatInt(deadline.Unix(), 16)+"-"+account.NewID(24)+";Parent="+account.NewID(16)+";Sampled=0")
	if inv.clientContext != "" {
		h.Set("Lambda-Runtime-Client-Context", inv.clientContext)
	}
	_, _ = w.Write(inv.payload) // a runtime that is gone is noticed by its exit
}

// post takes a response or an error; an init error has no request id.
func (b *sandbox) post(w http.ResponseWriter, r *http.Request, kind string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	b.mu.Lock()
	current := b.current.id
	known := r.PathValue("id") == "" || r.PathValue("id") == current
	b.mu.Unlock()
	switch {
	case err != nil:
		return
	case !known:
		runtimeError(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	case len(body) > maxAnswer:
		n, _ := io.Copy(io.Discard, r.Body) // for the size alone
		b.answer(failure("Function.ResponseSizeTooLarge", "Response payload size (%d bytes) exceeded maximum allowed payload size (%d bytes).", int64(len(body))+n, maxAnswer))
		runtimeError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "Exceeded maximum allowed payload size ("+strconv.Itoa(maxAnswer)+" bytes).")
		return
	}
	b.answer(outcome{payload: body, kind: kind})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write([]byte(`{"status":"OK"}` + "\n"))
}

// answer keeps the first answer to an invocation.
func (b *sandbox) answer(o outcome) {
	select {
	case b.posted <- o:
	default:
	}
}

func runtimeError(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"errorType": kind, "errorMessage": message})
}

// explanation is the type and the text of a failure.
func explanation(payload []byte) (errorType, message string) {
	var e struct{ ErrorType, ErrorMessage string }
	if json.Unmarshal(payload, &e) != nil || e.ErrorType == "" {
		return "Runtime.Unknown", e.ErrorMessage
	}
	return e.ErrorType, e.ErrorMessage
}
