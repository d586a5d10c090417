package shutdown

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// encrypting says with every write how it is to be encrypted. Every bucket encrypts by default, but some, and some organizations, deny writes
// that do not ask for it: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingServerSideEncryption.html
// The parts of an upload are encrypted as its beginning said.
type encrypting struct {
	S3
	key string
}

// Encryption is how objects are encrypted with a KMS key, by its ARN, or with S3's own keys when that is empty.
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
