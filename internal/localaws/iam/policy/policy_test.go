package policy

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func statementOf(fields string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + fields + `}]}`
}

// The messages are IAM's: https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html, MalformedPolicyDocument.
func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		kind       Kind
		text, want string
	}{
		{Identity, "no json", "Syntax errors in policy."},
		{Trust, "no json", "This policy contains invalid Json"},
		{Identity, `{"Statement":[]}`, "Policy document must be version 2012-10-17 or greater."},
		{Identity, `{"Version":"2012-10-17","Statement":[]}`, "Syntax errors in policy."},
		{Identity, `{"Version":"2012-10-17","Extra":1,"Statement":[]}`, "Syntax errors in policy."},
		{Identity, `{"Version":"2012-10-17","Statement":{"Effect":"allow","Action":"*","Resource":"*"}}`, "Syntax errors in policy."},
		{Identity, `{"Version":"2012-10-17","Statement":{"effect":"Allow","Action":"*","Resource":"*"}}`, "Syntax errors in policy."},
		{Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Action":"s3:GetObject","Resource":"*"}}`, "Syntax errors in policy."},
		{Identity, `{"Version":"2012-10-17","Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, "Syntax errors in policy."},
		{Trust, `{"Version":"2020-01-01","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}}`, "This policy contains invalid Json"},
		{Identity, statementOf(`"Action":"s3:GetObject","Resource":"*","Condition":{"NullIfExists":{"aws:x":"true"}}`), "Invalid Condition type : NullIfExists."},
		{Identity, statementOf(`"Action":"s3:GetObject"`), "Policy statement must contain resources."},
		{Identity, statementOf(`"Resource":"*"`), "Policy statement must contain actions."},
		{Identity, statementOf(`"Action":"s3:GetObject","NotAction":"s3:Put*","Resource":"*"`), "Syntax errors in policy."},
		{Identity, statementOf(`"Action":"GetObject","Resource":"*"`), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."},
		{Identity, statementOf(`"Action":"s3:Get:Object","Resource":"*"`), "Actions/Condition can contain only one colon."},
		{Identity, statementOf(`"Action":"s3:GetObject","Resource":"bucket"`), `Resource bucket must be in ARN format or "*".`},
		{Identity, statementOf(`"Action":"s3:GetObject","Resource":"arn:aws:s3::bucket"`), "The policy failed legacy parsing"},
		{Identity, statementOf(`"Action":"iam:PassRole","Resource":"arn:aws:iam::${aws:PrincipalAccount}:role/x"`), "The policy failed legacy parsing"},
		{Identity, statementOf(`"Action":"s3:GetObject","Resource":"arn:gcp:s3:::b"`), `Partition "gcp" is not valid for resource "arn:gcp:s3:::b".`},
		{Identity, statementOf(`"Action":"s3:GetObject","Resource":"*","Principal":"*"`), "Policy document should not specify a principal."},
		{Identity, statementOf(`"Sid":"a b","Action":"s3:GetObject","Resource":"*"`), "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"},
		{Identity, statementOf(`"Action":"s3:GetObject","Resource":"*","Condition":{"StringMatches":{"aws:x":"y"}}`), "Invalid Condition type : StringMatches."},
		{Trust, statementOf(`"Action":"sts:AssumeRole"`), "Missing required field Principal"},
		{Trust, statementOf(`"Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"},"Resource":"*"`), "Has prohibited field Resource"},
		{Trust, statementOf(`"Action":"s3:GetObject","Principal":{"Service":"lambda.amazonaws.com"}`), "AssumeRole policy may only specify STS AssumeRole actions."},
		{Trust, statementOf(`"Action":"sts:AssumeRole","Principal":{"Service":"lambda"}`), `Invalid principal in policy: "SERVICE":"lambda"`},
	} {
		_, err := Parse(c.kind, c.text)
		require.EqualError(t, err, c.want, c.text)
	}
	_, err := Parse(Identity, `{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"}]}`)
	require.EqualError(t, err, "Statement IDs (SID) in a single policy must be unique.")
}

func TestDecide(t *testing.T) {
	group := "arn:aws:logs:us-east-1:123456789012:log-group:/x/load:log-stream:a"
	for i, c := range []struct {
		fields, action, resource string
		context                  map[string]string
		want                     bool
	}{
		{`"Action":"logs:Get*","Resource":"arn:aws:logs:*:*:log-group:/x/load:*"`, "logs:getlogevents", group, nil, true},
		{`"Action":"logs:Put?ogEvents","Resource":"*"`, "logs:PutLogEvents", group, nil, true},
		{`"Action":"logs:GetLogEvents","Resource":"arn:aws:logs:us-east-1:123456789012:log-group:/x/load"`, "logs:GetLogEvents", group, nil, false},
		{`"Action":"logs:GetLogEvents","Resource":"arn:aws:logs:us-east-1:123456789012:log-group:/x/load:*"`, "logs:GetLogEvents", "*", nil, false},
		{`"NotAction":"iam:*","Resource":"*"`, "iam:PassRole", "*", nil, false},
		{`"NotAction":"iam:*","Resource":"*"`, "ecs:ListTasks", "*", nil, true},
		{`"Action":"ecs:ListTasks","Resource":"*","Condition":{"ArnEquals":{"ecs:cluster":"arn:aws:ecs:*:*:cluster/n"}}`, "ecs:ListTasks", "*",
			map[string]string{"ecs:Cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/n"}, true},
		{`"Action":"ecs:ListTasks","Resource":"*","Condition":{"ArnEquals":{"ecs:cluster":"arn:aws:ecs:*:*:cluster/n"}}`, "ecs:ListTasks", "*", nil, false},
		{`"Action":"cloudwatch:PutMetricData","Resource":"*","Condition":{"StringEquals":{"cloudwatch:namespace":["a","b"]}}`, "cloudwatch:PutMetricData", "*", map[string]string{"cloudwatch:namespace": "b"}, true},
		{`"Action":"a:B","Resource":"*","Condition":{"StringNotEquals":{"aws:x":"1"}}`, "a:B", "*", nil, true},
		{`"Action":"a:B","Resource":"*","Condition":{"StringNotEquals":{"aws:x":"1"}}`, "a:B", "*", map[string]string{"aws:x": "1"}, false},
		{`"Action":"a:B","Resource":"*","Condition":{"ForAnyValue:StringNotEquals":{"aws:x":"1"}}`, "a:B", "*", nil, false},
		{`"Action":"a:B","Resource":"*","Condition":{"ForAnyValue:StringNotEquals":{"aws:x":"1"}}`, "a:B", "*", map[string]string{"aws:x": "2"}, true},
		{`"Action":"a:B","Resource":"*","Condition":{"StringLikeIfExists":{"aws:x":"1*"}}`, "a:B", "*", nil, true},
		{`"Action":"a:B","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true}}`, "a:B", "*", map[string]string{"aws:SecureTransport": "true"}, true},
		{`"Action":"a:B","Resource":"*","Condition":{"Null":{"aws:x":"true"}}`, "a:B", "*", nil, true},
		{`"Action":"a:B","Resource":"*","Condition":{"NumericLessThanEquals":{"s3:max-keys":10}}`, "a:B", "*", map[string]string{"s3:max-keys": "10"}, true},
		{`"Action":"a:B","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["run","name"]}}`, "a:B", "*", map[string]string{"aws:TagKeys": "run\nname"}, true},
		{`"Action":"a:B","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["run"]}}`, "a:B", "*", map[string]string{"aws:TagKeys": "run\nname"}, false},
		{`"Action":"a:B","Resource":"arn:aws:s3:::b/${aws:PrincipalAccount}/*"`, "a:B", "arn:aws:s3:::b/1/k", map[string]string{"aws:PrincipalAccount": "1"}, true},
	} {
		d, err := Parse(Identity, statementOf(c.fields))
		require.NoError(t, err)
		require.Equal(t, c.want, d.Decide(Request{Action: c.action, Resource: c.resource, Context: c.context}) == Allow, fmt.Sprint(i, c))
	}
	d, err := Parse(Identity, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"s3:Delete*","Resource":"*"}]}`)
	require.NoError(t, err)
	require.Equal(t, Deny, d.Decide(Request{Action: "s3:DeleteObject", Resource: "arn:aws:s3:::b/k"}))
}

func TestPrincipals(t *testing.T) {
	d, err := Parse(Trust, statementOf(`"Action":"sts:AssumeRole","Principal":{"Service":["lambda.amazonaws.com","scheduler.amazonaws.com"],"AWS":"123456789012"},"Condition":{"StringEquals":{"aws:SourceAccount":"1"}}`))
	require.NoError(t, err)
	ask := func(principal, account string) Decision {
		return d.Decide(Request{Principals: []string{principal}, Action: "sts:AssumeRole", Context: map[string]string{"aws:SourceAccount": account}})
	}
	require.Equal(t, Allow, ask("Service:lambda.amazonaws.com", "1"))
	require.Equal(t, None, ask("Service:lambda.amazonaws.com", "2"))
	require.Equal(t, None, ask("Service:ecs-tasks.amazonaws.com", "1"))
	require.Equal(t, Allow, ask("AWS:arn:aws:iam::123456789012:root", "1"))
	require.Equal(t, []string{"AWS:arn:aws:iam::123456789012:root", "Service:lambda.amazonaws.com", "Service:scheduler.amazonaws.com"}, d.Principals())
}
