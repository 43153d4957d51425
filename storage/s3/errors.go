package s3

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"holdfast/file"
	"holdfast/storage"
)

// wrap adds what was being done and the kind of the error; kind is for errors that have no kind of their own.
func wrap(kind error, doing string, err error) error {
	if err == nil {
		return nil
	}
	switch c, s := code(err), status(err); {
	case c == "NoSuchUpload":
		kind = storage.ErrNoUpload
	case c == "InvalidPart":
		kind = storage.ErrPartChanged
	case s == http.StatusInsufficientStorage || c == "XMinioStorageFull" || c == "QuotaExceeded":
		kind = file.ErrNoSpace
	case c == "NoSuchBucket":
		kind = storage.ErrNoBucket
	case missing(err):
		kind = file.ErrObjectMissing
	case kind == file.ErrStorageRead && (s == http.StatusPreconditionFailed ||
		s == http.StatusRequestedRangeNotSatisfiable && answered(err)):
		kind = file.ErrObjectChanged // another tag, or shorter than the range begins
	}
	return fmt.Errorf("%s: %w: %w", doing, kind, err)
}

// missing reports whether the store says that there is no such object or bucket. The status 404 alone does not: any
// web server answers 404, and a client that gets one believes that its upload is gone.
func missing(err error) bool {
	switch code(err) {
	case "NoSuchKey", "NoSuchBucket":
		return true
	}
	return false
}

// answered reports whether an error is S3's own answer, with a code in its body. Without a body the SDK derives a code
// from the status: 404 becomes "NotFound". Answers to HEAD have no body.
func answered(err error) bool {
	c := code(err)
	return c != "" && c != "UnknownError" && c != strings.ReplaceAll(http.StatusText(status(err)), " ", "")
}

// refusesKeys reports whether the store refuses the access key or the signature: then it refuses everything.
func refusesKeys(err error) bool {
	switch code(err) {
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestTimeTooSkewed",
		"XAdminUserNotFound": // versitygw 1.8, with 404
		return true
	}
	return false
}

// given returns a value that every S3 store sends with a success; if it is missing, the answer came from something
// else.
func given(what string, s *string) (string, error) {
	if aws.ToString(s) == "" {
		return "", fmt.Errorf("an answer without %s: not the store's", what)
	}
	return *s, nil
}

func notImplemented(err error) bool {
	return status(err) == http.StatusNotImplemented || code(err) == "NotImplemented"
}

// code is S3's code of an error; empty: the store said nothing.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// status is the HTTP status of an answer that is an error; 0: there was no answer.
func status(err error) int {
	var re *smithyhttp.ResponseError
	if errors.As(err, &re) {
		return re.HTTPStatusCode()
	}
	return 0
}
