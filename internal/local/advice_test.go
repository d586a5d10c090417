package local

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// No command of a message in the embedded AWS acts on a real account.
func TestAdviceOfTheEmbeddedAWS(t *testing.T) {
	const endpoint = "http://127.0.0.1:4000"
	const there = " --endpoint-url http://127.0.0.1:4000"
	const flags = " --endpoint-url http://127.0.0.1:4000 --region us-east-1"
	for said, want := range map[string][2]string{
		"`go tool mage deploy` goes on, `go tool mage destroy` removes it": {"`go tool mage local:run` goes on, `go tool mage local:run` removes it", "`. env && go tool mage deploy` goes on, `. env && go tool mage destroy` removes it"},
		"`RUN=2026 go tool mage export` exports":                           {"`go tool mage local:run` exports", "`. env && RUN=2026 go tool mage export` exports"},
		"create it with `aws s3 mb s3://b --region r`, or":                 {"create it with `aws s3 mb s3://b --region r" + there + "`, or", "create it with `aws s3 mb s3://b --region r" + there + "`, or"},
		"name it:\n│   aws s3 mb s3://b\n│ on":                             {"name it:\n│   aws s3 mb s3://b" + flags + "\n│ on", "name it:\n│   aws s3 mb s3://b" + flags + "\n│ on"},
		"remove it with\n  aws iam delete-role --role-name n\n  aws lambda delete-function --function-name n": {
			"remove it with\n  aws iam delete-role --role-name n" + flags + "\n  aws lambda delete-function --function-name n" + flags,
			"remove it with\n  aws iam delete-role --role-name n" + flags + "\n  aws lambda delete-function --function-name n" + flags},
		"the provider hashicorp/aws of the mirror":   {"the provider hashicorp/aws of the mirror", "the provider hashicorp/aws of the mirror"},
		"the image goes on":                          {"the image goes on", "the image goes on"},
		"it continues, and is billed, until 4":       {"it continues, and would be billed on AWS, until 4", "it continues, and would be billed on AWS, until 4"},
		"`FROM='a  b' go tool mage report` shows it": {"`go tool mage local:run` shows it", "`. env && FROM='a  b' go tool mage report` shows it"},
		"`SWEEP=n go tool mage sweep` ends it":       {"`go tool mage local:run` ends it", "`. env && SWEEP=n go tool mage sweep` ends it"},
	} {
		require.Equal(t, want[0], Advice(endpoint, "us-east-1", Again, said))
		sourced := func(text string) string {
			return Advice(endpoint, "us-east-1", func(command string) string { return ". env && " + command }, text)
		}
		require.Equal(t, want[1], sourced(said))
		require.Equal(t, want[1], sourced(sourced(said)), "what is wrapped for a terminal is written before")
	}
	in := func(text string) string { return Advice(endpoint, "us-east-1", Again, text) }
	var out bytes.Buffer
	n, err := fmt.Fprintf(Advised{&out, in}, "run `go tool mage stop`\n")
	require.NoError(t, err)
	require.Equal(t, len("run `go tool mage stop`\n"), n)
	require.Equal(t, "run `go tool mage local:run`\n", out.String())
	cause := errors.New("go tool mage destroy")
	err = AdviceError(fmt.Errorf("a: %w", cause), in)
	require.EqualError(t, err, "a: go tool mage local:run")
	require.ErrorIs(t, err, cause)
	require.NoError(t, AdviceError(nil, in))
	require.Equal(t, errors.New("b"), AdviceError(errors.New("b"), in))
}
