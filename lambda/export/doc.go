// Package export writes a run's data from CloudWatch to objects in S3: metrics as CSV, logs as text, and a manifest that lists what is
// there and what is missing. Jobs stream into an io.Writer, so memory does not grow with the length of the run.
//
// The same source data gives the same bytes: series, streams and ties have a fixed order, and no file depends on when it was written.
//
// The metrics file is CSV with the header Timestamp,Namespace,MetricName,Stat,Value,Unit,Dimensions, in time order (see Row).
// The log file has lines "[timestamp] [stream] message", in time order (see LogsJob).
package export
