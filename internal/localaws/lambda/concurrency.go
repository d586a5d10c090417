package lambda

import (
	"context"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
)

type concurrency struct{ ReservedConcurrentExecutions *int }

type putConcurrencyIn struct {
	FunctionName                 string `at:"uri"`
	ReservedConcurrentExecutions int    `wire:",required"`
}

// minUnreserved is the concurrency that an account keeps for functions without a reservation.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
const minUnreserved = 100

func (s *Service) putFunctionConcurrency(_ context.Context, in *putConcurrencyIn) (*concurrency, error) {
	return of(s, functionIn{FunctionName: in.FunctionName}, func(f *function) (*concurrency, error) {
		n := in.ReservedConcurrentExecutions
		if n < 0 {
			return nil, bound("reservedConcurrentExecutions", n, 0, s.Concurrency)
		}
		left := s.Concurrency - n
		for _, other := range s.functions {
			if other != f && other.reserved != nil {
				left -= *other.reserved
			}
		}
		if floor := min(minUnreserved, s.Concurrency); left < floor {
			return nil, invalid("Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%d].", floor)
		}
		f.reserved = &n
		return &concurrency{&n}, nil
	})
}

func (s *Service) deleteFunctionConcurrency(_ context.Context, in *functionIn) (*struct{}, error) {
	return of(s, *in, func(f *function) (*struct{}, error) { f.reserved = nil; return &struct{}{}, nil })
}

type tagIn struct {
	ARN     string `at:"uri"`
	Tags    map[string]string
	TagKeys []string `at:"query=tagKeys"`
}

type tagsOut struct{ Tags map[string]string }

func (s *Service) listTags(_ context.Context, in *struct {
	ARN string `at:"uri"`
}) (*tagsOut, error) {
	return of(s, functionIn{FunctionName: in.ARN}, func(f *function) (*tagsOut, error) {
		return &tagsOut{f.tags.Clone()}, nil
	})
}

func (s *Service) tagResource(_ context.Context, in *tagIn) (*struct{}, error) {
	return of(s, functionIn{FunctionName: in.ARN}, func(f *function) (*struct{}, error) {
		return &struct{}{}, tagset.Put(tagRules, &f.tags, tagset.List[tagset.Tag](in.Tags))
	})
}

func (s *Service) untagResource(_ context.Context, in *tagIn) (*struct{}, error) {
	return of(s, functionIn{FunctionName: in.ARN}, func(f *function) (*struct{}, error) {
		f.tags = tagRules.Remove(f.tags, in.TagKeys)
		return &struct{}{}, nil
	})
}

// Tagged are the tags of all functions, by ARN.
func (s *Service) Tagged() map[string]tagset.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]tagset.Set{}
	for name, f := range s.functions {
		all[s.acct.ARN("lambda", "function:"+name)] = f.tags.Clone()
	}
	return all
}
