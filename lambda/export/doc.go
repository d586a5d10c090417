// Package export turns what a run left in CloudWatch into objects in S3: metrics to CSV, logs to text, and the manifest that says what
// is there and what is missing. Readers go in, an io.Writer comes out; memory does not grow with the length of the run.
//
// Same source data gives the same bytes: series, streams and ties have a fixed order, and nothing in a file depends on when it was written.
//
// The metrics file is CSV with the header Timestamp,Namespace,MetricName,Stat,Value,Unit,Dimensions, in time order (see Row).
// The log file has lines "[timestamp] [stream] message", in time order (see LogsJob).
package export
