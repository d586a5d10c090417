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
// Linux only: it reads /proc, and cache nodes live on 127.0.0.0/8.
package localaws
