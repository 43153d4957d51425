package config

import (
	"strings"
	"testing"
	"time"
)

// Spans are only made if one of OpenTelemetry's standard variables asks for them.
func TestTraces(t *testing.T) {
	for _, c := range []struct {
		env  string
		want TracesProtocol
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
		if (err != nil) != (c.says != "") || got.Traces.Protocol != c.want || err != nil && !strings.Contains(err.Error(),
			c.says) {
			t.Errorf("%s: %q %v", c.env, got.Traces.Protocol, err)
		}
	}
}

// How spans are sent: a variable for traces alone comes before the one for all of OTLP.
func TestTracesSent(t *testing.T) {
	load := func(pairs ...string) (Traces, error) {
		env := map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}
		for _, pair := range pairs {
			name, value, _ := strings.Cut(pair, "=")
			env["OTEL_EXPORTER_OTLP_"+name] = value
		}
		c, err := Load(func(name string) string { return env[name] })
		return c.Traces, err
	}
	for _, c := range []struct{ env, want string }{
		{"", "http://localhost:4318/v1/traces"},
		{"PROTOCOL=grpc", "http://localhost:4317"},
		{"ENDPOINT=https://all.example.org/otel/", "https://all.example.org/otel/v1/traces"},
		{"ENDPOINT=https://all.example.org TRACES_ENDPOINT=https://own.example.org/x", "https://own.example.org/x"},
	} {
		if got, err := load(strings.Fields(c.env)...); err != nil || got.Endpoint != c.want {
			t.Errorf("%s: %q %v", c.env, got.Endpoint, err)
		}
	}
	got, err := load("HEADERS=a=1", "TRACES_HEADERS= authorization = Bearer%20x,b=,", "TIMEOUT=5000", "COMPRESSION=gzip",
		"CERTIFICATE=/all.pem", "TRACES_CERTIFICATE=/own.pem")
	if err != nil || got.Headers["authorization"] != "Bearer x" || len(got.Headers) != 2 || !got.Gzip ||
		got.Timeout != 5*time.Second || got.Roots != "/own.pem" {
		t.Errorf("%+v %v", got, err)
	}
	for _, wrong := range []string{"HEADERS=a", "HEADERS=a b=1", "HEADERS=a=%zz", "HEADERS=a=%0d%0aB", "TIMEOUT=0",
		"TIMEOUT=10s",
		"COMPRESSION=br", "CLIENT_KEY=/k.pem", "CLIENT_CERTIFICATE=/c.pem"} {
		if got, err := load(wrong); err == nil {
			t.Errorf("%s is taken: %+v", wrong, got)
		}
	}
}
