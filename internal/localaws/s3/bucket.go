package s3

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elasticache-perf/elasticache-perf/internal/localaws/wire"
)

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
var (
	bucketName     = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	reservedBucket = regexp.MustCompile(`^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$`)
)

// make creates a bucket; s.mu is held.
func (s *Service) make(name, region, account string) error {
	if !bucketName.MatchString(name) || strings.Contains(name, "..") || net.ParseIP(name) != nil || reservedBucket.MatchString(name) {
		return wire.Errorf(400, "InvalidBucketName", "The specified bucket is not valid: %q", name)
	}
	if _, err := s.stat(name, ""); err != nil && !notExist(err) {
		return fmt.Errorf("bucket %s: %w", name, err)
	}
	if err := os.MkdirAll(s.file(name, ""), 0o755); err != nil {
		return fmt.Errorf("bucket %s: %w", name, err)
	}
	s.buckets[name] = &bucket{account: account, region: region, created: s.acct.Clock.Now(), deletes: map[string]int{}}
	return nil
}

func (s *Service) createBucket(x *exchange) error {
	var in struct {
		XMLName            xml.Name `xml:"CreateBucketConfiguration"`
		LocationConstraint string
	}
	body, err := io.ReadAll(io.LimitReader(x.r.Body, 1<<20))
	if err != nil {
		return err
	}
	if len(body) > 0 {
		if err := xml.Unmarshal(body, &in); err != nil {
			return malformed(err)
		}
	}
	region := wire.From(x.r.Context()).Region
	if region == "" {
		region = s.acct.Region
	}
	if in.LocationConstraint == "us-east-1" { // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html
		return wire.Errorf(400, "InvalidLocationConstraint", "The specified location-constraint is not valid")
	}
	if want := in.LocationConstraint; want != region && (region != "us-east-1" || want != "") {
		return wire.Errorf(400, "IllegalLocationConstraintException", "The %s location constraint is incompatible for the region specific endpoint this request was sent to.", cmp.Or(want, "unspecified"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[x.Bucket]; b != nil {
		if b.account != x.front.account { // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
			return wire.Errorf(409, "BucketAlreadyExists", "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.")
		}
		if region != "us-east-1" || b.region != region { // us-east-1 answers 200 for a bucket that one already has
			return wire.Errorf(409, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it.")
		}
	} else if err := s.make(x.Bucket, region, x.front.account); err != nil {
		return err
	}
	x.w.Header().Set("Location", "/"+x.Bucket)
	x.answer(200, nil)
	return nil
}

func (s *Service) deleteBucket(x *exchange) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys, err := s.keys(x.Bucket, "")
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		return wire.Errorf(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	}
	for id, u := range s.uploads {
		if u.bucket == x.Bucket {
			s.drop(id)
		}
	}
	if err := errors.Join(os.RemoveAll(s.file(x.Bucket, "")), os.RemoveAll(s.sidecars(x.Bucket))); err != nil {
		return err
	}
	delete(s.buckets, x.Bucket)
	x.answer(204, nil)
	return nil
}

func (s *Service) headBucket(x *exchange) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	x.w.Header().Set("x-amz-bucket-region", s.buckets[x.Bucket].region)
	x.w.Header().Set("x-amz-access-point-alias", "false")
	x.answer(200, nil)
	return nil
}

func (s *Service) getBucketWebsite(*exchange) error {
	return wire.Errorf(404, "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")
}

func (s *Service) listBuckets(x *exchange) error {
	type item struct{ Name, CreationDate, BucketRegion string }
	var out struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
		Owner   owner
		Buckets []item `xml:"Buckets>Bucket"`
		Prefix  string `xml:",omitempty"`

		ContinuationToken string `xml:",omitempty"`
	}
	const most = 10_000 // https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
	limit, after := most, ""
	if text := x.query.Get("max-buckets"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > most {
			return wire.Errorf(400, "InvalidArgument", "Argument max-buckets must be an integer between 1 and %d", most)
		}
	}
	if token := x.query.Get("continuation-token"); token != "" {
		var ok bool
		if after, ok = s.after(x, token); !ok {
			return wire.Errorf(400, "InvalidArgument", "The continuation token provided is incorrect")
		}
	}
	out.Owner, out.Prefix = x.owner(), x.query.Get("prefix")
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		b := s.buckets[name]
		if region := x.query.Get("bucket-region"); name <= after || b.account != x.front.account || !strings.HasPrefix(name, out.Prefix) || region != "" && region != b.region {
			continue
		}
		if len(out.Buckets) == limit {
			out.ContinuationToken = s.token(x, out.Buckets[limit-1].Name)
			break
		}
		out.Buckets = append(out.Buckets, item{name, stamp(b.created), b.region})
	}
	x.answer(200, out)
	return nil
}

type owner struct{ ID, DisplayName string }

func (x *exchange) owner() owner {
	return owner{strings.Repeat("0", 64-len(x.front.account)) + x.front.account, ""}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func malformed(err error) error {
	return wire.Errorf(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema: %v", err)
}

func notExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }
