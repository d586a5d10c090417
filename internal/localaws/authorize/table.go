package authorize

// table says what each action asks for, by the service's name in signatures. A line is a list of words:
//
//	cluster/{ClusterName|default}   a resource of this account: {Member} of the input, every one of a list, else what
//	                                follows | and * where nothing does. {A,B} is the first that is there. A member that
//	                                is an ARN or a URL counts for the name in it.
//	{ResourceArn}                   the ARN itself
//	vpc/{VpcId}?VpcId               asked for only with that member
//	*                               the action has no resource-level permissions
//	as:Name                         the action's name in IAM, when it is not the API's
//	key:ecs:cluster=cluster/{C}     a condition key; without the member there is none
//	tags:TagResource                with tags the caller needs this action too, on the same resources
//	pass:Role=lambda.amazonaws.com  a role that the caller must be allowed to pass to that service
//	also:logs:PutResourcePolicy?M   another action, on *, with that member
//	also:ec2:CreateTags=vpc/*;K=V   another action on a resource of its service, or on the ARN, with a condition key; {Region} is the call's
//	documented:logs:PutResourcePolicy  another action, on *, that AWS documents and that was not seen to be asked for: see Deps.Documented
//	linked:ecs.amazonaws.com        the service acts under its service-linked role, and makes it with the caller's permissions
//	free                            needs no permission, or its service decides
var table = map[string]map[string]string{
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html
	// Tags: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/supported-iam-actions-tagging.html
	"ecs": {
		"CreateCluster":         "cluster/{ClusterName|default} tags:TagResource",
		"UpdateCluster":         "cluster/{Cluster|default}",
		"UpdateClusterSettings": "cluster/{Cluster|default}",
		"DescribeClusters":      "cluster/{Clusters|default}",
		"ListClusters":          "*",
		"DeleteCluster":         "cluster/{Cluster|default}",
		// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security_iam_id-based-policy-examples.html: roles are passed here
		"RegisterTaskDefinition":     "task-definition/{Family}:* tags:TagResource pass:TaskRoleArn=ecs-tasks.amazonaws.com pass:ExecutionRoleArn=ecs-tasks.amazonaws.com",
		"DescribeTaskDefinition":     "*",
		"DeregisterTaskDefinition":   "*",
		"CreateService":              "service/{Cluster|default}/{ServiceName} key:ecs:cluster=cluster/{Cluster|default} tags:TagResource linked:ecs.amazonaws.com",
		"UpdateService":              "service/{Cluster|default}/{Service} key:ecs:cluster=cluster/{Cluster|default}",
		"DescribeServices":           "service/{Cluster|default}/{Services} key:ecs:cluster=cluster/{Cluster|default}",
		"ListServices":               "* key:ecs:cluster=cluster/{Cluster|default}",
		"ListServiceDeployments":     "service/{Cluster|default}/{Service} key:ecs:cluster=cluster/{Cluster|default}",
		"DescribeServiceDeployments": "{ServiceDeploymentArns}",
		"DeleteService":              "service/{Cluster|default}/{Service} key:ecs:cluster=cluster/{Cluster|default}",
		"DescribeTasks":              "task/{Cluster|default}/{Tasks} key:ecs:cluster=cluster/{Cluster|default}",
		// Its only resource type is a container instance, which Fargate lacks. AWS then checks * with ecs:cluster.
		"ListTasks":           "* key:ecs:cluster=cluster/{Cluster|default}",
		"TagResource":         "{ResourceArn}",
		"UntagResource":       "{ResourceArn}",
		"ListTagsForResource": "{ResourceArn}",
	},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticache.html
	// Older editions add dependent EC2 actions (ec2:CreateNetworkInterface, ec2:DeleteNetworkInterface ...). The present one has none,
	// AWS's own AmazonElastiCacheFullAccess has none of them, and the interfaces are those of AWSServiceRoleForElastiCache:
	// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/using-service-linked-roles.html
	// Tags: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Tagging-Resources.html
	// Engine and slow logs: https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Logging-destinations.html
	"elasticache": {
		"CreateReplicationGroup": "replicationgroup:{ReplicationGroupId} parametergroup:{CacheParameterGroupName} subnetgroup:{CacheSubnetGroupName}?CacheSubnetGroupName usergroup:{UserGroupIds}?UserGroupIds " +
			"tags:AddTagsToResource linked:elasticache.amazonaws.com" + delivery + key,
		"DescribeReplicationGroups":                "replicationgroup:{ReplicationGroupId}",
		"DescribeCacheClusters":                    "cluster:{CacheClusterId}",
		"ModifyReplicationGroup":                   "replicationgroup:{ReplicationGroupId} parametergroup:{CacheParameterGroupName}?CacheParameterGroupName" + delivery,
		"ModifyReplicationGroupShardConfiguration": "replicationgroup:{ReplicationGroupId}",
		"IncreaseReplicaCount":                     "replicationgroup:{ReplicationGroupId}",
		"DecreaseReplicaCount":                     "replicationgroup:{ReplicationGroupId}",
		"DeleteReplicationGroup":                   "replicationgroup:{ReplicationGroupId} snapshot:{FinalSnapshotIdentifier}?FinalSnapshotIdentifier" + undelivery,
		"CreateCacheSubnetGroup":                   "subnetgroup:{CacheSubnetGroupName} tags:AddTagsToResource linked:elasticache.amazonaws.com",
		"ModifyCacheSubnetGroup":                   "subnetgroup:{CacheSubnetGroupName}",
		"DescribeCacheSubnetGroups":                "subnetgroup:{CacheSubnetGroupName}",
		"DeleteCacheSubnetGroup":                   "subnetgroup:{CacheSubnetGroupName}",
		"CreateCacheParameterGroup":                "parametergroup:{CacheParameterGroupName} tags:AddTagsToResource",
		"ModifyCacheParameterGroup":                "parametergroup:{CacheParameterGroupName}",
		"ResetCacheParameterGroup":                 "parametergroup:{CacheParameterGroupName}",
		"DescribeCacheParameterGroups":             "parametergroup:{CacheParameterGroupName}",
		"DescribeCacheParameters":                  "parametergroup:{CacheParameterGroupName}",
		"DescribeEngineDefaultParameters":          "*",
		"DeleteCacheParameterGroup":                "parametergroup:{CacheParameterGroupName}",
		"DescribeReservedCacheNodesOfferings":      "*",
		"DescribeEvents":                           "*",
		"CreateUser":                               "user:{UserId} tags:AddTagsToResource",
		"DescribeUsers":                            "user:{UserId}",
		"DeleteUser":                               "user:{UserId}",
		"CreateUserGroup":                          "usergroup:{UserGroupId} user:{UserIds} tags:AddTagsToResource",
		"DescribeUserGroups":                       "usergroup:{UserGroupId}",
		"DeleteUserGroup":                          "usergroup:{UserGroupId}",
		"ListTagsForResource":                      "{ResourceName}",
		"AddTagsToResource":                        "{ResourceName}",
		"RemoveTagsFromResource":                   "{ResourceName}",
		"CreateServerlessCache":                    "serverlesscache:{ServerlessCacheName} usergroup:{UserGroupId}?UserGroupId tags:AddTagsToResource linked:elasticache.amazonaws.com" + endpoint + key,
		"DescribeServerlessCaches":                 "serverlesscache:{ServerlessCacheName}",
		"ModifyServerlessCache":                    "serverlesscache:{ServerlessCacheName}",
		"DeleteServerlessCache":                    "serverlesscache:{ServerlessCacheName} serverlesscachesnapshot:{FinalSnapshotName}?FinalSnapshotName",
	},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
	"monitoring": {
		"GetMetricData":    "*",
		"ListMetrics":      "*",
		"PutDashboard":     "dashboard/{DashboardName} tags:TagResource",
		"GetDashboard":     "dashboard/{DashboardName}",
		"DeleteDashboards": "dashboard/{DashboardNames}",
		"PutMetricAlarm":   "alarm:{AlarmName} tags:TagResource",
		// Also with names: https://github.com/aws-samples/amazon-cloudwatch-auto-alarms/issues/1
		"DescribeAlarms":      "alarm:*",
		"DeleteAlarms":        "alarm:{AlarmNames}",
		"ListTagsForResource": "{ResourceARN}",
		"TagResource":         "{ResourceARN}",
		"UntagResource":       "{ResourceARN}",
	},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html
	// AWS asks for a group as "log-group:NAME:log-stream:", which is why policies end in ":*", but for tags without that
	// end: https://github.com/hashicorp/terraform-provider-aws/issues/45479, and
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagResource.html
	"logs": {
		"CreateLogGroup":           "log-group:{LogGroupName}:log-stream: tags:TagResource",
		"DeleteLogGroup":           "log-group:{LogGroupName}:log-stream:",
		"DescribeLogGroups":        "*",
		"PutRetentionPolicy":       "log-group:{LogGroupName}:log-stream:",
		"DeleteRetentionPolicy":    "log-group:{LogGroupName}:log-stream:",
		"TagResource":              "{ResourceArn}",
		"UntagResource":            "{ResourceArn}",
		"ListTagsForResource":      "{ResourceArn}",
		"PutResourcePolicy":        "*",
		"DescribeResourcePolicies": "*",
		"CreateLogStream":          "log-group:{LogGroupName}:log-stream:{LogStreamName}",
		"DescribeLogStreams":       "log-group:{LogGroupName,LogGroupIdentifier}:log-stream:",
		"PutLogEvents":             "log-group:{LogGroupName}:log-stream:{LogStreamName}",
		"GetLogEvents":             "log-group:{LogGroupName,LogGroupIdentifier}:log-stream:{LogStreamName}",
		"FilterLogEvents":          "log-group:{LogGroupName,LogGroupIdentifier}:log-stream:",
	},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
	// A qualifier is part of the ARN: https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html
	// Code in a bucket is read with the caller's permissions: https://docs.aws.amazon.com/lambda/latest/dg/configuration-function-zip.html
	"lambda": {
		"CreateFunction":                  "function:{FunctionName} tags:TagResource pass:Role=lambda.amazonaws.com also:s3:GetObject={Code.S3Bucket}/{Code.S3Key}?Code.S3Bucket also:s3:GetObjectVersion={Code.S3Bucket}/{Code.S3Key}?Code.S3ObjectVersion",
		"GetFunction":                     "function:{FunctionName}",
		"GetFunctionConfiguration":        "function:{FunctionName}",
		"UpdateFunctionCode":              "function:{FunctionName} also:s3:GetObject={S3Bucket}/{S3Key}?S3Bucket also:s3:GetObjectVersion={S3Bucket}/{S3Key}?S3ObjectVersion",
		"UpdateFunctionConfiguration":     "function:{FunctionName} pass:Role=lambda.amazonaws.com",
		"DeleteFunction":                  "function:{FunctionName}",
		"ListVersionsByFunction":          "function:{FunctionName}",
		"GetFunctionCodeSigningConfig":    "function:{FunctionName}",
		"Invoke":                          "function:{FunctionName} as:InvokeFunction",
		"AddPermission":                   "function:{FunctionName}",
		"RemovePermission":                "function:{FunctionName}",
		"GetPolicy":                       "function:{FunctionName}",
		"PutFunctionEventInvokeConfig":    "function:{FunctionName}",
		"UpdateFunctionEventInvokeConfig": "function:{FunctionName}",
		"GetFunctionEventInvokeConfig":    "function:{FunctionName}",
		"DeleteFunctionEventInvokeConfig": "function:{FunctionName}",
		"PutFunctionConcurrency":          "function:{FunctionName}",
		"DeleteFunctionConcurrency":       "function:{FunctionName}",
		"ListTags":                        "{ARN}",
		"TagResource":                     "{ARN}",
		"UntagResource":                   "{ARN}",
	},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridgescheduler.html
	"scheduler": {
		"CreateScheduleGroup": "schedule-group/{Name} tags:TagResource",
		"GetScheduleGroup":    "schedule-group/{Name}",
		"DeleteScheduleGroup": "schedule-group/{Name}",
		// https://docs.aws.amazon.com/scheduler/latest/UserGuide/security_iam_id-based-policies.html
		"CreateSchedule":      "schedule/{GroupName|default}/{Name} pass:Target.RoleArn=scheduler.amazonaws.com",
		"GetSchedule":         "schedule/{GroupName|default}/{Name}",
		"UpdateSchedule":      "schedule/{GroupName|default}/{Name} pass:Target.RoleArn=scheduler.amazonaws.com",
		"DeleteSchedule":      "schedule/{GroupName|default}/{Name}",
		"ListSchedules":       "*",
		"ListTagsForResource": "{ResourceArn}",
		"TagResource":         "{ResourceArn}",
		"UntagResource":       "{ResourceArn}",
	},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
	"sqs": {
		"CreateQueue":        "{QueueName} tags:TagQueue",
		"DeleteQueue":        "{QueueUrl}",
		"GetQueueUrl":        "{QueueName}",
		"ListQueues":         "*",
		"GetQueueAttributes": "{QueueUrl}",
		"SetQueueAttributes": "{QueueUrl}",
		"ListQueueTags":      "{QueueUrl}",
		"TagQueue":           "{QueueUrl}",
		"UntagQueue":         "{QueueUrl}",
		"SendMessage":        "{QueueUrl}",
		"ReceiveMessage":     "{QueueUrl}",
		"DeleteMessage":      "{QueueUrl}",
	},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
	"sns": {
		"CreateTopic":               "{Name} tags:TagResource",
		"DeleteTopic":               "{TopicArn}",
		"ListTopics":                "*",
		"GetTopicAttributes":        "{TopicArn}",
		"SetTopicAttributes":        "{TopicArn}",
		"TagResource":               "{ResourceArn}",
		"UntagResource":             "{ResourceArn}",
		"ListTagsForResource":       "{ResourceArn}",
		"Subscribe":                 "{TopicArn}",
		"ConfirmSubscription":       "{TopicArn}",
		"Unsubscribe":               "{SubscriptionArn}",
		"GetSubscriptionAttributes": "{SubscriptionArn}",
		"SetSubscriptionAttributes": "{SubscriptionArn}",
		"ListSubscriptionsByTopic":  "{TopicArn}",
		"Publish":                   "{TopicArn,TargetArn}",
	},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
	"ssm": {
		"PutParameter":           "parameter/{Name} tags:AddTagsToResource",
		"GetParameter":           "parameter/{Name}",
		"DescribeParameters":     "*",
		"DeleteParameter":        "parameter/{Name}",
		"AddTagsToResource":      "parameter/{ResourceId}",
		"RemoveTagsFromResource": "parameter/{ResourceId}",
		"ListTagsForResource":    "parameter/{ResourceId}",
	},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_servicequotas.html
	"servicequotas": {
		"GetServiceQuota":             "{ServiceCode}/{QuotaCode} key:servicequotas:service={ServiceCode}",
		"RequestServiceQuotaIncrease": "{ServiceCode}/{QuotaCode} key:servicequotas:service={ServiceCode}",
		"GetAWSDefaultServiceQuota":   "*",
	},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonresourcegrouptaggingapi.html
	"tagging": {"GetResources": "*"},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awspricelist.html
	"pricing": {"GetProducts": "*"},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html
	"sts": {"GetCallerIdentity": "free", "AssumeRole": "free"}, // STS itself weighs the role's trust policy with the caller's
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
	"ec2": {
		"DescribeVpcs":                  "*",
		"DescribeVpcAttribute":          "vpc/{VpcId}",
		"DescribeSubnets":               "*",
		"DescribeRouteTables":           "*",
		"CreateVpcEndpoint":             "vpc/{VpcId} vpc-endpoint/* route-table/{RouteTableId}?RouteTableId subnet/{SubnetId}?SubnetId security-group/{SecurityGroupId}?SecurityGroupId tags:CreateTags",
		"DescribeVpcEndpoints":          "*",
		"DeleteVpcEndpoints":            "vpc-endpoint/{VpcEndpointId}",
		"DescribePrefixLists":           "*",
		"CreateManagedPrefixList":       "prefix-list/* tags:CreateTags",
		"DescribeManagedPrefixLists":    "*",
		"GetManagedPrefixListEntries":   "prefix-list/{PrefixListId}",
		"DeleteManagedPrefixList":       "prefix-list/{PrefixListId}",
		"DescribeNetworkInterfaces":     "*",
		"CreateSecurityGroup":           "security-group/* vpc/{VpcId}?VpcId tags:CreateTags",
		"DescribeSecurityGroups":        "*",
		"DeleteSecurityGroup":           "security-group/{GroupId}",
		"AuthorizeSecurityGroupIngress": "security-group/{GroupId} security-group-rule/*?TagSpecification tags:CreateTags",
		"AuthorizeSecurityGroupEgress":  "security-group/{GroupId} security-group-rule/*?TagSpecification tags:CreateTags",
		"RevokeSecurityGroupIngress":    "security-group/{GroupId}",
		"RevokeSecurityGroupEgress":     "security-group/{GroupId}",
		"DescribeSecurityGroupRules":    "*",
		"ModifySecurityGroupRules":      "security-group/{GroupId} security-group-rule/{SecurityGroupRule.SecurityGroupRuleId}",
		"CreateTags":                    "{ResourceId}",
		"DeleteTags":                    "{ResourceId}",
	},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
	"iam": {
		"CreateRole":                    "role{Path|/}{RoleName} key:iam:PermissionsBoundary={PermissionsBoundary} tags:TagRole",
		"GetRole":                       "role/{RoleName}",
		"UpdateRole":                    "role/{RoleName}",
		"UpdateRoleDescription":         "role/{RoleName}",
		"UpdateAssumeRolePolicy":        "role/{RoleName}",
		"DeleteRole":                    "role/{RoleName}",
		"TagRole":                       "role/{RoleName}",
		"UntagRole":                     "role/{RoleName}",
		"PutRolePermissionsBoundary":    "role/{RoleName} key:iam:PermissionsBoundary={PermissionsBoundary}",
		"DeleteRolePermissionsBoundary": "role/{RoleName}",
		"CreateServiceLinkedRole":       "{AWSServiceName} key:iam:AWSServiceName={AWSServiceName}",
		"ListInstanceProfilesForRole":   "role/{RoleName}",
		"PutRolePolicy":                 "role/{RoleName}",
		"GetRolePolicy":                 "role/{RoleName}",
		"ListRolePolicies":              "role/{RoleName}",
		"DeleteRolePolicy":              "role/{RoleName}",
		"AttachRolePolicy":              "role/{RoleName} key:iam:PolicyARN={PolicyArn}",
		"DetachRolePolicy":              "role/{RoleName} key:iam:PolicyARN={PolicyArn}",
		"ListAttachedRolePolicies":      "role/{RoleName}",
		"CreatePolicy":                  "policy{Path|/}{PolicyName} tags:TagPolicy",
		"GetPolicy":                     "{PolicyArn}",
		"DeletePolicy":                  "{PolicyArn}",
		"CreatePolicyVersion":           "{PolicyArn}",
		"GetPolicyVersion":              "{PolicyArn}",
		"ListPolicyVersions":            "{PolicyArn}",
		"DeletePolicyVersion":           "{PolicyArn}",
		"TagPolicy":                     "{PolicyArn}",
		"UntagPolicy":                   "{PolicyArn}",
		"ListPolicyTags":                "{PolicyArn}",
	},
	// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html, and which operation needs what:
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
	"s3": {
		"ListBuckets":             "* as:ListAllMyBuckets",
		"GetBucketWebsite":        "{Bucket}",
		"ListMultipartUploads":    "{Bucket} as:ListBucketMultipartUploads",
		"ListObjectsV2":           "{Bucket} as:ListBucket key:s3:prefix={Prefix}",
		"ListObjects":             "{Bucket} as:ListBucket key:s3:prefix={Prefix}",
		"HeadBucket":              "{Bucket} as:ListBucket",
		"CreateBucket":            "{Bucket}",
		"DeleteBucket":            "{Bucket}",
		"GetObjectTagging":        "{Bucket}/{Key}",
		"GetObject":               "{Bucket}/{Key} kms:Decrypt",
		"HeadObject":              "{Bucket}/{Key} as:GetObject",
		"PutObject":               "{Bucket}/{Key} kms:GenerateDataKey",
		"CreateMultipartUpload":   "{Bucket}/{Key} as:PutObject kms:GenerateDataKey kms:Decrypt",
		"UploadPart":              "{Bucket}/{Key} as:PutObject kms:GenerateDataKey kms:Decrypt",
		"CompleteMultipartUpload": "{Bucket}/{Key} as:PutObject kms:Decrypt",
		"AbortMultipartUpload":    "{Bucket}/{Key}",
		"DeleteObject":            "{Bucket}/{Key}",
	},
}

