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
		"the OpenTelemetry collector that takes traces; without, none are made")
	own := r.httpURL("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "the same, for traces alone and with their path")
	exporter := oneOf(r, "OTEL_TRACES_EXPORTER", "`otlp`: traces, to the collector on localhost if no other is named; "+
		"`none`: none", "", "otlp", "none")
	disabled := strings.EqualFold(r.get("OTEL_SDK_DISABLED", "`true`: no traces", "false"), "true")
	protocol := oneOf(r, "OTEL_EXPORTER_OTLP_PROTOCOL", "or `grpc`. OpenTelemetry's other variables count as well",
		TracesHTTP, TracesHTTP, TracesGRPC)
	if own := oneOf(r, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "the same, for traces alone", "", TracesHTTP,
		TracesGRPC); own != "" {
		protocol = own
	}
	if disabled || exporter == "none" || exporter == "" && endpoint == nil && own == nil {
		return NoTraces
	}
	return protocol
}
