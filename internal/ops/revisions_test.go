package ops

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// A destroy leaves no active revision of the load's task definition: the SDK may have registered one twice.
func TestRevisionsThatTerraformDoesNotKnow(t *testing.T) {
	for name, c := range map[string]struct {
		active  int
		tag     string
		cluster string
		want    int
	}{
		"two":                     {active: 2, tag: "n", cluster: "INACTIVE", want: 2},
		"none":                    {cluster: "INACTIVE"},
		"of somebody else":        {active: 1, tag: "m"},
		"without a tag":           {active: 1},
		"deployed by a colleague": {active: 1, tag: "n", cluster: "ACTIVE"},
	} {
		t.Run(name, func(t *testing.T) {
			left := c.active
			_, _, s := stackOf(t, func(what string, _ url.Values) (int, map[string]string, string) {
				switch {
				case what == "DescribeClusters" && c.cluster != "":
					return 200, nil, `{"clusters":[{"status":"` + c.cluster + `"}]}`
				case what == "DescribeTaskDefinition" && left == 0:
					return 400, nil, `{"__type":"ClientException","message":"Unable to describe task definition."}`
				case what == "DescribeTaskDefinition":
					return 200, nil, fmt.Sprintf(`{"taskDefinition":{"taskDefinitionArn":"arn:%d"},"tags":[{"key":"elasticache-perf","value":"%s"}]}`, left, c.tag)
				case what == "DeregisterTaskDefinition":
					left--
				}
				return 200, nil, `{}`
			})
			n, err := s.DropRevisions(t.Context())
			require.NoError(t, err)
			require.Equal(t, c.want, n)
			require.Equal(t, c.active-c.want, left)
		})
	}
}
