// Package dashboardpage shows a CloudWatch dashboard as a page: the very body that PutDashboard got, with the metrics and log events of the embedded
// AWS. So the dashboard module can be looked at without an AWS account.
//
// It draws text, metric and log widgets. What it does not do it says in the widget: metric math and Logs Insights queries
// beyond what calculate and parseQuery know, a right-hand axis, alarm, explorer and custom widgets.
package dashboardpage
