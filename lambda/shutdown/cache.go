package shutdown

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// cache is the cache under test: a replication group or a serverless cache.
type cache interface {
	fmt.Stringer                                             // replication group NAME
	describe(context.Context) (*seen, error)                 // nil when it does not exist
	detail(context.Context, *export.Membership)              // adds the fields that need another call
	reconstruct(context.Context) (*export.Membership, error) // what is still known of a cache that was never seen
	delete(context.Context) error
	checks(context.Context) []check // the calls of a stop, without the deletion
	resource() string               // the last part of its ARN
}

// seen is a cache as AWS describes it.
type seen struct {
	status, arn string // status is lower case
	membership  export.Membership
}

// cache is nil when the stack knows only an endpoint.
func (r *run) cache() cache {
	switch c := r.cfg.Cache; {
	case c.Serverless != "":
		return serverless{r, c.Serverless}
	case c.ReplicationGroup != "":
		return replicationGroup{r, c.ReplicationGroup}
	}
	return nil
}

// known reports whether a membership names anything that publishes metrics.
func known(m *export.Membership) bool {
	return m != nil && (len(m.Nodes) > 0 || m.ServerlessCache != "")
}

// readMembership records the cache while it exists: a later export needs the nodes' names to name their series.
func (r *run) readMembership(ctx context.Context) error {
	c := r.cache()
	if c == nil {
		if r.state.Window != nil {
			r.warn("the stack names neither a replication group nor a serverless cache: the metrics are those of ECS alone")
		}
		return nil
	}
	if known(r.state.Membership) {
		return nil
	}
	now, err := r.describeCache(ctx, c)
	if err != nil {
		return err
	}
	if now == nil || !known(&now.membership) {
		if r.state.Window != nil {
			r.state.Membership, err = c.reconstruct(ctx)
		}
		return err
	}
	c.detail(ctx, &now.membership)
	r.state.Membership = &now.membership
	return nil
}

// ours reports whether this run or an earlier run of this stack created the cache. If `watch` is recreated while a cache exists, it guards a new
// run, and nothing else would delete the cache.
func (r *run) ours(tags []types.Tag) (owner string, ours bool) {
	var name string
	for _, t := range tags {
		switch aws.ToString(t.Key) {
		case "run":
			owner = aws.ToString(t.Value)
		case "name":
			name = aws.ToString(t.Value)
		}
	}
	_, err := ParseRun(owner)
	return owner, owner == r.id || err == nil && owner < r.id && name == r.cfg.Name // runs sort by time
}

// createFailed is the status of a cache that AWS could not create.
const createFailed = "create-failed"

// describeCache describes the cache; nil when it does not exist.
func (r *run) describeCache(ctx context.Context, c cache) (*seen, error) {
	ctx, done := r.brief(ctx)
	defer done()
	return c.describe(ctx)
}

// deleteCache deletes the cache if the stack created it, for this run or an earlier one. A hanging call is repeated while there is time.
func (r *run) deleteCache(ctx context.Context) error {
	c := r.cache()
	if c == nil || !r.cfg.Cache.Delete {
		r.gone = true
		return nil
	}
	for {
		began := r.clock.Now()
		err := r.requestDeletion(ctx, c)
		var wait pending
		if err == nil || errors.As(err, &wait) || errors.Is(err, errReplaced) || ctx.Err() != nil || r.clock.Now().Sub(began) < 5*time.Second || r.left(ctx) < 15*time.Second {
			return err
		}
		r.log.Warn("asking again", "error", err)
	}
}

func (r *run) requestDeletion(ctx context.Context, c cache) error {
	if err := r.replaced(ctx); err != nil {
		return err
	}
	now, unseen := r.describeCache(ctx, c)
	if unseen != nil { // its tags name the owner; the answer to its deletion shows whether it exists
		if now = (&seen{arn: r.arn(ctx, c.resource())}); now.arn == "" {
			return unseen
		}
	}
	if r.gone = now == nil; r.gone {
		return nil
	}
	r.createFailed = r.createFailed || now.status == createFailed
	if now.status == "deleting" {
		r.deleting()
		return nil
	}
	owner, ours, err := r.owner(ctx, now)
	if r.gone = notFound(err); r.gone {
		return unseen
	}
	if busy(err) {
		return cmp.Or(unseen, error(pending(fmt.Sprintf("%s is %s", c, now.status))))
	}
	if err != nil {
		return errors.Join(unseen, fmt.Errorf("read the tags of %s, which say whose it is: %w", c, err))
	}
	if !ours {
		return fmt.Errorf("%s has the tag run=%q, not %q: it was not created by this run and is not deleted; run `go tool mage destroy` or delete it by hand", c, owner, r.id)
	}
	late := !known(r.state.Membership) && known(&now.membership) // the earlier describe call failed, and this is the last one
	if late {
		r.state.Membership = &now.membership
	}
	asked := r.clock.Now().UTC().Truncate(time.Second)
	r.state.DeletionAsked = &asked
	unsaved := r.save(ctx) // before the deletion: if its answer is lost, it is not taken for somebody else's
	brief, done := r.brief(ctx)
	defer done()
	switch err = c.delete(brief); {
	case notFound(err):
		r.gone = true
	case busy(err):
		return cmp.Or(unseen, error(pending(fmt.Sprintf("%s is %s and cannot be deleted yet", c, now.status))))
	case err != nil:
		return errors.Join(unseen, fmt.Errorf("delete %s: %w", c, err))
	default:
		r.deleting()
	}
	if late {
		c.detail(ctx, r.state.Membership)
	}
	return errors.Join(unseen, unsaved)
}

