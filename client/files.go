package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// pageSize is how many files a page of a list has.
	pageSize = "1000"
	// maxAnswer is the longest JSON that is read, in bytes: a page of files with the longest names has half of it.
	maxAnswer = 8 << 20
)

// File is a file in a list.
type File struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Size      int64     `json:"size"` // bytes
	Type      string    `json:"type"` // its media type
	CreatedAt time.Time `json:"created_at"`
	URL       string    `json:"url"`
}

// List returns the files of the token's user, newest first; for the token of a service, those of its account. Pages
// are fetched while they are read. After an error the list ends.
func (c *Client) List(ctx context.Context) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		for after, more := "", true; more; {
			var page struct {
				Files []File  `json:"files"`
				Next  *string `json:"next"`
			}
			query := url.Values{"limit": {pageSize}}
			if after != "" {
				query.Set("after", after)
			}
			err := c.call(ctx, http.MethodGet, c.Base+"/?"+query.Encode(), nil, &page)
			if err == nil && page.Next != nil && (*page.Next == after || len(page.Files) == 0) {
				err = errors.New("the service answers with the same page again")
			}
			if err != nil {
				yield(File{}, fmt.Errorf("list %s: %w", c.Base, err))
				return
			}
			for _, f := range page.Files {
				if !yield(f, nil) {
					return
				}
			}
			if more = page.Next != nil; more {
				after = *page.Next
			}
		}
	}
}

// Delete deletes a file for good: for its owner, and for services of its account. A file that is not there is a
// *Refusal with CodeNotFound (fs.ErrNotExist).
func (c *Client) Delete(ctx context.Context, file string) error {
	tries := 0
	err := c.retry(ctx, func() (bool, bool, error) {
		tries++
		err := c.once(ctx, http.MethodDelete, file, nil, nil)
		if tries > 1 && isGone(err) {
			err = nil // by the request before, whose answer was lost
		}
		return true, false, err
	})
	if err != nil {
		return fmt.Errorf("delete %s: %w", file, err)
	}
	return nil
}

// LinkOptions say what a link is like.
type LinkOptions struct {
	// ExpiresIn is how long the link is valid, in whole seconds; 0: an hour. The service has a longest one.
	ExpiresIn time.Duration
	// Inline has browsers show the file instead of saving it, if it is of a type that is safe to show.
	Inline bool
}

// Link is a URL that opens one file without a token, for GET and HEAD, until it expires.
type Link struct {
	ID        string    `json:"id"` // by which the link can be ended
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Link creates a signed link to a file. Everybody who may read the file may do that.
func (c *Client) Link(ctx context.Context, file string, o LinkOptions) (Link, error) {
	wish := struct {
		ExpiresIn   int64  `json:"expires_in,omitempty"`
		Disposition string `json:"disposition,omitempty"`
	}{ExpiresIn: int64(o.ExpiresIn / time.Second)}
	if o.Inline {
		wish.Disposition = "inline"
	}
	var l Link
	err := c.call(ctx, http.MethodPost, file+"/links", wish, &l)
	if err == nil && l.URL == "" {
		err = errors.New("the service answered without a link")
	}
	if err != nil {
		return Link{}, fmt.Errorf("link to %s: %w", file, err)
	}
	return l, nil
}

// call is once, with retries.
func (c *Client) call(ctx context.Context, method, url string, sent, into any) error {
	return c.retry(ctx, func() (bool, bool, error) { return true, false, c.once(ctx, method, url, sent, into) })
}

// once sends a request, with sent as JSON if it is not nil, and reads the JSON of the answer into what into points to.
func (c *Client) once(ctx context.Context, method, url string, sent, into any) error {
	ctx, cancel := context.WithTimeout(ctx, c.StallTimeout)
	defer cancel()
	var body io.Reader
	if sent != nil {
		b, err := json.Marshal(sent)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := c.request(ctx, method, url, body)
	if err != nil {
		return err
	}
	if sent != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := c.do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if into == nil {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return temporaryError{err: err}
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s is no Holdfast: it answered %s, and no JSON that is expected",
			strings.TrimSuffix(c.Base, "/"), res.Status)
	}
	return nil
}
