package config

import "strings"

// Traces is the protocol by which spans are sent to an OpenTelemetry collector.
type Traces string

const (
	NoTraces   Traces = ""
	TracesHTTP Traces = "http/protobuf"
	TracesGRPC Traces = "grpc"
)

// traces finds out whether OpenTelemetry's standard variables ask for traces. The SDK reads the endpoint, headers
// and sampling from its own variables, which are not all repeated here.
func (r *reader) traces() Traces {
	r.group = "Traces"
	endpoint := r.httpURL("OTEL_EXPORTER_OTLP_ENDPOINT",
		"the URL of the OpenTelemetry collector that receives traces; without it, there are none")
	own := r.httpURL("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "the same for traces only, including the path")
	exporter := oneOf(r, "OTEL_TRACES_EXPORTER",
		"`otlp`: send traces, to a collector on localhost if no endpoint is set; `none`: no traces", "", "otlp", "none")
	disabled := strings.EqualFold(r.get("OTEL_SDK_DISABLED", "`true`: no traces", "false"), "true")
	protocol := oneOf(r, "OTEL_EXPORTER_OTLP_PROTOCOL",
		"`http/protobuf` or `grpc`. OpenTelemetry's other variables are used too",
		TracesHTTP, TracesHTTP, TracesGRPC)
	if own := oneOf(r, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "the same for traces only", "", TracesHTTP,
		TracesGRPC); own != "" {
		protocol = own
	}
	if disabled || exporter == "none" || exporter == "" && endpoint == nil && own == nil {
		return NoTraces
	}
	return protocol
}
