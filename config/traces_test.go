package config

import (
	"strings"
	"testing"
)

// Spans are only made if one of OpenTelemetry's standard variables asks for them.
func TestTraces(t *testing.T) {
	for _, c := range []struct {
		env  string
		want Traces
		says string // a fault
	}{
		{"", NoTraces, ""},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", NoTraces, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318", TracesHTTP, ""},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=https://collector/v1/traces", TracesHTTP, ""},
		{"OTEL_TRACES_EXPORTER=otlp", TracesHTTP, ""},
		{"OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_PROTOCOL=grpc", TracesGRPC, ""},
		{"OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf",
			TracesHTTP, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 OTEL_TRACES_EXPORTER=none", NoTraces, ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 OTEL_SDK_DISABLED=TRUE", NoTraces, ""},
		{"OTEL_TRACES_EXPORTER=zipkin", "", "OTEL_TRACES_EXPORTER"},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=http/json", "", "OTEL_EXPORTER_OTLP_PROTOCOL"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318", "", "OTEL_EXPORTER_OTLP_ENDPOINT"},
	} {
		env := map[string]string{}
		for pair := range strings.FieldsSeq(c.env) {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
		got, err := Load(func(name string) string { return env[name] })
		if (err != nil) != (c.says != "") || got.Traces != c.want || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q %v", c.env, got.Traces, err)
		}
	}
}
