// Package localaws is the embedded AWS: one account in one Region behind one endpoint on loopback, with real
// processes behind it - a Redis or Valkey server per cache node, a task's real command, the real Lambda bootstrap,
// schedules that fire. Its promise: what passes here deploys there. It is as strict as AWS where a run depends on
// it, and what it does not serve is an error that Unhandled lists, never a silent yes.
//
// It does not verify signatures, decide permissions of the person's own keys, pull images, shape network
// bandwidth, or publish metrics that a local process cannot honestly give; the packages below it say more.
// Linux only: it reads /proc, and cache nodes live on 127.0.0.0/8.
package localaws
