package s3_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

const kmsKey = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// AWS's own example: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingServerSideEncryption.html
const demandsKMS = `{"Version":"2012-10-17","Statement":[
	{"Sid":"Unencrypted","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::results/*","Condition":{"Null":{"s3:x-amz-server-side-encryption":"true"}}},
	{"Sid":"OtherKeys","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::results/*","Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"` + kmsKey + `"}}}]}`

func withKey(in *sdk.PutObjectInput) {
	in.ServerSideEncryption, in.SSEKMSKeyId = types.ServerSideEncryptionAwsKms, aws.String(kmsKey)
}

func TestBucketPolicyDemandsEncryption(t *testing.T) {
	w := start(t)
	w.put(t, "before", "x")
	require.NoError(t, w.s3.Policy(bucket, demandsKMS))
	refused := func(opts ...func(*sdk.PutObjectInput)) {
		t.Helper()
		in := &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("x")}
		for _, o := range opts {
			o(in)
		}
		_, err := w.PutObject(t.Context(), in)
		require.Equal(t, "AccessDenied", code(err))
	}
	refused()
	refused(func(in *sdk.PutObjectInput) { in.ServerSideEncryption = types.ServerSideEncryptionAes256 })
	out := w.put(t, "k", "x", withKey)
	require.Equal(t, types.ServerSideEncryptionAwsKms, out.ServerSideEncryption)
	require.Equal(t, kmsKey, *out.SSEKMSKeyId)
	require.Equal(t, "x", w.get(t, "before"), "reads are not denied")

	_, err := w.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("m")})
	require.Equal(t, "AccessDenied", code(err))
	started, err := w.CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("m"),
		ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(kmsKey), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32})
	require.NoError(t, err)
	part, err := w.UploadPart(t.Context(), &sdk.UploadPartInput{Bucket: aws.String(bucket), Key: aws.String("m"), UploadId: started.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("y")})
	require.NoError(t, err, "a part is what its upload asked for")
	_, err = w.CompleteMultipartUpload(t.Context(), &sdk.CompleteMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("m"), UploadId: started.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32}}}})
	require.NoError(t, err)
	head, err := w.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("m")})
	require.NoError(t, err)
	require.Equal(t, kmsKey, *head.SSEKMSKeyId)
	require.Error(t, w.s3.Policy(bucket, `{"Statement":[]}`))
}

// What a request asks for goes before the bucket's default.
func TestDefaultEncryption(t *testing.T) {
	w := start(t)
	require.Equal(t, types.ServerSideEncryptionAes256, w.put(t, "a", "x").ServerSideEncryption)
	w.s3.Encrypt(bucket, kmsKey)
	require.Equal(t, kmsKey, *w.put(t, "b", "x").SSEKMSKeyId)
	out := w.put(t, "c", "x", func(in *sdk.PutObjectInput) { in.ServerSideEncryption = types.ServerSideEncryptionAes256 })
	require.Equal(t, types.ServerSideEncryptionAes256, out.ServerSideEncryption)
	require.Nil(t, out.SSEKMSKeyId)
	_, err := w.CopyObject(t.Context(), &sdk.CopyObjectInput{Bucket: aws.String(bucket), Key: aws.String("d"), CopySource: aws.String(bucket + "/a")})
	require.NoError(t, err)
	head, err := w.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("d")})
	require.NoError(t, err)
	require.Equal(t, kmsKey, *head.SSEKMSKeyId, "a copy is a new object")
	_, err = w.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("e"), SSEKMSKeyId: aws.String(kmsKey)})
	require.Equal(t, "InvalidArgument", code(err))
}
