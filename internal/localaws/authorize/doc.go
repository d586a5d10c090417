// Package authorize decides whether a call is allowed by the policies of its caller, before the service sees the call. With the
// keys of a role's session - the Lambda's, a deployer's - only what Terraform attached to that role is allowed.
// The keys of the account's user may do everything.
//
// What an action asks for - its name in IAM, the resources, the condition keys - is that of the Service Authorization
// Reference, https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html,
// linked above each service's table. Where AWS is known to ask differently, the line has the source.
// An action without a line is denied to every role and noted as unhandled.
//
// It does not do: policies of queues, topics, functions and buckets, service control and session policies, and
// condition keys beyond aws:RequestTag, aws:TagKeys, aws:ResourceTag of EC2, ec2:CreateAction, ecs:CreateAction, ecs:cluster,
// iam:AWSServiceName, iam:PassedToService, iam:PermissionsBoundary, iam:PolicyARN, s3:prefix and servicequotas:service.
package authorize
