// Package guard keeps web pages out of the servers on this machine that run programs: the endpoint, and the runtime API of each function.
package guard

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Loopback accepts requests of programs on this machine. A browser on this machine can also reach the server, for any page that it shows, so a request is refused
//
//   - whose Host is not a loopback address: a site can let its own name point to 127.0.0.1 (DNS rebinding), and its pages then count as same-origin;
//   - that a browser marks as made by another site: in Sec-Fetch-Site where it is sent (https://www.w3.org/TR/fetch-metadata/), Origin in older browsers.
//
// SDKs, the CLI and Terraform send neither header; a typed address sends Sec-Fetch-Site "none".
func Loopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		why := ""
		site, origin := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Origin")
		switch {
		case !loopback(r.Host):
			why = fmt.Sprintf("the Host %q is not a loopback address: use the address 127.0.0.1", r.Host)
		case site != "" && site != "same-origin" && site != "none":
			why = "a page of another site made this request (Sec-Fetch-Site: " + site + ")"
		case origin != "" && origin != "http://"+r.Host:
			why = "a page of another site made this request (Origin: " + origin + ")"
		}
		if why != "" {
			http.Error(w, "localaws: "+why, http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopback reports whether a Host header names this machine: an address of the loopback, or localhost, which browsers never ask DNS for.
func loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}
