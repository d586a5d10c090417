package ops

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"

	"github.com/elasticache-perf/elasticache-perf/internal/awsquery"
	"github.com/elasticache-perf/elasticache-perf/internal/console"
	"github.com/elasticache-perf/elasticache-perf/internal/gobuild"
	"github.com/elasticache-perf/elasticache-perf/internal/stack"
	"github.com/elasticache-perf/elasticache-perf/internal/terraform"
	"github.com/elasticache-perf/elasticache-perf/internal/workspace"
	"github.com/elasticache-perf/elasticache-perf/lambda/shutdown"
)

// InvalidError is everything that is in the way of a deployment, each with what to do about it.
type InvalidError struct{ Problems []string }

func (e *InvalidError) Error() string {
	what := "1 problem stands"
	if n := len(e.Problems); n > 1 {
		what = fmt.Sprintf("%d problems stand", n)
	}
	return fmt.Sprintf("%s in the way of a deployment; nothing was created:\n  - %s",
		what, strings.ReplaceAll(strings.Join(e.Problems, "\n- "), "\n", "\n  "))
}

// Validate checks what a deployment needs, without creating anything: Terraform and its provider, the inputs, the Lambda's zip, this computer's clock,
// the bucket, the subnets' outbound access, the Fargate quota, the cache's node type and parameters; and whether Terraform can plan the stack.
func Validate(ctx context.Context, ws *workspace.Workspace, con *console.Console) error {
	if _, err := skipped(ws); err != nil {
		return err
	}
	t, in, err := terraform.Ready(ctx, ws, con)
	if err != nil {
		return err
	}
	if err := t.FindProvider(ctx, ws, con); err != nil {
		return err
	}
	var problems []string
	if file := gobuild.Zip(ws, in.Architecture); in.BuildsLambda() && !workspace.Exists(file) {
		problems = append(problems, fmt.Sprintf("the Lambda's zip %s is not built: `go tool mage build` makes it", ws.Path(file)))
	} else if zip := in.Lambda.Zip; zip != "" && !workspace.Exists(ws.InStack(zip)) {
		problems = append(problems, fmt.Sprintf("the Lambda's zip %s, which the input lambda names, is not there: download it, or leave lambda out to have it built", zip))
	}
	if err := validate(ctx, ws, con, in, problems); err != nil {
		return err
	}
	if err := t.Prepare(ctx, ws, con); err != nil {
		return err
	}
	planning := con.Step("terraform: planning")
	defer planning.End()
	return t.Rehearse(ctx)
}

// looked is what the checks look at.
type looked struct {
	con    *console.Console
	cfg    aws.Config
	in     *terraform.Inputs
	answer middleware.Metadata // of a call to AWS just now
}

// checks are those of the account, under the names that SKIP_CHECKS has for them.
var checks = []struct {
	name string
	run  func(context.Context, looked) ([]string, error)
}{
	{"clock", func(_ context.Context, a looked) ([]string, error) { return skewed(a.answer), nil }},
	{"bucket", func(ctx context.Context, a looked) ([]string, error) { return checkBucket(ctx, a.cfg, a.in) }},
	{"subnets", func(ctx context.Context, a looked) ([]string, error) { return checkSubnets(ctx, a.cfg, a.in) }},
	{"quota", func(ctx context.Context, a looked) ([]string, error) { return checkQuota(ctx, a.con, a.cfg, a.in) }},
	{"cache", func(ctx context.Context, a looked) ([]string, error) { return checkNewCache(ctx, a.con, a.cfg, a.in) }},
	{"existing_cache", func(ctx context.Context, a looked) ([]string, error) { return checkExistingCache(ctx, a.cfg, a.in) }},
}

// skipped are the checks that SKIP_CHECKS leaves out.
func skipped(ws *workspace.Workspace) ([]string, error) {
	var names []string
	for _, c := range checks {
		names = append(names, c.name)
	}
	skip := strings.FieldsFunc(ws.Getenv("SKIP_CHECKS"), func(r rune) bool { return r == ',' || r == ' ' })
	for _, name := range skip {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("SKIP_CHECKS has %s, and the checks are %s", name, strings.Join(names, ", "))
		}
	}
	return skip, nil
}

