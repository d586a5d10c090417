package shutdown

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// serverless is a cache without nodes: its name alone names its metrics.
type serverless struct {
	*run
	name string
}

func (s serverless) String() string { return "serverless cache " + s.name }

// describe writes the status in lower case, as the service answers; the API reference has it in upper case.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ServerlessCache.html
func (s serverless) describe(ctx context.Context) (*seen, error) {
	out, err := s.aws.ElastiCache.DescribeServerlessCaches(ctx, &elasticache.DescribeServerlessCachesInput{ServerlessCacheName: &s.name})
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe %s: %w", s, err)
	}
	if len(out.ServerlessCaches) == 0 {
		return nil, nil
	}
	c := out.ServerlessCaches[0]
	m := s.membership()
	m.Engine, m.EngineVersion, m.Endpoint, m.CreatedAt = aws.ToString(c.Engine), aws.ToString(c.FullEngineVersion), address(c.Endpoint), c.CreateTime
	return &seen{strings.ToLower(aws.ToString(c.Status)), aws.ToString(c.ARN), *m}, nil
}

// membership is what follows from the name alone. A serverless cache always uses the cluster mode protocol.
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/wwe-troubleshooting.html
func (s serverless) membership() *export.Membership {
	return &export.Membership{ServerlessCache: s.name, ClusterMode: true, Nodes: []export.Node{}}
}

func (s serverless) detail(context.Context, *export.Membership) {}

func (s serverless) reconstruct(context.Context) (*export.Membership, error) {
	s.warn("%s was gone before it was described: its engine and version are not known", s)
	return s.membership(), nil
}

func (s serverless) delete(ctx context.Context) error {
	_, err := s.aws.ElastiCache.DeleteServerlessCache(ctx, &elasticache.DeleteServerlessCacheInput{ServerlessCacheName: &s.name})
	return err
}

func (s serverless) resource() string { return "serverlesscache:" + s.name }

func (s serverless) checks(ctx context.Context) []check {
	return append([]check{{allow: "elasticache:DescribeServerlessCaches", do: func(ctx context.Context) error {
		_, err := s.describe(ctx)
		return err
	}}}, s.tagsCheck(ctx, s.resource())...)
}
