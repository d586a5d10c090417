package localaws_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire/wiretest"
)

func serve(t *testing.T, cfg localaws.Config) *localaws.Server {
	t.Helper()
	cfg.Dir = t.TempDir()
	server, err := localaws.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Empty(t, server.Unhandled(), "what is refused is not listed as missing")
		require.NoError(t, server.Close())
	})
	return server
}

// as is the configuration of SDK clients with the environment's keys and Region.
func as(t *testing.T, env map[string]string) aws.Config {
	cfg := wiretest.Client(t, env["AWS_ENDPOINT_URL"])
	cfg.Region = env["AWS_REGION"]
	cfg.Credentials = credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"])
	return cfg
}

// calls are one of each protocol and wording.
var calls = map[string]func(*testing.T, aws.Config) error{
	"query": func(t *testing.T, cfg aws.Config) error {
		_, err := elasticache.NewFromConfig(cfg).DescribeReplicationGroups(t.Context(), nil)
		return err
	},
	"sts": func(t *testing.T, cfg aws.Config) error {
		_, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
		return err
	},
	"ec2": func(t *testing.T, cfg aws.Config) error {
		_, err := ec2.NewFromConfig(cfg).DescribeVpcs(t.Context(), nil)
		return err
	},
	"json": func(t *testing.T, cfg aws.Config) error {
		_, err := ecs.NewFromConfig(cfg).ListClusters(t.Context(), nil)
		return err
	},
	"json 1.0": func(t *testing.T, cfg aws.Config) error {
		_, err := sqs.NewFromConfig(cfg).ListQueues(t.Context(), nil)
		return err
	},
	"cbor": func(t *testing.T, cfg aws.Config) error {
		_, err := cloudwatch.NewFromConfig(cfg).ListMetrics(t.Context(), nil)
		return err
	},
	"rest-json": func(t *testing.T, cfg aws.Config) error {
		_, err := lambda.NewFromConfig(cfg).GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("a$b:1")})
		return found(err)
	},
	"rest-json, a path with escapes and a query": func(t *testing.T, cfg aws.Config) error {
		arn := "arn:aws:scheduler:us-east-1:123456789012:schedule-group/a b"
		_, err := scheduler.NewFromConfig(cfg).UntagResource(t.Context(), &scheduler.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"b c", "a+&=ä"}})
		return found(err)
	},
	"s3": func(t *testing.T, cfg aws.Config) error {
		_, err := s3.NewFromConfig(cfg).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("exports"), Key: aws.String("a b/ä+c='d'(e)~*"), Body: strings.NewReader("x"),
			Metadata: map[string]string{"two": "a  b "}})
		return err
	},
	"s3, a list": func(t *testing.T, cfg aws.Config) error {
		_, err := s3.NewFromConfig(cfg).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("exports"), Prefix: aws.String("a b/ä+&="), Delimiter: aws.String("/")})
		return err
	},
}

// found is err, unless it only says that there is no such resource or that its name is bad: then the caller was known.
func found(err error) error {
	var e smithy.APIError
	if errors.As(err, &e) && (strings.HasSuffix(e.ErrorCode(), "NotFoundException") || e.ErrorCode() == "ValidationException") {
		return nil
	}
	return err
}

func TestAuthenticate(t *testing.T) {
	env := serve(t, localaws.Config{Buckets: []string{"exports"}}).Env()
	require.NotEqual(t, env["AWS_ACCESS_KEY_ID"], serve(t, localaws.Config{}).Env()["AWS_ACCESS_KEY_ID"], "each start makes its own keys")
	stranger, forger := as(t, env), as(t, env)
	stranger.Credentials = credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", env["AWS_SECRET_ACCESS_KEY"], "")
	forger.Credentials = credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "")
	codes := map[string][2]string{"query": {"InvalidClientTokenId", "SignatureDoesNotMatch"}, "sts": {"InvalidClientTokenId", "SignatureDoesNotMatch"},
		"ec2": {"AuthFailure", "AuthFailure"}, "cbor": {"InvalidClientTokenId", "SignatureDoesNotMatch"}, "s3": {"InvalidAccessKeyId", "SignatureDoesNotMatch"},
		"s3, a list": {"InvalidAccessKeyId", "SignatureDoesNotMatch"}}
	for name, call := range calls {
		require.NoError(t, call(t, as(t, env)), name)
		want, ok := codes[name]
		if !ok {
			want = [2]string{"UnrecognizedClientException", "InvalidSignatureException"}
		}
		for i, cfg := range []aws.Config{stranger, forger} {
			var e smithy.APIError
			require.ErrorAs(t, call(t, cfg), &e, name)
			require.Equal(t, want[i], e.ErrorCode(), name)
		}
	}
}

