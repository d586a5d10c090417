package shutdown

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// encrypting sets the encryption of every write. Every bucket encrypts by default, but some buckets and organizations deny writes that do not
// request it: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingServerSideEncryption.html
// UploadPart needs no setting: parts are encrypted as CreateMultipartUpload requested.
type encrypting struct {
	S3
	key string
}

// Encryption returns the settings that encrypt objects with the KMS key of this ARN, or with S3's own keys when it is empty.
func Encryption(key string) (types.ServerSideEncryption, *string) {
	if key == "" {
		return types.ServerSideEncryptionAes256, nil
	}
	return types.ServerSideEncryptionAwsKms, &key
}

func (e encrypting) PutObject(ctx context.Context, in *s3.PutObjectInput, opts ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	in.ServerSideEncryption, in.SSEKMSKeyId = Encryption(e.key)
	return e.S3.PutObject(ctx, in, opts...)
}

func (e encrypting) CreateMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadInput, opts ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
	in.ServerSideEncryption, in.SSEKMSKeyId = Encryption(e.key)
	return e.S3.CreateMultipartUpload(ctx, in, opts...)
}
