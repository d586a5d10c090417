// Package dashboardpage shows a CloudWatch dashboard as a page: the body that PutDashboard got, with the metrics and log events of the embedded
// AWS. This shows the dashboard module without an AWS account.
//
// It draws text, metric and log widgets. A widget says what is not drawn: metric math and Logs Insights queries
// beyond what calculate and parseQuery know, a right-hand axis, alarm, explorer and custom widgets.
package dashboardpage