// Temporary credentials are three values, and each of them counts.
func TestAuthenticateASession(t *testing.T) {
	server := serve(t, localaws.Config{})
	cfg := as(t, server.Env())
	role, err := iam.NewFromConfig(cfg).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}]}`)})
	require.NoError(t, err)
	c := server.IAM.Session(*role.Role.Arn, "s")
	for token, want := range map[string]string{c.SessionToken: "", "": "InvalidClientTokenId", c.SessionToken[1:]: "InvalidClientTokenId"} {
		cfg.Credentials = credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, token)
		out, err := sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
		if want != "" {
			require.ErrorContains(t, err, want)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, "arn:aws:sts::123456789012:assumed-role/r/s", *out.Arn)
	}
}

// A session whose time is over is told so, in each protocol's words.
func TestAuthenticateAnExpiredSession(t *testing.T) {
	server := serve(t, localaws.Config{Buckets: []string{"exports"}})
	role, err := iam.NewFromConfig(as(t, server.Env())).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}]}`)})
	require.NoError(t, err)
	c := server.IAM.Session(*role.Role.Arn, "s")
	server.IAM.Expire(c.AccessKeyID)
	server.IAM.Session(*role.Role.Arn, "another")
	cfg := as(t, server.Env())
	cfg.Credentials = credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
	codes := map[string]string{"query": "ExpiredToken", "sts": "ExpiredToken", "ec2": "RequestExpired", "cbor": "ExpiredToken", "s3": "ExpiredToken", "s3, a list": "ExpiredToken"}
	for name, call := range calls {
		var e smithy.APIError
		require.ErrorAs(t, call(t, cfg), &e, name)
		require.Equal(t, cmp.Or(codes[name], "ExpiredTokenException"), e.ErrorCode(), name)
	}
}

func send(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(text)
}

func TestPresigned(t *testing.T) {
	clock := wiretest.NewClock()
	server := serve(t, localaws.Config{Buckets: []string{"exports"}, Clock: clock})
	client := s3.NewFromConfig(as(t, server.Env()))
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("exports"), Key: aws.String("a b"), Body: strings.NewReader("hello")})
	require.NoError(t, err)
	signed, err := s3.NewPresignClient(client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("exports"), Key: aws.String("a b")}, s3.WithPresignExpires(time.Hour))
	require.NoError(t, err)
	get := func(url string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		return send(t, r)
	}
	clock.Move(time.Until(clock.Now()) * -1) // the SDK signs by the machine's clock
	status, text := get(signed.URL)
	require.Equal(t, "200 hello", fmt.Sprint(status, " ", text))
	status, text = get(strings.Replace(signed.URL, "a%20b", "other", 1))
	require.Equal(t, 403, status)
	require.Contains(t, text, "<Code>SignatureDoesNotMatch</Code>")
	clock.Move(2 * time.Hour)
	status, text = get(signed.URL)
	require.Equal(t, 403, status)
	require.Contains(t, text, "<Code>AccessDenied</Code><Message>Request has expired</Message>")
	clock.Move(-3 * time.Hour)
	status, text = get(signed.URL)
	require.Equal(t, 403, status)
	require.Contains(t, text, "<Code>AccessDenied</Code><Message>Request is not valid yet</Message>")
	clock.Move(time.Until(clock.Now()) * -1)

	for expires, want := range map[string]string{"604800": "200 hello", "604801": "X-Amz-Expires must be less than a week", "-1": "X-Amz-Expires must be non-negative",
		"1h": "X-Amz-Expires should be a number", "": "X-Amz-Expires should be a number"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+"/exports/a%20b?X-Amz-Expires="+expires, nil)
		require.NoError(t, err)
		env := server.Env()
		url, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"]}, r, "UNSIGNED-PAYLOAD", "s3",
			"us-east-1", clock.Now(), func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		require.NoError(t, err)
		status, text := get(url)
		if strings.HasPrefix(want, "200") {
			require.Equal(t, want, fmt.Sprint(status, " ", text))
			continue
		}
		require.Equal(t, 400, status)
		require.Contains(t, text, "<Code>AuthorizationQueryParametersError</Code><Message>"+want, expires)
	}

	// Version 2, in which the CLI's version 1 presigns unless it is told otherwise.
	status, text = get(server.URL() + "/exports/a%20b?AWSAccessKeyId=" + server.Env()["AWS_ACCESS_KEY_ID"] + "&Signature=x&Expires=1")
	require.Equal(t, 400, status)
	require.Contains(t, text, "<Code>InvalidRequest</Code><Message>The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.</Message>")
}

