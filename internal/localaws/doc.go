// Package localaws is the embedded AWS: an account in a Region behind one endpoint on loopback, with real
// processes behind it - a Redis or Valkey server per cache node, a task's real command, the real Lambda bootstrap,
// schedules that fire. Its promise: what passes here deploys there. It is as strict as AWS where a run depends on
// it. What it does not serve is refused with an error and listed by Unhandled. actions.txt says why it serves each action.
//
// The access key of a request's signature selects the account, and the signature's scope the Region. Server.Account
// adds accounts, and a Region is created by the first request to it. All accounts and Regions have the same services and share
// nothing, except that IAM is per account, the same in all Regions, and bucket names are global.
//
// Only the form of a Region's name is checked. Accounts cannot reach each other: a role of another account cannot be
// assumed, and a bucket policy cannot grant access to one. After a restart in the same folder all buckets belong to
// the first account, in its Region.
//
// Keys are random, and signatures are checked; package signature documents what it leaves out. localaws does not
// check permissions of the person's own keys, pull images, shape network bandwidth, or publish metrics that a local
// process cannot honestly give. The packages below it list more.
//
// It has some of AWS's delays, shortened (account.Delays): role policies take effect, metrics become visible, functions
// become Active and log deliveries start a second later, and a third of the reads of log events start with an empty page.
//
// Known cases that pass here and fail on AWS, and why they stay:
//   - A new version of a managed policy takes effect at once, deletions leave lists at once, and metrics are never
//     revised. Each delay would cost every journey more than it finds in a run.
//   - An explicit Deny in a topic's or queue's policy does not apply to callers of the account: in a run, only services publish.
//   - New accounts have a Lambda concurrency of 1,000, where many real ones have 10. A run needs one.
//   - A function may write into the folder of its code. A read-only folder needs a mount, and that needs root.
//   - Date operators in policies are refused; AWS serves them.
//   - KMS keys have no policies, so no decryption is denied.
//   - Multi-AZ does not check the zones of the subnet group: no source says what AWS answers.
//   - A cache parameter's value that only the server refuses fails the cache's creation, not the parameter group.
//   - A process that clears its environment and leaves its session outlives its task.
//
// Each log stream with events holds a file open. CloudWatch's data is in memory, by the second for three hours and by
// the minute for 15 days.
//
// Too large to serve, and refused: the configuration of an ECS cluster (ECS Exec and managed storage, which no run
// needs), EventBridge rules (Scheduler does what a run needs), and every Lambda runtime except provided.al2023 (a
// managed runtime is AWS's own build, and an interpreter of this machine would be a different one).
//
// Linux only: it reads /proc, and cache nodes listen on 127.0.0.0/8.
package localaws
