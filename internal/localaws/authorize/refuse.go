package authorize

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// refuse is AWS's error, with the service's code and wording.
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
	case "sqs": // https://github.com/microsoft/aspire/pull/3333
		return wire.Errorf(http.StatusForbidden, "com.amazon.coral.service#AccessDeniedException", "%s", d.RefusalOf(strings.ToLower(d.Action), d.Resource))
	case "lambda", "scheduler":
		return wire.Errorf(http.StatusForbidden, "AccessDeniedException", "%s", d.Refusal())
	case "ecs", "logs", "ssm", "servicequotas", "tagging", "pricing":
		return wire.Errorf(http.StatusBadRequest, "AccessDeniedException", "%s", d.Refusal())
	}
	return wire.Errorf(http.StatusForbidden, "AccessDenied", "%s", d.Refusal())
}

// UnknownKey is the answer to an unknown access key, and to the key of a session that has ended or whose role is gone.
func UnknownKey(service, accessKey string) error {
	const text = "The security token included in the request is invalid."
	switch kind(service) {
	case "ec2":
		return wire.Errorf(http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")
	case "s3": // https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
		if !strings.HasPrefix(accessKey, "ASIA") {
			return wire.Errorf(http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
		}
		return wire.Errorf(http.StatusBadRequest, "InvalidToken", "The provided token is malformed or otherwise invalid.")
	case "json":
		return wire.Errorf(http.StatusBadRequest, "UnrecognizedClientException", text)
	case "rest-json":
		return wire.Errorf(http.StatusForbidden, "UnrecognizedClientException", text)
	}
	return wire.Errorf(http.StatusForbidden, "InvalidClientTokenId", text)
}

// Expired is the answer to an access key of an expired session.
// https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func Expired(service string) error {
	const text = "The security token included in the request is expired"
	switch kind(service) {
	case "ec2": // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
		return wire.Errorf(http.StatusBadRequest, "RequestExpired", "Request has expired.")
	case "s3":
		return wire.Errorf(http.StatusBadRequest, "ExpiredToken", "The provided token has expired.")
	case "json":
		return wire.Errorf(http.StatusBadRequest, "ExpiredTokenException", text)
	case "rest-json":
		return wire.Errorf(http.StatusForbidden, "ExpiredTokenException", text)
	}
	return wire.Errorf(http.StatusForbidden, "ExpiredToken", text)
}

// Mismatch is the answer to a signature that the secret key did not make.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
func Mismatch(service string) error {
	const text = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	switch kind(service) {
	case "ec2":
		return wire.Errorf(http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")
	case "json":
		return wire.Errorf(http.StatusBadRequest, "InvalidSignatureException", text)
	case "rest-json":
		return wire.Errorf(http.StatusForbidden, "InvalidSignatureException", text)
	}
	return wire.Errorf(http.StatusForbidden, "SignatureDoesNotMatch", text)
}

// S3Skew is the clock skew that S3 accepts in a signature; other services accept 5 minutes.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
const S3Skew, skew = 15 * time.Minute, 5 * time.Minute

// Aged is the answer to a signature whose time is too far in the past or future; nil for a current one.
// Texts: https://github.com/aws/aws-sdk-php/issues/612, https://github.com/convox/rack/issues/235
func Aged(service string, signed, now time.Time) error {
	kind, allowed := kind(service), skew
	if kind == "s3" || kind == "ec2" {
		allowed = S3Skew
	}
	early, late := now.Add(-allowed), now.Add(allowed)
	const layout = "20060102T150405Z"
	shown := func(t time.Time) string { return t.UTC().Format(layout) }
	text := fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - %.0f min.)", shown(signed), shown(early), shown(now), allowed.Minutes())
	switch {
	case !signed.Before(early) && !signed.After(late):
		return nil
	case signed.After(late):
		text = fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + %.0f min.)", shown(signed), shown(late), shown(now), allowed.Minutes())
	}
	switch kind {
	case "s3":
		return wire.Errorf(http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	case "ec2": // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
		return wire.Errorf(http.StatusBadRequest, "RequestExpired", "Request has expired.")
	case "json":
		return wire.Errorf(http.StatusBadRequest, "InvalidSignatureException", "%s", text)
	case "rest-json":
		return wire.Errorf(http.StatusForbidden, "InvalidSignatureException", "%s", text)
	}
	return wire.Errorf(http.StatusForbidden, "SignatureDoesNotMatch", "%s", text)
}

// Unsigned is the answer to a request without a signature, which names no service either.
func Unsigned() error {
	return wire.Errorf(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
}

// Untimely is S3's answer to a presigned URL that is not valid yet or has expired. https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html
func Untimely(why string) error { return wire.Errorf(http.StatusForbidden, "AccessDenied", "%s", why) }

// NoLifetime is S3's answer to a presigned URL without a start or duration, which it must have.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func NoLifetime(why error) error {
	return wire.Errorf(http.StatusBadRequest, "AuthorizationQueryParametersError", "%v", why)
}

// Outdated is S3's answer to Signature Version 2, which buckets created after June 2020 do not accept.
// https://docs.aws.amazon.com/AmazonS3/latest/API/specify-signature-version.html
func Outdated() error {
	return wire.Errorf(http.StatusBadRequest, "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
}

// kind is how a service words these answers.
func kind(service string) string {
	switch service {
	case "ecs", "logs", "ssm", "servicequotas", "sqs", "tagging", "pricing":
		return "json"
	case "lambda", "scheduler":
		return "rest-json"
	}
	return service
}