// What a web page can send: none of it has an effect, and none of it is listed as something that localaws lacks.
func TestWebPages(t *testing.T) {
	server := serve(t, localaws.Config{Buckets: []string{"exports"}})
	home := strings.TrimPrefix(server.URL(), "http://")
	for name, c := range map[string]struct {
		host, path string
		header     map[string]string
		want       int
	}{
		"the program itself":                     {home, "/_localaws/unhandled", nil, 200},
		"a typed address":                        {home, "/_localaws/dashboard/", map[string]string{"Sec-Fetch-Site": "none"}, 200},
		"the dashboard's own script":             {home, "/_localaws/dashboard/", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": server.URL()}, 200},
		"localhost":                              {"localhost:80", "/_localaws/unhandled", nil, 200},
		"IPv6":                                   {"[::1]:80", "/_localaws/unhandled", nil, 200},
		"another site":                           {home, "/_localaws/dashboard/", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"another program's page on this machine": {home, "/_localaws/unhandled", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"another site in an older browser":       {home, "/", map[string]string{"Origin": "https://example.com"}, 403},
		"a page without an origin":               {home, "/", map[string]string{"Origin": "null"}, 403},
		"a name that was rebound":                {"rebound.example.com", "/_localaws/dashboard/", map[string]string{"Sec-Fetch-Site": "same-origin"}, 403},
		"a name like an address":                 {"127.0.0.1.example.com:80", "/_localaws/unhandled", nil, 403},
		"the network's address":                  {"192.0.2.1", "/_localaws/unhandled", nil, 403},
		"no signature":                           {home, "/exports/key", nil, 403},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+c.path, nil)
		require.NoError(t, err)
		r.Host = c.host
		for k, v := range c.header {
			r.Header.Set(k, v)
		}
		status, text := send(t, r)
		require.Equal(t, c.want, status, "%s: %s", name, text)
	}
}

// A content type that is not the protocol's is refused, whoever signed it.
func TestContentType(t *testing.T) {
	env := serve(t, localaws.Config{}).Env()
	for name, c := range map[string]struct {
		service, target, path, kind string
	}{
		"a form for JSON":      {"ecs", "AmazonEC2ContainerServiceV20141113.ListClusters", "/", "application/x-www-form-urlencoded"},
		"text for JSON":        {"ecs", "AmazonEC2ContainerServiceV20141113.ListClusters", "/", "text/plain"},
		"no type for JSON":     {"ecs", "AmazonEC2ContainerServiceV20141113.ListClusters", "/", ""},
		"text for REST-JSON":   {"lambda", "", "/2015-03-31/functions", "text/plain;charset=UTF-8"},
		"a form for REST-JSON": {"lambda", "", "/2015-03-31/functions", "multipart/form-data; boundary=x"},
		"another JSON":         {"logs", "Logs_20140328.DescribeLogGroups", "/", "application/json"},
	} {
		body := `{"FunctionName":"f"}`
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, env["AWS_ENDPOINT_URL"]+c.path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("X-Amz-Target", c.target)
		r.Header.Set("Content-Type", c.kind)
		sign(t, r, env, c.service, body)
		status, text := send(t, r)
		require.Equal(t, http.StatusUnsupportedMediaType, status, "%s: %s", name, text)
	}
}

// sign signs a request as an SDK does.
func sign(t *testing.T, r *http.Request, env map[string]string, service, body string) {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"]}, r,
		hex.EncodeToString(sum[:]), service, env["AWS_REGION"], time.Now()))
}

// The signature is over the body: another one is refused, and so is one that grows when it is unpacked.
func TestBodies(t *testing.T) {
	env := serve(t, localaws.Config{Buckets: []string{"exports"}}).Env()
	post := func(service, path, signed, sent string, header map[string]string) (int, string) {
		method := http.MethodPost
		if service == "s3" {
			method = http.MethodPut
		}
		r, err := http.NewRequestWithContext(t.Context(), method, env["AWS_ENDPOINT_URL"]+path, strings.NewReader(sent))
		require.NoError(t, err)
		for k, v := range header {
			r.Header.Set(k, v)
		}
		sign(t, r, env, service, signed)
		return send(t, r)
	}
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	status, text := post("sts", "/", "Action=GetCallerIdentity&Version=2011-06-15", "Action=GetCallerIdentity&Version=2011-06-16", form)
	require.Equal(t, 403, status)
	require.Contains(t, text, "<Code>SignatureDoesNotMatch</Code>")
	sum := sha256.Sum256([]byte("good"))
	status, text = post("s3", "/exports/k", "good", "evil", map[string]string{"X-Amz-Content-Sha256": hex.EncodeToString(sum[:])})
	require.Equal(t, 400, status)
	require.Contains(t, text, "<Code>XAmzContentSHA256Mismatch</Code>")

	var member bytes.Buffer
	z := gzip.NewWriter(&member)
	_, err := z.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	packed := strings.Repeat(member.String(), 600) // members of one file: RFC 1952, 2.2
	form["Content-Encoding"] = "gzip"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	status, text = post("monitoring", "/", packed, packed, form)
	runtime.ReadMemStats(&after)
	require.Equal(t, http.StatusRequestEntityTooLarge, status, text)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(400<<20), "bytes, for a body of 600 MiB")
	// Nobody's body is unpacked for a stranger.
	runtime.ReadMemStats(&before)
	status, text = post("monitoring", "/", "", packed, form)
	runtime.ReadMemStats(&after)
	require.Equal(t, http.StatusForbidden, status, text)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(20<<20))
}

