// Package paging cuts lists into pages, as AWS's list and describe actions do.
package paging

import (
	"encoding/base64"
	"fmt"
	"slices"
)

// Size is the size of a page: the requested one, which must be from least to most, or a default.
func Size(asked *int, otherwise, least, most int) (size int, ok bool) {
	if asked == nil {
		return otherwise, true
	}
	return *asked, least <= *asked && *asked <= most
}

// Cut is the page of a list that a token leads to, and the token of the page after it. The first page has the token "", and so has what follows the last.
// It is not ok when no page gave the token. Between two calls the list may change: a page starts after the last name of the page before, and where that
// name is gone, at its place.
func Cut[T any](list []T, name func(T) string, size int, token string) (page []T, next string, ok bool) {
	from := 0
	if token != "" {
		var last string
		text, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return nil, "", false
		}
		if _, err := fmt.Sscanf(string(text), "after %d %q", &from, &last); err != nil || from < 0 {
			return nil, "", false
		}
		if i := slices.IndexFunc(list, func(v T) bool { return name(v) == last }); i >= 0 {
			from = i + 1
		}
		list = list[min(from, len(list)):]
	}
	if len(list) <= size {
		return append([]T{}, list...), "", true
	}
	return list[:size], base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "after %d %q", from+size, name(list[size-1]))), true
}

// Names is Cut for a list of names.
func Names(list []string, size int, token string) (page []string, next string, ok bool) {
	return Cut(list, func(name string) string { return name }, size, token)
}
