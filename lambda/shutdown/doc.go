// Package shutdown ends a run: it stops the load, exports what CloudWatch holds, deletes the cache, writes the manifest and removes the
// run's schedules, in this order, as often as it takes. Every step checks the current state first and may be repeated.
//
// It acts only for the run that the stack's watch schedule names. One invocation at a time works on a run: it holds the run's record, the
// object PREFIX/state/RUN.json, until it returns or its deadline passes, and every write to the record is conditional on the one before.
// Stopping the load and deleting the cache, which save money, do not need the record, so they work even when the bucket cannot be used.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html says why duplicates and retries are normal.
package shutdown