// A header that decides what is done counts only when it was signed.
func TestUnsignedHeaders(t *testing.T) {
	env := serve(t, localaws.Config{Buckets: []string{"exports"}}).Env()
	for service, name := range map[string]string{"ecs": "X-Amz-Target", "s3": "X-Amz-Copy-Source"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, env["AWS_ENDPOINT_URL"]+"/", strings.NewReader("{}"))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		sign(t, r, env, service, "{}")
		r.Header.Set(name, "AmazonEC2ContainerServiceV20141113.ListClusters")
		_, text := send(t, r)
		require.Regexp(t, "InvalidSignatureException|SignatureDoesNotMatch", text)
	}
}

// A signature counts for minutes only, by each protocol's own words.
func TestSignaturesAge(t *testing.T) {
	env := serve(t, localaws.Config{Buckets: []string{"exports"}}).Env()
	ask := func(t *testing.T, service, payload string, at time.Time) string {
		const form = "Action=GetCallerIdentity&Version=2011-06-15"
		method, path, body := http.MethodPost, "/", ""
		header := map[string]string{}
		switch service {
		case "s3":
			method, path, header["X-Amz-Content-Sha256"] = http.MethodPut, "/exports/aged", payload
		case "sts":
			body, header["Content-Type"] = form, "application/x-www-form-urlencoded"
		case "ec2":
			body, header["Content-Type"] = "Action=DescribeVpcs&Version=2016-11-15", "application/x-www-form-urlencoded"
		case "ecs":
			body, header["Content-Type"], header["X-Amz-Target"] = "{}", "application/x-amz-json-1.1", "AmazonEC2ContainerServiceV20141113.ListClusters"
		case "lambda":
			method, path = http.MethodGet, "/2015-03-31/functions/none"
		}
		r, err := http.NewRequestWithContext(t.Context(), method, env["AWS_ENDPOINT_URL"]+path, strings.NewReader(body))
		require.NoError(t, err)
		for name, value := range header {
			r.Header.Set(name, value)
		}
		sum := sha256.Sum256([]byte(body))
		if payload == "" {
			payload = hex.EncodeToString(sum[:])
		}
		require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"]}, r,
			payload, service, "us-east-1", at))
		status, text := send(t, r)
		return fmt.Sprint(status, " ", text)
	}
	for _, c := range []struct {
		service, payload string
		off              time.Duration
		want             string
	}{
		{"sts", "", -4 * time.Minute, "GetCallerIdentityResult"},
		{"sts", "", 4 * time.Minute, "GetCallerIdentityResult"},
		{"sts", "", -6 * time.Minute, "<Code>SignatureDoesNotMatch</Code><Message>Signature expired: "},
		{"sts", "", 6 * time.Minute, "<Code>SignatureDoesNotMatch</Code><Message>Signature not yet current: "},
		{"ec2", "", -14 * time.Minute, "<vpcSet>"},
		{"ec2", "", -16 * time.Minute, "<Code>RequestExpired</Code>"},
		{"ecs", "", -6 * time.Minute, "InvalidSignatureException"},
		{"lambda", "", -6 * time.Minute, "Signature expired: "},
		{"s3", "UNSIGNED-PAYLOAD", -14 * time.Minute, "200"},
		{"s3", "UNSIGNED-PAYLOAD", -16 * time.Minute, "<Code>RequestTimeTooSkewed</Code>"},
		{"s3", "UNSIGNED-PAYLOAD", 16 * time.Minute, "<Code>RequestTimeTooSkewed</Code>"},
		{"s3", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", 0, "501"},
	} {
		require.Contains(t, ask(t, c.service, c.payload, time.Now().Add(c.off)), c.want, "%s %v %s", c.service, c.off, c.payload)
	}
}
