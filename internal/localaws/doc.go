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
// What passes here and not on AWS, as far as it is known: a new or changed identity policy acts at once (only a role's trust takes its time), and so
// do deletions in lists; metrics are visible when their period ends, and are never revised; GetLogEvents gives no empty page with more behind it;
// an explicit Deny in a topic's or queue's policy does not hold for callers of the account; new accounts have a concurrency of 1,000 in Lambda, where many
// real ones have 10, and a function may write into the folder of its code; of interface endpoints, neither the private DNS names nor the zones of the
// subnets are compared; date operators in policies are refused, where AWS serves them; Multi-AZ does not look at the zones of the subnet group. Left out for
// their size, and refused or not served: the configuration of an ECS cluster (ECS Exec and managed storage, which no run needs), rules of EventBridge (Scheduler
// does what a run needs of it), and Lambda's runtimes but provided.al2023 (a managed runtime is AWS's own build, and an interpreter of this machine another).
//
// Linux only: it reads /proc, and cache nodes live on 127.0.0.0/8.
package localaws