// validate checks the account; problems are those found before.
func validate(ctx context.Context, ws *workspace.Workspace, con *console.Console, in *terraform.Inputs, problems []string) error {
	cfg, err := ws.AWS(ctx, in.Region)
	if err != nil {
		return &InvalidError{append(problems, fmt.Sprintf("the AWS configuration cannot be read: %v", err))}
	}
	if cfg.Region == "" {
		return &InvalidError{append(problems, "no AWS Region: set aws_region in terraform.tfvars, or AWS_REGION in the environment")}
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return &InvalidError{append(problems, fmt.Sprintf("AWS does not know who you are: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (%v)", err))}
	}
	skip, err := skipped(ws)
	if err != nil {
		return err
	}
	for _, c := range checks {
		if slices.Contains(skip, c.name) {
			con.Say("not checked, as SKIP_CHECKS says: %s", c.name)
			continue
		}
		found, err := c.run(ctx, looked{con, cfg, in, who.ResultMetadata})
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			found = append(found, fmt.Sprintf("%v (SKIP_CHECKS=%s leaves this check out)", err, c.name))
		}
		problems = append(problems, found...)
	}
	if len(problems) > 0 {
		return &InvalidError{problems}
	}
	if warning := pullWarning(in); warning != "" {
		con.Say("%s", warning)
	}
	if warning := threadsWarning(in); warning != "" {
		con.Say("%s", warning)
	}
	con.Say("validated: account %s, Region %s, bucket %s, %d subnet(s) of %s, %d x %g vCPU", aws.ToString(who.Account), cfg.Region, in.Bucket,
		len(in.Subnets), in.VPC, in.Load.TaskCount, float64(in.Load.CPU)/1024)
	return nil
}

// skewed says what to do when the clocks differ at an answer of AWS.
func skewed(answer middleware.Metadata) (problems []string) {
	there, ok := awsmiddleware.GetServerTime(answer)
	here, known := awsmiddleware.GetResponseAt(answer)
	if off := here.Sub(there).Abs(); !ok || !known || off <= shutdown.Skew {
		return nil
	}
	return []string{fmt.Sprintf("the clock of this computer says %s, AWS's %s: a run is timed and named by this computer's, so set it (`timedatectl set-ntp true` on Linux, `sudo sntp -sS time.apple.com` on macOS)",
		here.UTC().Format(time.RFC3339), there.UTC().Format(time.RFC3339))}
}

// checkBucket: it exists, is in the stack's Region, and takes and gives up an object.
func checkBucket(ctx context.Context, cfg aws.Config, in *terraform.Inputs) ([]string, error) {
	client := s3.NewFromConfig(cfg)
	head, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &in.Bucket})
	region := ""
	if err == nil {
		region = aws.ToString(head.BucketRegion)
	}
	// A HEAD's error has no body: its status says it all. https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		if r := response.Response.Header.Get("X-Amz-Bucket-Region"); r != "" {
			region = r
		}
		switch response.HTTPStatusCode() {
		case http.StatusNotFound:
			return []string{fmt.Sprintf("the bucket %s does not exist: make it with `%s`, or set metrics_export_s3_bucket to one you have", in.Bucket,
				console.AWS(cfg.Region, "aws s3 mb s3://%s", in.Bucket))}, nil
		case http.StatusForbidden:
			return []string{fmt.Sprintf("the bucket %s is not yours to use (403): it belongs to another account, or you lack s3:ListBucket on it; set metrics_export_s3_bucket to one of your own", in.Bucket)}, nil
		case http.StatusMovedPermanently, http.StatusBadRequest: // of another Region
			if region != "" && region != cfg.Region {
				err = nil
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the bucket %s cannot be looked at: %w", in.Bucket, err)
	}
	if region != "" && region != cfg.Region {
		return []string{fmt.Sprintf("the bucket %s is in %s, the stack in %s: the Lambda writes within its Region only; use a bucket in %[3]s, or set aws_region = %[2]q", in.Bucket, region, cfg.Region)}, nil
	}
	key := path.Join(in.Prefix, "probe-"+rand.Text())
	probe := &s3.PutObjectInput{Bucket: &in.Bucket, Key: &key, Body: strings.NewReader("elasticache-perf was here\n"), IfNoneMatch: aws.String("*")}
	probe.ServerSideEncryption, probe.SSEKMSKeyId = shutdown.Encryption(in.KMSKey)
	if _, err := client.PutObject(ctx, probe); err != nil {
		return []string{fmt.Sprintf("the bucket %s cannot be written to: allow s3:PutObject on arn:%s:s3:::%[1]s/%[3]s*; if it demands a KMS key, set metrics_export_kms_key_arn (%v)", in.Bucket, partition(cfg.Region), prefixed(in.Prefix), err)}, nil
	}
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &in.Bucket, Key: &key}); err != nil {
		return []string{fmt.Sprintf("the probe s3://%s/%s was written but cannot be removed: allow s3:DeleteObject, and remove it (%v)", in.Bucket, key, err)}, nil
	}
	return nil, nil
}

func prefixed(prefix string) string {
	if prefix == "" {
		return ""
	}
	return strings.TrimSuffix(prefix, "/") + "/"
}

