// Package s3 is S3 over plain files: the object KEY of BUCKET is the file s3/BUCKET/KEY of the account's folder,
// and a person can open it, or put one there. What a file cannot hold (ETag of a multipart upload, checksum,
// content type, user metadata) is in s3meta/, beside the buckets.
//
// Served: buckets, objects, conditional writes, checksums, ranges, copies, lists and multipart uploads, with S3's
// own errors. A bucket may have a KMS key: callers then need its permissions, and nothing is encrypted. Not served, and
// refused as NotImplemented: versions, ACLs, policies, tags (reading an object's empty tags is served), browser uploads, bodies in signed chunks (STREAMING-AWS4-HMAC-SHA256-PAYLOAD), and keys that are not file names ("a/../b", "a//b", "a/", a key below another key
// or below a symbolic link, which is never followed).
// Objects outlive the process; multipart uploads do not.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html
package s3
