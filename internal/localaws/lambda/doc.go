// Package lambda is AWS Lambda for functions on provided.al2023: the real bootstrap of the zip runs as a child
// process under a Runtime API of its own, with the environment, the role's credentials, the timeout, the logs and
// the asynchronous retries that AWS gives it. One environment runs one invocation at a time and is kept for the next.
//
// The child sees AWS's environment, with these differences: AWS_ENDPOINT_URL is added, LAMBDA_TASK_ROOT is a folder
// of this machine, there is no X-Ray daemon, and it is neither frozen between invocations nor limited to its memory
// size. Logs go to an existing group; none is created. An event is never delivered twice unless it failed.
//
// Not served, and refused: published versions and aliases, layers, VPC, container images, X-Ray,
// SnapStart, KMS keys, code signing, function URLs, and destinations other than SQS and SNS.
//
// https://docs.aws.amazon.com/lambda/latest/api/welcome.html
package lambda
