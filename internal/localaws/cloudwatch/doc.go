// Package cloudwatch is CloudWatch metrics, dashboards and alarms. Other services of the embedded AWS publish with Put; callers
// cannot publish: PutMetricData is not served.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/Welcome.html
//
// Clients use three protocols: query (the Terraform provider), RPC v2 CBOR (SDKs) and JSON 1.0 (the CLI).
//
// What differs from AWS, besides being one Region and one account:
//   - Data is kept for 15 days: by the second for 3 hours, by the minute after that. AWS keeps 5-minute data for 63 days
//     and hourly data for 455.
//   - Periods count from the request's start, after it was rounded down as AWS documents.
//   - Statistics: SampleCount, Sum, Average, Minimum, Maximum and pNN. A percentile is the nearest rank of the values
//     that were put; AWS does not document its own method. Trimmed means and their like are refused.
//   - GetMetricData reads metrics; expressions, Metrics Insights and dynamic labels (${...}) are refused.
//   - Alarms watch one metric against a fixed threshold. Actions go to SNS topics only; other action ARNs are refused.
//     The evaluation range is two periods longer than EvaluationPeriods, and an alarm is looked at every MetricsPeriod.
//   - Dashboard bodies are checked for what the documentation of the structure says, not for what the console can draw.
package cloudwatch
