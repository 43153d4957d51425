package importer

import (
	"context"
	"errors"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"holdfast/file"
	"holdfast/internal/regular"
	"holdfast/storage"
)

// openedSource is a source whose bytes can be read.
type openedSource struct {
	storage.Object // Size is -1 where it is not known
	body           io.ReadCloser
}

// located returns the location of a source in an S3; false if it is not in one.
func located(source string) (at file.Location, ok bool) {
	rest, ok := strings.CutPrefix(source, "s3://")
	at.Bucket, at.Key, _ = strings.Cut(rest, "/")
	return at, ok
}

// from is the store of the sources.
func (im *Importer) from() Reading {
	if im.From != nil {
		return im.From
	}
	return im.Objects
}

// open opens a source.
func (im *Importer) open(ctx context.Context, source string) (o openedSource, err error) {
	if at, s3 := located(source); s3 {
		if o.Object, err = im.from().Stat(ctx, at); err == nil {
			o.body, err = im.from().Open(ctx, at, o.ETag, 0, o.Size)
		}
		return o, err
	}
	if strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://") {
		return im.fetch(ctx, source)
	}
	return im.openFile(source)
}

// openFile opens a path in the folder. A path that leaves the folder, also by a symbolic link, is refused.
func (im *Importer) openFile(path string) (o openedSource, err error) {
	if im.Folder == "" {
		return o, errors.New("a path needs --folder")
	}
	root, err := os.OpenRoot(im.Folder)
	if err != nil {
		return o, err
	}
	defer root.Close()
	f, info, err := regular.OpenIn(root, filepath.FromSlash(path))
	if err != nil {
		return o, err
	}
	o.body, o.Size, o.Modified = f, info.Size(), info.ModTime()
	o.Type = mime.TypeByExtension(filepath.Ext(path))
	return o, nil
}

// retries is the number of attempts for one file.
const retries = 3

// retry imports a file again if a store did not answer.
func retry(ctx context.Context, do func() error) error {
	delays := &backoff.ExponentialBackOff{InitialInterval: time.Second, MaxInterval: 5 * time.Second,
		RandomizationFactor: backoff.DefaultRandomizationFactor, Multiplier: 2}
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := do()
		if err != nil && (!errors.Is(err, file.ErrUnavailable) || errors.Is(err, file.ErrDatabase)) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(delays), backoff.WithMaxTries(retries), backoff.WithMaxElapsedTime(0)) // a file may take hours
	return err
}
