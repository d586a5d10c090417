package sweep

import (
	"context"
	"net/url"

	"github.com/elasticache-perf/elasticache-perf/internal/awsquery"
)

// Calls for which the commands compile no client of the SDK.

// ruleOf returns a rule's security group and direction.
func ruleOf(ctx context.Context, r *remover, id string) (group string, egress bool, err error) {
	var out struct {
		Rules []struct {
			Group  string `xml:"groupId"`
			Egress bool   `xml:"isEgress"`
		} `xml:"securityGroupRuleSet>item"`
	}
	if err = awsquery.Call(ctx, r.cfg, awsquery.EC2, "DescribeSecurityGroupRules", url.Values{"SecurityGroupRuleId.1": {id}}, &out); err != nil || len(out.Rules) == 0 {
		return "", false, err
	}
	return out.Rules[0].Group, out.Rules[0].Egress, nil
}

func ruleThere(ctx context.Context, r *remover, id string) (bool, error) {
	group, _, err := ruleOf(ctx, r, id)
	return group != "", err
}

// revokeRule is needed before the groups can be deleted, because their rules refer to each other. A rule in an existing cache's group would stay otherwise.
func revokeRule(ctx context.Context, r *remover, id string) error {
	group, egress, err := ruleOf(ctx, r, id)
	if err != nil || group == "" {
		return err
	}
	action := "RevokeSecurityGroupIngress"
	if egress {
		action = "RevokeSecurityGroupEgress"
	}
	return awsquery.Call(ctx, r.cfg, awsquery.EC2, action, url.Values{"GroupId": {group}, "SecurityGroupRuleId.1": {id}}, nil)
}

func securityGroupThere(ctx context.Context, r *remover, id string) (bool, error) {
	groups, err := awsquery.SecurityGroups(ctx, r.cfg, url.Values{"GroupId.1": {id}})
	return len(groups) > 0, err
}

func deleteSecurityGroup(ctx context.Context, r *remover, id string) error {
	return awsquery.Call(ctx, r.cfg, awsquery.EC2, "DeleteSecurityGroup", url.Values{"GroupId": {id}}, nil)
}

func queueURL(ctx context.Context, r *remover, name string) (string, error) {
	var out struct{ QueueURL string }
	err := awsquery.Call(ctx, r.cfg, awsquery.SQS, "GetQueueUrl", url.Values{"QueueName": {name}}, &out)
	return out.QueueURL, err
}

func queueThere(ctx context.Context, r *remover, name string) (bool, error) {
	at, err := queueURL(ctx, r, name)
	return at != "", err
}

func deleteQueue(ctx context.Context, r *remover, name string) error {
	at, err := queueURL(ctx, r, name)
	if err != nil {
		return err
	}
	return awsquery.Call(ctx, r.cfg, awsquery.SQS, "DeleteQueue", url.Values{"QueueUrl": {at}}, nil)
}

// GetParameter without WithDecryption does not decrypt a SecureString.
func parameterThere(ctx context.Context, r *remover, name string) (bool, error) {
	var out struct{ Parameter struct{ Name string } }
	err := awsquery.Call(ctx, r.cfg, awsquery.SSM, "GetParameter", url.Values{"Name": {name}}, &out)
	return out.Parameter.Name != "", err
}

func deleteParameter(ctx context.Context, r *remover, name string) error {
	return awsquery.Call(ctx, r.cfg, awsquery.SSM, "DeleteParameter", url.Values{"Name": {name}}, nil)
}

// roleThere reports whether a role of this name has the stack's tag.
func roleThere(ctx context.Context, r *remover, name string) (bool, error) {
	var out struct {
		Tags []struct{ Key, Value string } `xml:"GetRoleResult>Role>Tags>member"`
	}
	err := awsquery.Call(ctx, r.cfg, awsquery.IAM, "GetRole", url.Values{"RoleName": {name}}, &out)
	for _, t := range out.Tags {
		if t.Key == Tag && t.Value == r.name {
			return true, err
		}
	}
	return false, err
}

// deleteRole deletes a role's inline policies, then the role: https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
func deleteRole(ctx context.Context, r *remover, name string) error {
	var own struct {
		Names []string `xml:"ListRolePoliciesResult>PolicyNames>member"`
	}
	if err := awsquery.Call(ctx, r.cfg, awsquery.IAM, "ListRolePolicies", url.Values{"RoleName": {name}}, &own); err != nil {
		return err
	}
	for _, policy := range own.Names {
		if err := awsquery.Call(ctx, r.cfg, awsquery.IAM, "DeleteRolePolicy", url.Values{"RoleName": {name}, "PolicyName": {policy}}, nil); err != nil {
			return err
		}
	}
	return awsquery.Call(ctx, r.cfg, awsquery.IAM, "DeleteRole", url.Values{"RoleName": {name}}, nil)
}
