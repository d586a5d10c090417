package lambda_test

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/stretchr/testify/require"
)

// Code comes from an object of a bucket in the function's Region; what S3 refuses is told in Lambda's words.
func TestCodeInABucket(t *testing.T) {
	w := start(t)
	put := func(key string, content []byte) (sum string) {
		file := filepath.Join(w.acct.Dir, "s3", "code", key)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, content, 0o644))
		hash := sha256.Sum256(content)
		return base64.StdEncoding.EncodeToString(hash[:])
	}
	require.NoError(t, w.buckets.Bucket("code", "us-east-1"))
	require.NoError(t, w.buckets.Bucket("far", "eu-west-1"))
	first, second := put("v1/lambda.zip", archive(t, "")), put("v2/lambda.zip", archive(t, "#!/bin/sh\n"))
	put("broken.zip", []byte("zip?"))

	from := func(bucket, key string) *types.FunctionCode {
		return &types.FunctionCode{S3Bucket: &bucket, S3Key: &key}
	}
	versioned, both, noKey := from("code", "v1/lambda.zip"), from("code", "v1/lambda.zip"), &types.FunctionCode{S3Bucket: aws.String("code")}
	versioned.S3ObjectVersion = aws.String("3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY")
	both.ZipFile = archive(t, "")
	for want, source := range map[string]*types.FunctionCode{
		"InvalidParameterValueException: Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.":         from("code", "v3/lambda.zip"),
		"InvalidParameterValueException: Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist":    from("nobody", "v1/lambda.zip"),
		"PermanentRedirect. S3 Error Message: The bucket is in this region: eu-west-1. Please use this region to retry the request":                             from("far", "v1/lambda.zip"),
		"InvalidParameterValueException: Error occurred while GetObject. S3 Error Code: NoSuchVersion. S3 Error Message: The specified version does not exist.": versioned,
		"InvalidParameterValueException: Could not unzip uploaded file.":                                                                                        from("code", "broken.zip"),
		"InvalidParameterValueException: Please do not provide other FunctionCode parameters when providing a ZipFile.":                                         both,
		"InvalidParameterValueException: Please provide both S3Bucket and S3Key.":                                                                               noKey,
	} {
		_, err := w.create(t, func(in *sdk.CreateFunctionInput) { in.Code = source })
		require.Contains(t, code(err), want)
	}

	made, err := w.create(t, func(in *sdk.CreateFunctionInput) { in.Code = from("code", "v1/lambda.zip") })
	require.NoError(t, err)
	require.Equal(t, first, *made.CodeSha256)
	changed, err := w.UpdateFunctionCode(t.Context(), &sdk.UpdateFunctionCodeInput{FunctionName: aws.String("fn"), S3Bucket: aws.String("code"), S3Key: aws.String("v2/lambda.zip"), S3ObjectVersion: aws.String("null")})
	require.NoError(t, err)
	require.Equal(t, second, *changed.CodeSha256)
}
