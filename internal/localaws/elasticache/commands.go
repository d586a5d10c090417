package elasticache

import (
	"slices"
	"strings"
)

// kinds are the groups of commands that ElastiCache counts, by the metric's name without its ending.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html
var kinds = []string{"GetType", "SetType", "EvalBased", "GeoSpatialBased", "HashBased", "HyperLogLogBased", "KeyBased", "ListBased",
	"PubSubBased", "SetBased", "SortedSetBased", "StreamBased", "StringBased", "ClusterBased", "NonKeyType"}

// onNodesOnly are published for the node alone, without the set of dimensions that has the cluster only.
var onNodesOnly = []string{"ClusterBased", "NonKeyType"}

var categories = map[string]string{"@scripting": "EvalBased", "@geo": "GeoSpatialBased", "@hash": "HashBased", "@hyperloglog": "HyperLogLogBased",
	"@list": "ListBased", "@pubsub": "PubSubBased", "@set": "SetBased", "@sortedset": "SortedSetBased", "@stream": "StreamBased", "@string": "StringBased"}

// commandKinds reads COMMAND and returns the kinds that each of the server's commands counts in. ElastiCache documents
// examples of each kind; the server's flags and categories decide the rest. Commands that take keys and are flagged
// readonly are GetType, those flagged write SetType; the ones without keys that are in no other kind are NonKeyType.
func commandKinds(answer any) map[string][]string {
	out := map[string][]string{}
	var read func(list []any)
	read = func(list []any) {
		for _, x := range list {
			f, ok := x.([]any)
			if !ok || len(f) < 6 {
				continue
			}
			name := strings.ToLower(asString(f[0]))
			flags, first := words(f[2]), int64(0)
			first, _ = f[3].(int64)
			keys := first > 0 || slices.Contains(flags, "movablekeys")
			var kinds []string
			if keys && slices.Contains(flags, "readonly") {
				kinds = append(kinds, "GetType")
			}
			if keys && slices.Contains(flags, "write") {
				kinds = append(kinds, "SetType")
			}
			if len(f) > 6 {
				for _, c := range words(f[6]) {
					if kind := categories[c]; kind != "" {
						kinds = append(kinds, kind)
					}
					if c == "@keyspace" && keys {
						kinds = append(kinds, "KeyBased")
					}
				}
			}
			if command, _, _ := strings.Cut(name, "|"); command == "cluster" {
				kinds = []string{"ClusterBased"}
			}
			if len(kinds) == 0 && !keys {
				kinds = []string{"NonKeyType"}
			}
			out[name] = kinds
			if len(f) > 9 {
				if sub, ok := f[9].([]any); ok {
					read(sub)
				}
			}
		}
	}
	if list, ok := answer.([]any); ok {
		read(list)
	}
	return out
}

func words(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, x := range list {
		out = append(out, asString(x))
	}
	return out
}
