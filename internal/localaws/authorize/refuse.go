package authorize

import (
	"net/http"
	"strings"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// refuse is AWS's error in each service's code and words.
func refuse(service string, d iam.Decision) error {
	switch service {
	case "ec2": // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
		return wire.Errorf(http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation. %s", d.Refusal())
	case "s3": // it quotes ARNs: https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html
		return wire.Errorf(http.StatusForbidden, "AccessDenied", "%s", d.RefusalOf(d.Action, `"`+d.Resource+`"`))
	case "sns": // https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
		action := d.Action
		if name, ok := strings.CutPrefix(action, "sns:"); ok {
			action = "SNS:" + name
		}
		return wire.Errorf(http.StatusForbidden, "AuthorizationError", "%s", d.RefusalOf(action, d.Resource))
	case "sqs": // in the words of its older protocol, which clients read: https://github.com/microsoft/aspire/pull/3333
		e := wire.Errorf(http.StatusForbidden, "com.amazon.coral.service#AccessDeniedException", "%s", d.RefusalOf(strings.ToLower(d.Action), d.Resource))
		e.Header = http.Header{}
		e.Header.Set("X-Amzn-Query-Error", "AccessDenied;Sender")
		return e
	case "lambda", "scheduler":
		return wire.Errorf(http.StatusForbidden, "AccessDeniedException", "%s", d.Refusal())
	case "ecs", "logs", "ssm", "servicequotas":
		return wire.Errorf(http.StatusBadRequest, "AccessDeniedException", "%s", d.Refusal())
	}
	return wire.Errorf(http.StatusForbidden, "AccessDenied", "%s", d.Refusal())
}

// stranger is the answer to keys that nobody has, and to those of a session that has ended or whose role is gone.
func stranger(service, key string) error {
	const text = "The security token included in the request is invalid."
	switch service {
	case "ec2":
		return wire.Errorf(http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")
	case "s3": // https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
		if !strings.HasPrefix(key, "ASIA") {
			return wire.Errorf(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
		}
		return wire.Errorf(http.StatusBadRequest, "InvalidToken", "The provided token is malformed or otherwise invalid.")
	case "ecs", "logs", "ssm", "servicequotas", "sqs":
		return wire.Errorf(http.StatusBadRequest, "UnrecognizedClientException", text)
	case "lambda", "scheduler":
		return wire.Errorf(http.StatusForbidden, "UnrecognizedClientException", text)
	}
	return wire.Errorf(http.StatusForbidden, "InvalidClientTokenId", text)
}
