// Package dashboardpage shows a CloudWatch dashboard as a page: the very body that PutDashboard got, with the metrics and log events of the embedded
// AWS. So the dashboard module can be looked at without an AWS account.
//
// It draws text, metric and log widgets. What it does not do it says in the widget: metric math, a right-hand axis, Logs Insights queries other than
// one log group with a filter by regular expression and a limit, alarm, explorer and custom widgets.
package dashboardpage
