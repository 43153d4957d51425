package config

import "strings"

// Traces says by which protocol spans go to an OpenTelemetry collector.
type Traces string

const (
	NoTraces   Traces = ""
	TracesHTTP Traces = "http/protobuf"
	TracesGRPC Traces = "grpc"
)

// traces finds out whether OpenTelemetry's standard variables ask for traces. Where they
// go, with which headers, and how many of them: that its SDK reads from its own variables,
// which are not all repeated here.
func (r *reader) traces() Traces {
	exporter := oneOf(r, "OTEL_TRACES_EXPORTER", "", "otlp", "none")
	disabled := strings.EqualFold(r.get("OTEL_SDK_DISABLED"), "true")
	endpoint, own := r.httpURL("OTEL_EXPORTER_OTLP_ENDPOINT"), r.httpURL("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	protocol := oneOf(r, "OTEL_EXPORTER_OTLP_PROTOCOL", TracesHTTP, TracesHTTP, TracesGRPC)
	protocol = oneOf(r, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", protocol, TracesHTTP, TracesGRPC)
	if disabled || exporter == "none" || exporter == "" && endpoint == nil && own == nil {
		return NoTraces
	}
	return protocol
}
