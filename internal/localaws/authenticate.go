package localaws

import (
	"net/http"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/authorize"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/signature"
)

// authenticate tells why a signature does not count: the access key must be one that the account gave out, and its secret must have made the signature.
func (p *Place) authenticate(r *http.Request, signed signature.Signature, payload string) error {
	if signed.AccessKey == "" {
		return authorize.Unsigned()
	}
	key, known := p.IAM.Credentials(signed.AccessKey)
	switch {
	case !known || signed.Token != key.SessionToken:
		return authorize.Stranger(signed.Service, signed.AccessKey)
	case !signed.Matches(r, key.SecretAccessKey, payload):
		return authorize.Mismatch(signed.Service)
	case signed.Expired(p.acct.Clock.Now()):
		return authorize.Expired()
	}
	return nil
}