// delivery is what the caller needs besides to send engine and slow logs to CloudWatch Logs.
const delivery = " also:logs:CreateLogDelivery?LogDeliveryConfigurations also:logs:GetLogDelivery?LogDeliveryConfigurations" +
	" also:logs:UpdateLogDelivery?LogDeliveryConfigurations also:logs:DeleteLogDelivery?LogDeliveryConfigurations" +
	" also:logs:ListLogDeliveries?LogDeliveryConfigurations also:logs:PutResourcePolicy?LogDeliveryConfigurations" +
	" also:logs:DescribeResourcePolicies?LogDeliveryConfigurations also:logs:DescribeLogGroups?LogDeliveryConfigurations"

// undelivery is what the caller may need besides to delete a group that sends them. The page that lists the permissions for log delivery does not
// say which action asks for which; groups are not told apart here by whether they send logs.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Logging-destinations.html
const undelivery = " documented:logs:DeleteLogDelivery documented:logs:GetLogDelivery documented:logs:ListLogDeliveries"

// key is what the caller needs besides to have a cache encrypted with a KMS key of the account's.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/at-rest-encryption.html
const key = " also:kms:CreateGrant={KmsKeyId};kms:ViaService=elasticache.{Region}.amazonaws.com?KmsKeyId" +
	" also:kms:DescribeKey={KmsKeyId};kms:ViaService=elasticache.{Region}.amazonaws.com?KmsKeyId"

// endpoint is what the caller needs besides to make a serverless cache, whose interface endpoint is made in the caller's name
// and removed under the service-linked role, as in AWS's own policies for both.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonElastiCacheFullAccess.html
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/ElastiCacheServiceRolePolicy.html
const endpoint = " also:ec2:CreateVpcEndpoint=vpc-endpoint/*;ec2:VpceServiceName=com.amazonaws.elasticache.serverless.vpce-svc-0" +
	" also:ec2:CreateVpcEndpoint=subnet/{SubnetIds}?SubnetIds also:ec2:CreateVpcEndpoint=security-group/{SecurityGroupIds}?SecurityGroupIds" +
	" also:ec2:CreateTags=vpc-endpoint/*;ec2:CreateAction=CreateVpcEndpoint"
