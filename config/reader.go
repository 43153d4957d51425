package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// reader reads variables and collects what is wrong with them. A fault names the
// variable and what it should be; it shows the value only where that can't be a secret.
type reader struct {
	getenv func(string) string
	faults []error
}

func (r *reader) get(name string) string { return strings.TrimSpace(r.getenv(name)) }

func (r *reader) fault(name, what string) {
	r.faults = append(r.faults, errors.New(name+" "+what))
}

func (r *reader) err() error { return errors.Join(r.faults...) }

func (r *reader) string(name, otherwise string) string {
	if s := r.get(name); s != "" {
		return s
	}
	return otherwise
}

func (r *reader) required(name, when string) string {
	s := r.get(name)
	if s == "" {
		r.fault(name, "is needed "+when)
	}
	return s
}

// path returns an absolute path: the embedded store changes the working directory.
func (r *reader) path(name, otherwise string) string {
	p, err := filepath.Abs(r.string(name, otherwise))
	if err != nil {
		r.fault(name, err.Error())
	}
	return p
}

func (r *reader) int64(name string, otherwise, least, most int64) int64 {
	s := r.get(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < least || n > most {
		r.fault(name, fmt.Sprintf("must be a whole number from %d to %d, not %q", least, most, s))
		return otherwise
	}
	return n
}

func (r *reader) int(name string, otherwise, least, most int) int {
	return int(r.int64(name, int64(otherwise), int64(least), int64(most)))
}

func (r *reader) bool(name string, otherwise bool) bool {
	switch s := strings.ToLower(r.get(name)); s {
	case "":
		return otherwise
	case "1", "true", "yes", "on":
		return true
	case "0", "false", "no", "off":
		return false
	default:
		r.fault(name, fmt.Sprintf("must be on or off, not %q", s))
		return otherwise
	}
}

// duration is a time of more than nothing.
func (r *reader) duration(name string, otherwise, most time.Duration) time.Duration {
	return r.timeFrom(name, otherwise, 1, most)
}

// timeFrom takes Go's notation ("90s", "1h30m") and plain seconds.
func (r *reader) timeFrom(name string, otherwise, least, most time.Duration) time.Duration {
	s := r.get(name)
	if s == "" {
		return otherwise
	}
	d, err := time.ParseDuration(s)
	if n, nerr := strconv.Atoi(s); nerr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < least || d > most {
		r.fault(name, fmt.Sprintf("must be a time such as 60s or 2m, at most %s, not %q", most, s))
		return otherwise
	}
	return d
}

// address is a host and a port; "off" is none.
func (r *reader) address(name, otherwise string) string {
	s := r.string(name, otherwise)
	if s == "off" {
		return ""
	}
	if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
		r.fault(name, fmt.Sprintf("must be an address such as 127.0.0.1:9090, or off, not %q", s))
	}
	return s
}

func (r *reader) httpURL(name string) *url.URL {
	if s := r.get(name); s != "" {
		return r.checkURL(name, s)
	}
	return nil
}

func (r *reader) checkURL(name, s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		r.fault(name, "must be an http or https URL")
		return nil
	}
	return u
}

// list takes a comma list or a JSON list of strings, as the Python service does.
func (r *reader) list(name string) []string {
	s := r.get(name)
	if strings.HasPrefix(s, "[") {
		var all []string
		if err := json.Unmarshal([]byte(s), &all); err != nil {
			r.fault(name, "must be a comma list or a JSON list of strings")
		}
		return all
	}
	var all []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

func oneOf[T ~string](r *reader, name string, otherwise T, allowed ...T) T {
	s := T(r.get(name))
	if s == "" {
		return otherwise
	}
	if !slices.Contains(allowed, s) {
		r.fault(name, fmt.Sprintf("must be one of %q, not %q", allowed, string(s)))
		return otherwise
	}
	return s
}
