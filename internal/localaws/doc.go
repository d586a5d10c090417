// Package localaws is the embedded AWS: an account in a Region behind one endpoint on loopback, with real
// processes behind it - a Redis or Valkey server per cache node, a task's real command, the real Lambda bootstrap,
// schedules that fire. Its promise: what passes here deploys there. It is as strict as AWS where a run depends on
// it, and what it does not serve is an error that Unhandled lists, never a silent yes.
//
// A request's signature tells where it leads: its access key the account, its scope the Region. Server.Account makes
// further accounts, and each Region is made when it is first asked. All have the same services, and what is in one is
// not seen in another: IAM is the account's in all Regions, and names of buckets are global.
//
// Of a Region's name only the form is checked. Nothing reaches from one account into another: no role of another
// account is assumed, and no bucket policy lets one in. A restart in the same folder gives all buckets to the first
// account, in its Region.
//
// Keys are random, and signatures are checked: package signature says what it leaves out. It does not decide
// permissions of the person's own keys, pull images, shape network
// bandwidth, or publish metrics that a local process cannot honestly give; the packages below it say more.
//
// Some of AWS's delays are there, shorter (account.Delays): a role's policies act, metrics are seen, functions are Active and log deliveries start a
// second later, and a third of the reads of log events start with an empty page.
//
// What passes here and not on AWS, as far as it is known, and why it stays: a new version of a managed policy acts at once, deletions are gone from lists at
// once, and metrics are never revised (each would cost every journey more than it found in a run); an explicit Deny in a topic's or queue's policy does not
// hold for callers of the account (nobody but services publishes in a run); new accounts have a concurrency of 1,000 in Lambda, where many real ones have 10
// (a run needs one), and a function may write into the folder of its code (a read-only one needs a mount, and that root); date operators in policies are
// refused, where AWS serves them; keys of KMS have no policies, so nobody is denied a decryption; Multi-AZ does not look at the zones of the subnet group (no
// source says what AWS answers). A value of a cache parameter that only the server refuses fails its creation, not the parameter group. A log stream with events
// holds a file open, and what CloudWatch got is held in memory, by the second for three hours and by the minute for 15 days. A process that clears its
// environment and leaves its session outlives its task. Left out for
// their size, and refused or not served: the configuration of an ECS cluster (ECS Exec and managed storage, which no run needs), rules of EventBridge (Scheduler
// does what a run needs of it), and Lambda's runtimes but provided.al2023 (a managed runtime is AWS's own build, and an interpreter of this machine another).
//
// Linux only: it reads /proc, and cache nodes live on 127.0.0.0/8.
package localaws