// owner finds out from the tags who owns the cache. AWS returns tags only for an available cache. If its creation failed, or its tags cannot be read for
// another reason, the cache is this run's if it was created under the stack's name since the run started.
// https://github.com/hashicorp/terraform-provider-aws/issues/33859
func (r *run) owner(ctx context.Context, now *seen) (owner string, ours bool, err error) {
	tags, err := r.tags(ctx, now)
	if err == nil {
		owner, ours = r.ours(tags)
		return owner, ours, nil
	}
	created := now.membership.CreatedAt
	since := created != nil && !created.Before(r.start.Add(-clockSkew))
	late := since && !r.stopBy.IsZero() && created.After(r.stopBy.Add(stopGrace)) // modules/cache creates none after stop_by
	switch {
	case busy(err) && now.status == createFailed && created != nil:
		return "", since, nil
	case busy(err), notFound(err), !since, late:
		return "", false, err
	case r.isOtherCache(*created):
		return "", false, fmt.Errorf("it was created at %s, and is not the cache that this run had before: %w", created.UTC().Format(time.RFC3339), err)
	}
	if err := r.clock.Sleep(ctx, 5*time.Second); err != nil {
		return "", false, err
	}
	if tags, retryErr := r.tags(ctx, now); retryErr == nil { // one failed read must not make somebody else's cache this run's
		owner, ours = r.ours(tags)
		return owner, ours, nil
	}
	r.warn("the tags of the cache cannot be read, and it was created in this run: it is deleted as this run's: %v", err)
	return "", true, nil
}

func (r *run) tags(ctx context.Context, now *seen) ([]types.Tag, error) {
	ctx, done := r.brief(ctx)
	defer done()
	out, err := r.aws.ElastiCache.ListTagsForResource(ctx, &elasticache.ListTagsForResourceInput{ResourceName: &now.arn})
	if err != nil {
		return nil, err
	}
	return out.TagList, nil
}

// isOtherCache reports whether a cache created at that time is not the recorded one. Then only its tags show whose it is.
func (r *run) isOtherCache(created time.Time) bool {
	m, asked := r.state.Membership, r.state.DeletionAsked
	return m != nil && m.CreatedAt != nil && !m.CreatedAt.Equal(created) || asked != nil && created.After(*asked)
}

// clockSkew is how far the clock that named the run may be ahead of AWS's.
const clockSkew = 2 * time.Minute

// deleting records when the cache's deletion was requested or first seen, the best estimate of when billing ends: nodes are billed until terminated.
// https://aws.amazon.com/elasticache/pricing/
func (r *run) deleting() {
	if m := r.state.Membership; m != nil && m.DeletionRequestedAt == nil {
		now := r.clock.Now().UTC().Truncate(time.Second)
		m.DeletionRequestedAt = &now
	}
}

// awaitGone gives the cache up to 10 minutes to disappear; the next watch tick checks again.
func (r *run) awaitGone(ctx context.Context) error {
	c := r.cache()
	gone, err := r.poll(ctx, 5*time.Second, min(10*time.Minute, r.left(ctx)-30*time.Second), func() (bool, error) {
		if r.gone {
			return true, nil
		}
		now, err := r.describeCache(ctx, c)
		if err != nil {
			return false, err
		}
		if r.gone = now == nil; !r.gone && now.status != "deleting" {
			return false, pending(fmt.Sprintf("%s is %s", c, now.status))
		}
		return r.gone, nil
	})
	if err == nil && !gone {
		err = pending(fmt.Sprintf("%s is still deleting", c))
	}
	return err
}

// busy reports whether a cache is being created or modified, so that its tags cannot be read and it cannot be deleted:
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DeleteReplicationGroup.html
// https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DeleteServerlessCache.html
func busy(err error) bool {
	code := errorCode(err)
	return code == "InvalidReplicationGroupState" || strings.HasPrefix(code, "InvalidServerlessCacheState")
}

func address(e *types.Endpoint) string {
	if e == nil {
		return ""
	}
	return net.JoinHostPort(aws.ToString(e.Address), strconv.Itoa(int(aws.ToInt32(e.Port))))
}

// arn is derived from this function's ARN, which has the partition, Region and account. Outside Lambda it is empty.
func (r *run) arn(ctx context.Context, resource string) string {
	lc, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return ""
	}
	part := strings.SplitN(lc.InvokedFunctionArn, ":", 6) // arn:aws:lambda:REGION:ACCOUNT:function:NAME
	if len(part) < 6 {
		return ""
	}
	return fmt.Sprintf("arn:%s:elasticache:%s:%s:%s", part[1], part[3], part[4], resource)
}

// tagsCheck reads the cache's tags.
func (r *run) tagsCheck(ctx context.Context, resource string) []check {
	arn := r.arn(ctx, resource)
	if arn == "" || !r.cfg.Cache.Delete {
		return nil
	}
	return []check{{allow: "elasticache:ListTagsForResource", do: func(ctx context.Context) error {
		_, err := r.aws.ElastiCache.ListTagsForResource(ctx, &elasticache.ListTagsForResourceInput{ResourceName: &arn})
		return err
	}}}
}
