// Package account is what every service of the embedded AWS shares: the account's identity, its clock and the folder
// of its files.
package account

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"time"
)

// ID is the account number that AWS's own examples use.
const ID = "123456789012"

// Account is one account in one Region.
type Account struct {
	ID, Region string
	Dir        string // absolute folder that holds everything: s3/, nodes/, tasks/, bin/
	Tools      string // path of the cmd/localaws binary: runs as cache-node, and as memtier_benchmark under that name
	Clock      Clock
	Log        *slog.Logger
	Delays     Delays
	// MetricsPeriod is how often cache nodes and tasks publish metrics: AWS does so every 60 s.
	MetricsPeriod time.Duration
}

// Delays is how long state changes take. With the zero value, state changes as fast as the processes do.
type Delays struct {
	CacheCreate, CacheDelete time.Duration // creating -> available; deleting -> gone
	TaskStart, TaskStop      time.Duration // PROVISIONING -> RUNNING; the agent's part of stopping
	LogDelivery              time.Duration // engine log subscription: enabling -> active
	MetricsReady             time.Duration // from a measurement until CloudWatch shows it
	EmptyPages               bool          // a third of the reads of log events start with an empty page, followed by full ones
	FunctionReady            time.Duration // a Lambda: Pending -> Active, and an update InProgress -> Successful
	PolicyReady              time.Duration // from a change of a role's policy until it takes effect
	RoleReady                time.Duration // from a role's creation until it can be assumed (IAM is eventually consistent)
}

// ARN names a resource of this account: ARN("ecs", "cluster/load") is arn:aws:ecs:us-east-1:123456789012:cluster/load.
func (a *Account) ARN(service, resource string) string {
	switch service {
	case "s3": // bucket names are global
		return "arn:aws:s3:::" + resource
	case "iam", "sts": // no Region
		return "arn:aws:" + service + "::" + a.ID + ":" + resource
	}
	return "arn:aws:" + service + ":" + a.Region + ":" + a.ID + ":" + resource
}

// NewID is n random hexadecimal digits, as in AWS's generated ids.
func NewID(n int) string {
	b := make([]byte, (n+1)/2)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)[:n]
}

// Clock is the time, which tests control.
type Clock interface {
	Now() time.Time
	// Sleep waits d, or less when ctx ends: then it gives ctx's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// SystemClock is the machine's.
type SystemClock struct{}

// Now is in UTC.
func (SystemClock) Now() time.Time { return time.Now().UTC() }

// Sleep waits d or until ctx ends.
func (SystemClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
