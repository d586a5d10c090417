package tagset

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var problems = map[Problem]error{Form: errors.New("form"), Reserved: errors.New("reserved"), Twice: errors.New("twice"), TooMany: errors.New("too many")}

func refuse(p Problem, _ Tag) error { return problems[p] }

func TestRules(t *testing.T) {
	strict := Rules{Chars: true, Value: true, Once: true, IgnoreCase: true, Refuse: refuse}
	long := strings.Repeat("é", 128) // characters count, not bytes
	for name, c := range map[string]struct {
		rules Rules
		tags  []Tag
		want  error
	}{
		"longest":            {strict, []Tag{{long, long + long}}, nil},
		"no key":             {strict, []Tag{{"", "v"}}, problems[Form]},
		"key too long":       {Rules{Refuse: refuse}, []Tag{{long + "x", "v"}}, problems[Form]},
		"value too long":     {Rules{Refuse: refuse}, []Tag{{"k", long + long + "x"}}, problems[Form]},
		"no value":           {Rules{Refuse: refuse}, []Tag{{"k", ""}}, nil},
		"no value, strict":   {strict, []Tag{{"k", ""}}, problems[Form]},
		"characters":         {Rules{Refuse: refuse}, []Tag{{"k*", "v"}}, nil},
		"characters, strict": {strict, []Tag{{"k", "v*"}}, problems[Form]},
		"reserved":           {Rules{Refuse: refuse}, []Tag{{"AWS:k", "v"}}, problems[Reserved]},
		"twice":              {Rules{Refuse: refuse}, []Tag{{"k", "1"}, {"k", "2"}}, nil},
		"twice, strict":      {strict, []Tag{{"k", "1"}, {"K", "2"}}, problems[Twice]},
	} {
		_, err := Add(c.rules, nil, c.tags)
		require.Equal(t, c.want, err, name)
	}
}

func TestSets(t *testing.T) {
	var many []Pair
	for i := range 50 {
		many = append(many, Pair{fmt.Sprintf("k%02d", i), "v"})
	}
	r := Rules{Refuse: refuse}
	full, err := Add(r, Set{"aws:owner": "x"}, many)
	require.NoError(t, err, "AWS's own do not count")
	_, err = Add(r, full, []Tag{{"k00", "again"}})
	require.NoError(t, err)
	_, err = Add(r, full, []Tag{{"one", "more"}})
	require.Equal(t, problems[TooMany], err)
	require.Len(t, full, 51, "a refused request changes nothing")

	require.Equal(t, []Tag{}, List[Tag](nil))
	both, err := r.Merge(Set{"b": "1", "a": "1"}, Set{"B": "2"})
	require.NoError(t, err)
	require.Equal(t, []Tag{{"B", "2"}, {"a", "1"}, {"b", "1"}}, List[Tag](both))
	require.Equal(t, Set{"a": "1", "b": "1"}, r.Remove(both, []string{"B", "none"}))

	iam := Rules{IgnoreCase: true, Refuse: refuse}
	one, err := iam.Merge(Set{"Owner": "1"}, Set{"owner": "2"})
	require.NoError(t, err)
	require.Equal(t, Set{"owner": "2"}, one)
	require.Empty(t, iam.Remove(one, []string{"OWNER"}))
}
