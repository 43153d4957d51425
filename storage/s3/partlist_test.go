package s3

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"holdfast/file"
	"holdfast/internal/test/s3test"
	"holdfast/storage"
)

// listed is a part in a list, stored at a second.
func listed(number int32, size int64, etag string, second int64) types.Part {
	return types.Part{PartNumber: &number, Size: &size, ETag: &etag, LastModified: aws.Time(time.Unix(second, 0))}
}

func TestNewestOfParts(t *testing.T) {
	for name, test := range map[string]struct {
		page []types.Part
		more bool
		want []string // tags
	}{
		"once each": {[]types.Part{listed(1, 5, "a", 1), listed(2, 5, "b", 1)}, false, []string{"a", "b"}},
		"the newer": {[]types.Part{listed(1, 5, "a", 2), listed(1, 5, "b", 1), listed(2, 5, "c", 1)}, false,
			[]string{"a", "c"}},
		"the newer, behind": {[]types.Part{listed(1, 5, "a", 1), listed(1, 5, "b", 2)}, false, []string{"b"}},
		"the same bytes":    {[]types.Part{listed(1, 5, "a", 1), listed(1, 5, "a", 1)}, false, []string{"a"}},
		"nobody knows": {[]types.Part{listed(1, 5, "a", 1), listed(1, 5, "b", 1), listed(2, 5, "c", 1)}, false,
			[]string{"c"}},
		"known again": {[]types.Part{listed(1, 5, "a", 1), listed(1, 5, "b", 1), listed(1, 5, "c", 2)}, false,
			[]string{"c"}},
		"broke off":             {[]types.Part{listed(1, 0, "a", 3), listed(1, 5, "b", 1)}, false, []string{"b"}},
		"broke off, behind":     {[]types.Part{listed(1, 5, "b", 1), listed(1, 0, "a", 3)}, false, []string{"b"}},
		"only what broke off":   {[]types.Part{listed(1, 0, "a", 3)}, false, []string{"a"}},
		"the next page may say": {[]types.Part{listed(1, 5, "a", 1), listed(2, 5, "b", 1)}, true, []string{"a"}},
		"a page of one":         {[]types.Part{listed(1, 5, "a", 1)}, true, []string{"a"}},
	} {
		var got []string
		for _, p := range newest(test.page, test.more) {
			got = append(got, p.ETag)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, not %v", name, got, test.want)
		}
	}
}

// A part that breaks off, and is sent again and again, is listed once, and the upload becomes an object: on every store
// whose program is on this machine, if it takes parts from clients.
func TestPartSentAgain(t *testing.T) {
	for _, p := range s3test.Programs() {
		t.Run(p.Name, func(t *testing.T) {
			if _, missing := p.Find(); missing != "" {
				t.Skip(missing)
			}
			s := p.Start(t)
			for _, kind := range []Kind{Kind(p.Kind), Plain} { // of a kind that was not told it is found out
				quirks, _ := kind.Quirks()
				c := New(Options{Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey,
					Quirks: quirks})
				t.Cleanup(c.Close)
				at := file.Location{Bucket: "direct-1", Key: string(file.NewID())}
				if _, err := c.CheckDirect(t.Context(), at.Bucket); err != nil && p.Kind == "" { // a mock
					t.Skip(err)
				} else if err != nil {
					t.Fatal(err)
				}
				for name, cut := range map[string]int{"before the first byte": 0, "in the middle": 3 << 20} {
					c.sendAgain(t, at, name, cut)
				}
			}
		})
	}
}

// sendAgain sends the first of two parts, of which cut bytes come, and then twice whole.
func (c *Client) sendAgain(t *testing.T, at file.Location, name string, cut int) {
	t.Helper()
	ctx, body := t.Context(), [][]byte{random(t, 5<<20), random(t, 100)}
	m, err := c.BeginMultipart(ctx, at, "text/plain", false)
	if err != nil {
		t.Fatal(err)
	}
	for n, times := range []int{3, 1} {
		signed, err := c.PartSigner("")(ctx, at, storage.PartPut{Multipart: m, Number: int32(n) + 1,
			Size: int64(len(body[n])), CRC32: sumOf(body[n]), TTL: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		for ; times > 0; times-- {
			if times == 3 {
				err = c.putCut(ctx, signed, body[n][:cut], int64(len(body[n])))
			} else if resp := sendSigned(t, "PUT", signed, body[n]); resp.StatusCode != 200 {
				t.Fatalf("%s: %s", name, resp.Status)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	parts, err := c.Parts(ctx, at, m, 0)
	if err != nil || len(parts) != 2 || parts[0].Size != 5<<20 || parts[1].Size != 100 {
		t.Fatalf("%s: listed %+v, %v", name, parts, err)
	}
	if err := c.Complete(ctx, at, m, parts); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if got := read(t, c, at, 0, 5<<20+100); !bytes.Equal(got, bytes.Join(body, nil)) {
		t.Errorf("%s: the object has other bytes", name)
	}
}
