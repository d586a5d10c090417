// Package servicequotas is Service Quotas: the account's limits that `mage validate` reads.
//
// API reference: https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_Operations.html
//
// It does not do: decide on requests for an increase, which stay pending, and quotas beyond the table below.
package servicequotas

import (
	"context"
	"net/http"
	"sync"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/account"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// defaults are a new account's quotas, with the sources of their values.
var defaults = []quota{
	// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html#service-quotas-fargate
	{ServiceCode: "fargate", ServiceName: "AWS Fargate", QuotaCode: "L-3032A538", QuotaName: "Fargate On-Demand vCPU resource count", Value: 6, Adjustable: true},
	{ServiceCode: "fargate", ServiceName: "AWS Fargate", QuotaCode: "L-36FBB829", QuotaName: "Fargate Spot vCPU resource count", Value: 6, Adjustable: true},
	// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/quota-limits.html
	{ServiceCode: "elasticache", ServiceName: "Amazon ElastiCache", QuotaCode: "L-DFE45DF3", QuotaName: "Nodes per Region", Value: 300, Adjustable: true},
}

type quota struct {
	ServiceCode, ServiceName, QuotaArn, QuotaCode, QuotaName string
	Value                                                    float64
	Unit                                                     string
	Adjustable, GlobalQuota                                  bool
	QuotaAppliedAtLevel                                      string `wire:",omitempty"`
}

// Service is Service Quotas of one account.
type Service struct {
	acct *account.Account

	mu      sync.Mutex
	applied map[string]float64 // by quota code; absent: the default
	pending map[string]bool    // by quota code: an increase was asked for
}

// New has the quotas of a new account.
func New(acct *account.Account) *Service {
	return &Service{acct: acct, applied: map[string]float64{}, pending: map[string]bool{}}
}

// Register serves Service Quotas' actions.
func (s *Service) Register(r *wire.Registry) {
	r.On(wire.Service{Name: "servicequotas", Message: "Message", Invalid: "IllegalArgumentException"},
		wire.Action("GetServiceQuota", s.get),
		wire.Action("GetAWSDefaultServiceQuota", s.getDefault),
		wire.Action("RequestServiceQuotaIncrease", s.request),
	)
}

// Apply sets a quota of the account, such as 12 for L-3032A538.
func (s *Service) Apply(quotaCode string, value float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied[quotaCode] = value
}

// Value is a quota's applied value, 0 when it is not known here.
func (s *Service) Value(quotaCode string) float64 {
	for _, q := range s.quotas(true) {
		if q.QuotaCode == quotaCode {
			return q.Value
		}
	}
	return 0
}

func (s *Service) quotas(applied bool) []quota {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]quota, len(defaults))
	for i, q := range defaults {
		q.QuotaArn, q.Unit, q.QuotaAppliedAtLevel = s.acct.ARN("servicequotas", q.ServiceCode+"/"+q.QuotaCode), "None", "ACCOUNT"
		if v, ok := s.applied[q.QuotaCode]; ok && applied {
			q.Value = v
		}
		if !applied {
			q.QuotaAppliedAtLevel = ""
		}
		out[i] = q
	}
	return out
}

type getIn struct {
	ServiceCode string `wire:",required"`
	QuotaCode   string `wire:",required"`
}

type getOut struct{ Quota quota }

func noSuch(what string) error {
	return wire.Errorf(http.StatusBadRequest, "NoSuchResourceException", "The request failed because the specified %s does not exist.", what)
}

func (s *Service) one(in *getIn, applied bool) (*getOut, error) {
	for _, q := range s.quotas(applied) {
		if q.ServiceCode == in.ServiceCode && q.QuotaCode == in.QuotaCode {
			return &getOut{q}, nil
		}
	}
	return nil, noSuch("quota")
}

func (s *Service) get(_ context.Context, in *getIn) (*getOut, error)        { return s.one(in, true) }
func (s *Service) getDefault(_ context.Context, in *getIn) (*getOut, error) { return s.one(in, false) }

type requestIn struct {
	ServiceCode  string   `wire:",required"`
	QuotaCode    string   `wire:",required"`
	DesiredValue *float64 `wire:",required"`
}

type requested struct {
	Id, ServiceCode, ServiceName, QuotaCode, QuotaName, Status string
	DesiredValue                                               float64
	Created                                                    *wire.Time
}

type requestOut struct{ RequestedQuota requested }

// request asks for an increase. People at AWS decide on it later, and one at a time:
// https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_RequestServiceQuotaIncrease.html
func (s *Service) request(_ context.Context, in *requestIn) (*requestOut, error) {
	q, err := s.one(&getIn{ServiceCode: in.ServiceCode, QuotaCode: in.QuotaCode}, true)
	if err != nil {
		return nil, err
	}
	if *in.DesiredValue <= q.Quota.Value {
		return nil, wire.Errorf(http.StatusBadRequest, "IllegalArgumentException", "The desired value must be greater than the current value %g", q.Quota.Value)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[in.QuotaCode] {
		return nil, wire.Errorf(http.StatusBadRequest, "ResourceAlreadyExistsException", "Only one open service quota increase request is allowed per quota.")
	}
	s.pending[in.QuotaCode] = true
	return &requestOut{requested{Id: account.NewID(32), ServiceCode: in.ServiceCode, ServiceName: q.Quota.ServiceName, QuotaCode: in.QuotaCode, QuotaName: q.Quota.QuotaName,
		Status: "PENDING", DesiredValue: *in.DesiredValue, Created: wire.At(s.acct.Clock.Now())}}, nil
}
