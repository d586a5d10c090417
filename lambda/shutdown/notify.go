package shutdown

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/elasticache-perf/elasticache-perf/lambda/export"
)

// notify tells the topic once that the run has ended, or once that ending it failed. Nobody's mail holds the run up.
func (r *run) notify(ctx context.Context) error {
	switch {
	case len(r.failures) > 0:
		return r.tellOnce(ctx, "failed", fmt.Sprintf("Ending run %s of %s failed:\n  %s\n%s", r.id, r.cfg.Name, strings.Join(r.troubles(), "\n  "), r.advice()))
	case r.state.Complete:
		return r.tellOnce(ctx, "finished", r.result())
	}
	return nil
}

// advice is what to run when the run does not end.
func (r *run) advice() string {
	return fmt.Sprintf("It is tried again every 10 minutes. `mage status` shows where it stands, `RUN=%s mage export` exports by hand, `mage destroy` ends and removes it.\n", r.id)
}

// tellOnce publishes unless the record says that this was said.
func (r *run) tellOnce(ctx context.Context, what, text string) error {
	if r.cfg.TopicARN == "" || slices.Contains(r.state.Notified, what) {
		return nil
	}
	if err := r.tell(ctx, what, text); err != nil {
		r.warn("nobody was notified: %v", err)
		return nil
	}
	r.state.Notified = append(r.state.Notified, what)
	return r.save(ctx)
}

// longest is the most of a message: SNS takes 256 KiB. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
const longest = 200_000

func (r *run) tell(ctx context.Context, what, text string) error {
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "\n... and more: see the manifest and the log of this function\n"
	}
	ctx, done := r.brief(ctx)
	defer done()
	subject := fmt.Sprintf("%s: run %s %s", r.cfg.Name, r.id, what) // ASCII, under 100 characters: a name has at most 40
	_, err := r.aws.SNS.Publish(ctx, &sns.PublishInput{TopicArn: &r.cfg.TopicARN, Subject: &subject, Message: &text})
	if err != nil {
		return fmt.Errorf("publish to %s: %w", r.cfg.TopicARN, err)
	}
	return nil
}

// started tells that the run begins; the preflight sends it when all else is well, and so proves that the later ones can be sent.
func (r *run) started(ctx context.Context) error {
	current, err := r.current(ctx)
	if err != nil {
		return err
	}
	return r.tell(ctx, "started", fmt.Sprintf("Run %s of %s starts: its cache and its load are being created, and the load runs for %d minutes once it is up.\n"+
		"Whatever happens, the run ends by %s. `mage status` shows where it stands, `mage stop` ends it now.\n",
		r.id, r.cfg.Name, r.cfg.Minutes, current.StopBy.Format(time.RFC3339)))
}

// result is what came out, with links to the objects.
func (r *run) result() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Run %s of %s has ended.\n", r.id, r.cfg.Name)
	if w := r.state.Window; w != nil {
		fmt.Fprintf(&b, "Load: %s to %s%s\n", w.Start.Format(time.RFC3339), w.End.Format(time.RFC3339), endings(r.state.Tasks))
	}
	if m := r.state.Metrics; m != nil {
		fmt.Fprintf(&b, "Metrics: %d datapoints of %d series\n", m.Points, m.SeriesFound)
	}
	if l := r.state.Logs; l != nil {
		fmt.Fprintf(&b, "Logs: %d events of %d streams\n", l.Events, l.Streams)
	}
	b.WriteString("Exports:\n")
	for _, key := range append(r.keys(), r.cfg.ManifestKey(r.id)) {
		fmt.Fprintf(&b, "  s3://%s/%s\n  %s\n", r.cfg.Bucket, key, r.link(key))
	}
	for _, text := range r.state.Warnings {
		fmt.Fprintf(&b, "Warning: %s\n", text)
	}
	return b.String()
}

// endings says how each task ended, or, of many, how many ended how.
func endings(tasks []export.Task) string {
	var b strings.Builder
	if len(tasks) <= 20 {
		for _, t := range tasks {
			fmt.Fprintf(&b, "; task %s %s", t.ID, ending(t))
		}
		return b.String()
	}
	count := map[string]int{}
	for _, t := range tasks {
		count[ending(t)]++
	}
	ways := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	for _, way := range ways[:min(len(ways), 20)] {
		fmt.Fprintf(&b, "; %d tasks %s", count[way], way)
	}
	if len(ways) > 20 {
		fmt.Fprintf(&b, "; and %d more ways", len(ways)-20)
	}
	return b.String()
}

func ending(t export.Task) string {
	if t.ExitCode == nil {
		return strings.ToLower(t.LastStatus) + ": " + t.StoppedReason
	}
	return fmt.Sprintf("exited with %d", *t.ExitCode)
}

// link leads to an object in the console.
func (r *run) link(key string) string {
	return fmt.Sprintf("https://s3.console.aws.amazon.com/s3/object/%s?%s", r.cfg.Bucket, url.Values{"region": {r.aws.Region}, "prefix": {key}}.Encode())
}

func (r *run) keys() (keys []string) {
	for _, o := range r.state.Objects {
		keys = append(keys, o.Key)
	}
	return keys
}
