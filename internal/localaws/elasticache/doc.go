// Package elasticache is ElastiCache for Redis OSS and Valkey: replication groups and serverless caches whose nodes are
// real server processes of this machine. https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/Welcome.html
//
// # Nodes
//
// A node runs valkey-server or redis-server, whichever is on PATH; with both, its engine's own. The binary's version
// is measured, whatever EngineVersion is; ServerVersion and the engine log name it. Without either, a node
// is an embedded miniredis in a process of its own: not Redis, and only for one node without TLS.
//
// Each node listens on its own address 127.x.y.z, on the group's port; endpoints are these addresses, where AWS has
// names. A reader endpoint is the first replica; a configuration endpoint is the first node. Replicas replicate, cluster
// mode is a cluster of servers, TLS is verified with the account's own authority (CAFile, ca.pem in its folder), tokens
// are passwords of the user default, users of a user group log in by name and password, and the commands that ElastiCache restricts answer NOPERM. Nothing is written to
// disk but configuration and, while a replica is filled, its copy. Parameters reach the server where it knows them;
// maxmemory is the node type's memory less reserved-memory-percent. A node type's CPU and bandwidth are not enforced.
//
// A serverless cache is one server that has all slots, in cluster mode and behind TLS, on port 6379 of its own address:
// AWS also uses the cluster protocol there. Its reader endpoint, port 6380 of the same address, is
// shown as on AWS, but nothing listens there, because there are no replicas. DataStorage's maximum is the server's
// maxmemory, with AWS's eviction; ECPUPerSecond and both minimums are checked and shown, but have no effect.
//
// # Metrics
//
// Once per MetricsPeriod each node publishes what INFO and /proc show, with the start of the period as timestamp.
// A node's first period starts when it answers; its last, partial one is published when it is deleted, so sums over
// a node's life are complete. localaws's own connection and its INFO and SLOWLOG commands are counted, as those of
// ElastiCache's own monitoring are on AWS. When this machine is too busy to ask a node for longer than a period, each period
// that has ended gets its share of the answer, by time. Where the meaning differs from AWS:
//   - CPUUtilization is the node's process against the vCPUs of its node type; AWS's is the whole host.
//   - FreeableMemory is the node type's memory less the process's resident bytes. SwapUsage and MajorPageFaults are the
//     process's own.
//   - NetworkBytesIn and NetworkBytesOut are the server's payload, without TCP and IP headers.
//   - ReplicationLag is the time since the replica last heard from its primary, in whole seconds.
//   - EngineCPUUtilization of a replication group, a node group and a role has one sample of each node. Roles are named
//     Primary and Replica.
//   - AWS documents the units Boolean and Number for some metrics. CloudWatch has no such units, so they are None.
//   - Latencies of commands (…CmdsLatency) and CacheHitRate are absent for a period without such commands.
//
// A serverless cache publishes under the one dimension clusterId, its name: BytesUsedForCache, CacheHits, CacheMisses,
// CacheHitRate, CurrConnections, CurrItems, CurrVolatileItems, Evictions, NetworkBytesIn and -Out, NewConnections,
// TotalCmdsCount, failed logins and permissions, and counts of commands by kind. Not ElastiCacheProcessingUnits nor any
// ...ECPUs, whose weights AWS does not document in full, nor ThrottledCmds, because nothing throttles here.
//
// Not published, because it cannot be measured here: CPUCreditBalance, CPUCreditUsage, NetworkPackets*, NetworkMax*,
// NetworkBaselineMax*, *AllowanceExceeded, SuccessfulReadRequestLatency, SuccessfulWriteRequestLatency,
// TrafficManagementActive, GlobalDatastoreReplicationLag, Durability*, IamAuthentication*, DatabaseAuthorizationFailures,
// JsonBased*, Search*, ReclaimedFields, CurrItemsWithVolatileFields, the metrics of data tiering's disks, and the levels
// of DatabaseMemoryUsageCountedForEvictPercentage and DatabaseCapacityUsageCountedForEvictPercentage above the node.
// CommandAuthorizationFailures, KeyAuthorizationFailures and ChannelAuthorizationFailures need a server of version 7.2 or
// later. The embedded miniredis gives connections, keys, counts of commands, CPU and memory, and nothing else.
//
// # What it does not do
//
//   - Memcached, cache clusters outside of replication groups, global datastores, IAM authentication of users, changes of users and of user groups, snapshots
//     (SnapshotRetentionLimit is kept and shown, nothing is ever taken), IPv6, public connections, cluster mode compatible,
//     TransitEncryptionMode preferred, NodeGroupConfiguration, renamed commands, log delivery to Firehose.
//   - The topology, encryption and cluster mode of an existing group cannot be changed: a run measures one. There are no maintenance
//     windows, so changes that would wait for one need ApplyImmediately.
//   - A new EngineVersion of an existing group changes what is shown and checked, not the binary. Encryption at rest is
//     shown but not done: no data is stored. Failed nodes are not replaced; DescribeEvents lists their failure.
//   - Reserved nodes: there is one offering per engine and node type, for a year, without prices, and it cannot be bought.
//   - Parameters have no descriptions, and none of the modules' (search, JSON).
package elasticache
