package config

import (
	"net/url"
	"strings"
	"time"
)

// TracesProtocol is the protocol by which spans are sent to an OpenTelemetry collector.
type TracesProtocol string

const (
	NoTraces   TracesProtocol = ""
	TracesHTTP TracesProtocol = "http/protobuf"
	TracesGRPC TracesProtocol = "grpc"
)

// Traces say where spans are sent.
type Traces struct {
	Protocol TracesProtocol
	Endpoint string            // the whole URL; with gRPC its path is not used
	Headers  map[string]string // of every request
	Timeout  time.Duration
	Gzip     bool
	// Files (PEM): certificates of authorities to trust in place of the system's, and our own certificate with its key.
	// Empty: none.
	Roots, Certificate, Key string
}

// otlp is the beginning of the names of OpenTelemetry's variables. Those with TRACES_ behind it are preferred.
const otlp = "OTEL_EXPORTER_OTLP_"

// traces finds out whether OpenTelemetry's standard variables ask for traces. The SDK reads sampling and the service's
// name from its own variables, which are not repeated here.
func (r *reader) traces() (t Traces) {
	r.group = "Traces"
	endpoint := r.httpURL(otlp+"ENDPOINT",
		"the URL of the OpenTelemetry collector that receives traces; without it, there are none")
	own := r.httpURL(otlp+"TRACES_ENDPOINT", "the same for traces only, including the path")
	exporter := oneOf(r, "OTEL_TRACES_EXPORTER",
		"`otlp`: send traces, to a collector on localhost if no endpoint is set; `none`: no traces", "", "otlp", "none")
	disabled := strings.EqualFold(r.get("OTEL_SDK_DISABLED", "`true`: no traces", "false"), "true")
	t.Protocol = oneOf(r, otlp+"PROTOCOL", "`http/protobuf` or `grpc`", TracesHTTP, TracesHTTP, TracesGRPC)
	if own := oneOf(r, otlp+"TRACES_PROTOCOL", "the same for traces only", "", TracesHTTP, TracesGRPC); own != "" {
		t.Protocol = own
	}
	t.Headers = r.otlpHeaders()
	t.Timeout = r.otlpTimeout()
	t.Gzip = r.ownOr("COMPRESSION", "`gzip` or `none`", "none", "gzip", "none") == "gzip"
	t.Roots = r.ownOr("CERTIFICATE", "a file (PEM) with the authorities to trust in place of the system's", "")
	t.Certificate = r.ownOr("CLIENT_CERTIFICATE", "a file (PEM) with the certificate to show to the collector", "")
	t.Key = r.ownOr("CLIENT_KEY", "and its key", "")
	if (t.Certificate == "") != (t.Key == "") {
		r.fault(otlp+"CLIENT_KEY", "belongs to "+otlp+"CLIENT_CERTIFICATE: set both, or none")
	}
	if disabled || exporter == "none" || exporter == "" && endpoint == nil && own == nil {
		return Traces{}
	}
	switch {
	case own != nil:
		t.Endpoint = own.String()
	case endpoint != nil:
		t.Endpoint = endpoint.JoinPath("v1/traces").String()
	case t.Protocol == TracesGRPC:
		t.Endpoint = "http://localhost:4317"
	default:
		t.Endpoint = "http://localhost:4318/v1/traces"
	}
	return t
}

// ownOr reads a variable that there is for all of OTLP and for traces alone.
func (r *reader) ownOr(name, meaning, otherwise string, allowed ...string) string {
	value := func(name, meaning, otherwise string) string {
		if len(allowed) > 0 {
			return oneOf(r, name, meaning, otherwise, allowed...)
		}
		return r.get(name, meaning, otherwise)
	}
	all := value(otlp+name, meaning, otherwise)
	if own := value(otlp+"TRACES_"+name, "the same for traces only", ""); own != "" {
		return own
	}
	return all
}

// otlpHeaders reads "name=value,name=value", where values are escaped as in URLs.
func (r *reader) otlpHeaders() map[string]string {
	headers := map[string]string{}
	for pair := range strings.SplitSeq(r.ownOr("HEADERS", "headers for the collector: `name=value,name=value`", ""), ",") {
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); name == "" && !ok {
			continue
		}
		if !ok || err != nil || !headerName.MatchString(name) || strings.ContainsAny(value, "\r\n\x00") {
			r.fault(otlp+"HEADERS", "must be name=value pairs with commas between them")
			return nil
		}
		headers[name] = value
	}
	return headers
}

// otlpTimeout reads milliseconds.
func (r *reader) otlpTimeout() time.Duration {
	const most = 10 * 60 * 1000
	all := r.int64(otlp+"TIMEOUT", "how long the collector may take, in milliseconds", 10_000, 1, most)
	own := r.int64(otlp+"TRACES_TIMEOUT", "the same for traces only", all, 1, most)
	return time.Duration(own) * time.Millisecond
}
