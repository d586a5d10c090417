package iam

import (
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/iam/policy"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/tagset"
	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// managed is a policy with an ARN of its own and up to five versions.
type managed struct {
	name, id, path, arn, description string
	created                          time.Time
	versions                         []version
	made                             int    // how many versions there ever were
	current                          string // id of the default version
	tags                             tagset.Set
}

type version struct {
	id, text string
	document *policy.Document
	created  time.Time
}

func (p *managed) add(text string, current bool, now time.Time) error {
	if size(text) > managedSize {
		return limit("Cannot exceed quota for PolicySize: %d", managedSize)
	}
	d, err := policy.Parse(policy.Identity, text)
	if err != nil {
		return malformed(err)
	}
	p.made++
	v := version{versionID(p.made), text, d, now}
	p.versions = append(p.versions, v)
	if current {
		p.current = v.id
	}
	return nil
}

func (p *managed) version(id string) (version, bool) {
	for _, v := range p.versions {
		if v.id == id {
			return v, true
		}
	}
	return version{}, false
}

// document is the default version's.
func (p *managed) document() *policy.Document {
	v, _ := p.version(p.current)
	return v.document
}

type policyOut struct {
	PolicyName, PolicyId, Arn, Path, DefaultVersionId string
	AttachmentCount, PermissionsBoundaryUsageCount    int
	IsAttachable                                      bool
	Description                                       *string
	CreateDate, UpdateDate                            *wire.Time
	Tags                                              []tagset.Tag
}

// policyOut counts the roles that use a policy; the caller holds the lock.
func (s *Service) policyOut(p *managed) policyOut {
	o := policyOut{PolicyName: p.name, PolicyId: p.id, Arn: p.arn, Path: p.path, DefaultVersionId: p.current, IsAttachable: true,
		CreateDate: wire.At(p.created), UpdateDate: wire.At(p.versions[len(p.versions)-1].created), Tags: tagset.List[tagset.Tag](p.tags)}
	if p.description != "" {
		o.Description = &p.description
	}
	for _, r := range s.roles {
		for _, arn := range r.attached {
			if arn == p.arn {
				o.AttachmentCount++
			}
		}
		if r.boundary == p.arn {
			o.PermissionsBoundaryUsageCount++
		}
	}
	return o
}

type versionOut struct {
	Document         *string
	VersionId        string
	IsDefaultVersion bool
	CreateDate       *wire.Time
}

func (p *managed) versionOut(v version) versionOut {
	text := encoded(v.text)
	return versionOut{&text, v.id, v.id == p.current, wire.At(v.created)}
}

// awsManaged are AWS's own policies that stacks like this one attach.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
var awsManaged = map[string]*managed{}

func init() {
	for _, p := range []struct{ path, name, version, created, text string }{
		{"/service-role/", "AmazonECSTaskExecutionRolePolicy", "v1", "2017-11-16T18:48:22Z",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}`},
		{"/service-role/", "AWSLambdaBasicExecutionRole", "v1", "2015-04-09T15:03:43Z",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"*"}]}`},
		{"/service-role/", "AWSLambdaVPCAccessExecutionRole", "v3", "2016-02-11T23:15:26Z",
			`{"Version":"2012-10-17","Statement":[{"Sid":"AWSLambdaVPCAccessExecutionPermissions","Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents","ec2:CreateNetworkInterface","ec2:DescribeNetworkInterfaces","ec2:DescribeSubnets","ec2:DeleteNetworkInterface","ec2:AssignPrivateIpAddresses","ec2:UnassignPrivateIpAddresses"],"Resource":"*"}]}`},
		{"/", "AmazonSSMReadOnlyAccess", "v1", "2015-05-29T17:44:19Z",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ssm:Describe*","ssm:Get*","ssm:List*"],"Resource":"*"}]}`},
		{"/", "PowerUserAccess", "v12", "2015-02-06T18:39:47Z",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"},{"Effect":"Allow","Action":["account:GetAccountInformation","account:GetGovCloudAccountInformation","account:GetPrimaryEmail","account:ListRegions","iam:CreateServiceLinkedRole","iam:DeleteServiceLinkedRole","iam:ListRoles","organizations:DescribeEffectivePolicy","organizations:DescribeOrganization"],"Resource":"*"}]}`},
		{"/", "AdministratorAccess", "v1", "2015-02-06T18:39:46Z",
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`},
	} {
		d, err := policy.Parse(policy.Identity, p.text)
		created, err2 := time.Parse(time.RFC3339, p.created)
		if err != nil || err2 != nil {
			panic("iam: " + p.name + " cannot be read")
		}
		m := &managed{name: p.name, id: id("ANPA"), path: p.path, arn: "arn:aws:iam::aws:policy" + p.path + p.name, created: created,
			current: p.version, versions: []version{{p.version, p.text, d, created}}}
		awsManaged[m.arn] = m
	}
}
