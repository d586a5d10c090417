package localaws

import (
	"net/http"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/authorize"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/signature"
)

// authenticate says why a signature is refused: the account must have issued the access key, and its secret must have made the signature.
func (p *Place) authenticate(r *http.Request, signed signature.Signature, payload string) error {
	if signed.AccessKey == "" {
		return authorize.Unsigned()
	}
	if signed.Version2() {
		return authorize.Outdated()
	}
	key, known := p.IAM.Credentials(signed.AccessKey)
	switch {
	case !known || signed.Token != key.SessionToken:
		return authorize.UnknownKey(signed.Service, signed.AccessKey)
	case !signed.Matches(r, key.SecretAccessKey, payload):
		return authorize.Mismatch(signed.Service)
	case !key.Expires.IsZero() && key.Expires.Before(p.acct.Clock.Now()):
		return authorize.Expired(signed.Service)
	case !signed.Presigned:
		// By AWS's clock and by the machine's: an SDK that saw AWS's time in an answer signs by AWS's. They differ only where a test sets AWS's.
		err := authorize.Aged(signed.Service, signed.Time(), p.acct.Clock.Now())
		if err != nil {
			err = authorize.Aged(signed.Service, signed.Time(), time.Now())
		}
		return err
	}
	from, until, err := signed.Lifetime()
	now := p.acct.Clock.Now()
	switch {
	case err != nil:
		return authorize.NoLifetime(err)
	case now.Before(from.Add(-authorize.S3Skew)):
		return authorize.Untimely("Request is not valid yet")
	case now.After(until):
		return authorize.Untimely("Request has expired")
	}
	return nil
}