// checkSubnets: they exist, are in the VPC, and tasks in them get their image and get rid of their logs: by a default route, or by endpoints.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html#ecr-minimum-system-requirements
func checkSubnets(ctx context.Context, cfg aws.Config, in *terraform.Inputs) (problems []string, err error) {
	closed := false
	for _, id := range in.Subnets {
		vpc, err := awsquery.SubnetVPC(ctx, cfg, id)
		if stack.Missing(err) || stack.Code(err) == "InvalidSubnetID.Malformed" {
			problems = append(problems, fmt.Sprintf("the subnet %s does not exist in %s: `%s` lists those there are", id, cfg.Region,
				console.AWS(cfg.Region, "aws ec2 describe-subnets --filters Name=vpc-id,Values=%s", in.VPC)))
			continue
		}
		if err != nil {
			return problems, fmt.Errorf("the subnet %s cannot be looked at: %w", id, err)
		}
		if vpc != in.VPC {
			problems = append(problems, fmt.Sprintf("the subnet %s is in %s, not in the vpc_id %s: take subnets of one VPC", id, vpc, in.VPC))
			continue
		}
		way, err := awsquery.WayOut(ctx, cfg, in.VPC, id)
		if err != nil {
			return problems, fmt.Errorf("the routes of the subnet %s cannot be looked at: %w", id, err)
		}
		switch {
		case strings.HasPrefix(way, "igw-") && !in.Load.AssignPublicIP:
			problems = append(problems, fmt.Sprintf("the subnet %s leads out by an internet gateway, which tasks can use with a public address only: take a subnet with a NAT gateway, or set load = { assign_public_ip = true }", id))
		case way == "":
			closed = true
		}
	}
	if !closed {
		return problems, nil
	}
	want := []string{"ecr.api", "ecr.dkr", "s3", "logs"}
	if in.Auth {
		want = append(want, "ssm")
	}
	services, err := awsquery.EndpointServices(ctx, cfg, in.VPC)
	if err != nil {
		return problems, fmt.Errorf("the endpoints of %s cannot be looked at: %w", in.VPC, err)
	}
	for _, service := range services {
		// com.amazonaws.REGION.SERVICE, in China with cn. before it: https://docs.amazonaws.cn/en_us/vpc/latest/userguide/vpc-endpoints.html
		_, service, _ = strings.Cut(service, "."+cfg.Region+".")
		want = slices.DeleteFunc(want, func(w string) bool { return w == service })
	}
	if len(want) > 0 {
		problems = append(problems, fmt.Sprintf("the subnets have no outbound access: add a default route to a NAT gateway, or VPC endpoints for %s", strings.Join(want, ", ")))
	} else if !strings.Contains(in.Load.Image, ".dkr.ecr.") {
		problems = append(problems, fmt.Sprintf("the subnets reach AWS by endpoints only, and the image %s is not in ECR: copy it there and set load = { image = \"ACCOUNT.dkr.ecr.%s.%s/NAME:TAG\" }", in.Load.Image, cfg.Region, domain(cfg.Region)))
	}
	return problems, nil
}

// partition and domain of a Region: China's and GovCloud's are not those of the others.
// https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func domain(region string) string {
	if partition(region) == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// checkQuota: the account may run that many vCPU of Fargate at once. What already runs is not counted: AWS has no figure for it. A quota that
// cannot be read is in nobody's way: ECS says itself when there is too little.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
func checkQuota(ctx context.Context, con *console.Console, cfg aws.Config, in *terraform.Inputs) ([]string, error) {
	const quota = "L-3032A538" // Fargate On-Demand vCPU resource count
	client, code := servicequotas.NewFromConfig(cfg), aws.String("fargate")
	var has *float64
	out, err := client.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: code, QuotaCode: aws.String(quota)})
	if err == nil && out.Quota != nil {
		has = out.Quota.Value
	}
	// An account that never had a quota of its own may have no applied one: then AWS's default holds.
	// https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
	var none *types.NoSuchResourceException
	if errors.As(err, &none) {
		var byDefault *servicequotas.GetAWSDefaultServiceQuotaOutput
		byDefault, err = client.GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: code, QuotaCode: aws.String(quota)})
		if err == nil && byDefault.Quota != nil {
			has = byDefault.Quota.Value
		}
	}
	if err != nil {
		con.Say("the Fargate quota %s is not known; servicequotas:GetServiceQuota and GetAWSDefaultServiceQuota allow to read it (%v)", quota, err)
		return nil, ctx.Err()
	}
	want := float64(in.Load.TaskCount) * float64(in.Load.CPU) / 1024
	if has == nil || *has >= want {
		return nil, nil
	}
	return []string{fmt.Sprintf("the load needs %g vCPU of Fargate (%d tasks x %g), and the account may have %g in %s: ask for more with `%s`, or take fewer tasks",
		want, in.Load.TaskCount, float64(in.Load.CPU)/1024, *has, cfg.Region,
		console.AWS(cfg.Region, "aws service-quotas request-service-quota-increase --service-code fargate --quota-code %s --desired-value %g", quota, want))}, nil
}
