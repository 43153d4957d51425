package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"go.yaml.in/yaml/v4"
)

// container and pod return paths in a Deployment.
func container(more ...any) []any { return pod(append([]any{"containers", 0}, more...)...) }
func pod(more ...any) []any       { return append([]any{"spec", "template", "spec"}, more...) }
func setting(name string) []any   { return []any{"data", name} }

// valueCase is a value of the chart, and the field of an object that it sets.
type valueCase struct {
	values, object string
	path           []any
	want           any
}

func valueCases() []valueCase {
	key := map[string]any{"name": "a", "key": "b"}
	return append([]valueCase{
		{`replicas: 5`, "Deployment/", []any{"spec", "replicas"}, 5},
		{`image: {repository: r.example/holdfast, tag: 0.2.1}`, "Deployment/", container("image"),
			"r.example/holdfast:0.2.1"},
		{`image: {pullPolicy: Always}`, "Deployment/", container("imagePullPolicy"), "Always"},
		{`imagePullSecrets: [{name: registry}]`, "Deployment/", pod("imagePullSecrets", 0, "name"), "registry"},
		{`publicURL: https://a.example/b`, "ConfigMap/", setting("PUBLIC_URL"), "https://a.example/b"},
		{`postgres: {host: db, port: 6432}`, "ConfigMap/", setting("POSTGRES_PORT"), "6432"},
		{`postgres: {database: d}`, "ConfigMap/", setting("POSTGRES_DB"), "d"},
		{`postgres: {secret: {name: a, userKey: b}}`, "Deployment/", container("env", 0, "valueFrom", "secretKeyRef"), key},
		{`postgres: {secret: {name: a, passwordKey: b}}`, "Deployment/", container("env", 1, "valueFrom",
			"secretKeyRef"), key},
		{`s3: {secret: {name: a, accessKeyKey: b}}`, "Deployment/", container("env", 2, "valueFrom", "secretKeyRef"), key},
		{`s3: {secret: {name: a, secretKeyKey: b}}`, "Deployment/", container("env", 3, "valueFrom", "secretKeyRef"), key},
		{`s3: {endpoint: "https://s3.example"}`, "ConfigMap/", setting("S3_ENDPOINT"), "https://s3.example"},
		{`s3: {region: eu-1}`, "ConfigMap/", setting("S3_REGION"), "eu-1"},
		{`s3: {kind: minio}`, "ConfigMap/", setting("S3_KIND"), "minio"},
		{`s3: {bucketPrefix: b}`, "ConfigMap/", setting("BUCKET_PREFIX"), "b"},
		{`settings: {MAX_FILE_SIZE: "5"}`, "ConfigMap/", setting("MAX_FILE_SIZE"), "5"},
		{`settingsSecrets: [more]`, "Deployment/", container("envFrom", 1, "secretRef", "name"), "more"},
		{`allowedOrigins: ["https://a", "https://b"]`, "ConfigMap/", setting("ALLOWED_ORIGINS"), "https://a,https://b"},
		{`trustedProxies: 10.0.0.0/8`, "ConfigMap/", setting("TRUSTED_PROXIES"), "10.0.0.0/8"},
		{`memoryBudget: 1073741824`, "ConfigMap/", setting("MEMORY_BUDGET"), "1073741824"},
		{`resources: {limits: {memory: 2Gi}}`, "Deployment/", container("resources", "limits", "memory"), "2Gi"},
	}, objectCases()...)
}

func objectCases() []valueCase {
	return []valueCase{
		{`service: {type: NodePort}`, "Service/", []any{"spec", "type"}, "NodePort"},
		{`service: {port: 8080}`, "Service/", []any{"spec", "ports", 0, "port"}, 8080},
		{`service: {annotations: {a: b}}`, "Service/", []any{"metadata", "annotations", "a"}, "b"},
		{`ingress: {enabled: true}`, "Ingress/", []any{"spec", "rules", 0, "host"}, "files.example.org"},
		{`{ingress: {enabled: true}, publicURL: "https://a.example:8443"}`, "Ingress/",
			[]any{"spec", "rules", 0, "http", "paths", 0, "path"}, "/"},
		{`ingress: {enabled: true, className: traefik}`, "Ingress/", []any{"spec", "ingressClassName"}, "traefik"},
		{`ingress: {enabled: true, tlsSecret: s}`, "Ingress/", []any{"spec", "tls", 0},
			map[string]any{"hosts": []any{"files.example.org"}, "secretName": "s"}},
		{`ingress: {enabled: true, annotations: {a: b}}`, "Ingress/", []any{"metadata", "annotations", "a"}, "b"},
		{`podDisruptionBudget: {maxUnavailable: 50%}`, "PodDisruptionBudget/", []any{"spec", "maxUnavailable"}, "50%"},
		{`serviceMonitor: {enabled: true, interval: 15s}`, "ServiceMonitor/", []any{"spec", "endpoints", 0, "interval"},
			"15s"},
		{`serviceMonitor: {enabled: true, labels: {a: b}}`, "ServiceMonitor/", []any{"metadata", "labels", "a"}, "b"},
		{`networkPolicy: {monitoringNamespace: m}`, "NetworkPolicy/", []any{"spec", "ingress", 1, "from", 0,
			"namespaceSelector",
			"matchLabels", "kubernetes.io/metadata.name"}, "m"},
		{`podAnnotations: {a: b}`, "Deployment/", []any{"spec", "template", "metadata", "annotations", "a"}, "b"},
		{`podLabels: {a: b}`, "Deployment/", []any{"spec", "template", "metadata", "labels", "a"}, "b"},
		{`nodeSelector: {a: b}`, "Deployment/", pod("nodeSelector", "a"), "b"},
		{`tolerations: [{key: a}]`, "Deployment/", pod("tolerations", 0, "key"), "a"},
		{`affinity: {nodeAffinity: {a: b}}`, "Deployment/", pod("affinity", "nodeAffinity", "a"), "b"},
	}
}

// Each value sets the field that it describes.
func TestChartValues(t *testing.T) {
	const name = "files-holdfast"
	for _, c := range valueCases() {
		objects, _ := mustRender(t, c.values)
		if got := at(objects[c.object+name], c.path...); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %s has %v at %v, want %v", c.values, c.object, got, c.path, c.want)
		}
	}
	for _, off := range []string{"podDisruptionBudget", "networkPolicy"} {
		objects, _ := mustRender(t, off+": {enabled: false}")
		if kind := strings.ToUpper(off[:1]) + off[1:] + "/" + name; objects[kind] != nil {
			t.Errorf("%s is there although it is off", kind)
		}
	}
}

// A pod has enough time to stop: DRAIN_DELAY, DRAIN_TIMEOUT, and ten seconds.
func TestChartDrain(t *testing.T) {
	objects, _ := mustRender(t, `drain: {delay: 15, timeout: 120}`)
	data := at(objects["ConfigMap/files-holdfast"], "data")
	grace := at(objects["Deployment/files-holdfast"], "spec", "template", "spec", "terminationGracePeriodSeconds")
	if at(data, "DRAIN_DELAY") != "15s" || at(data, "DRAIN_TIMEOUT") != "120s" || fmt.Sprint(grace) != "145" {
		t.Errorf("%v, killed after %v s", data, grace)
	}
	strategy := at(objects["Deployment/files-holdfast"], "spec", "strategy", "rollingUpdate")
	if fmt.Sprint(at(strategy, "maxUnavailable"), at(strategy, "maxSurge")) != "0 1" {
		t.Errorf("a pod is stopped before another is ready: %v", strategy)
	}
}

// A change of the settings restarts the pods; a change of their number does not.
func TestChartSettingsRestart(t *testing.T) {
	template := func(values string) string {
		objects, _ := mustRender(t, values)
		b, err := json.Marshal(at(objects["Deployment/files-holdfast"], "spec", "template"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if template(`settings: {MAX_FILE_SIZE: "1"}`) == template(`settings: {MAX_FILE_SIZE: "2"}`) {
		t.Error("pods keep the old settings")
	}
	if template(`replicas: 2`) != template(`replicas: 3`) {
		t.Error("pods restart for another one")
	}
}

// The chart's pods are equal to those of the manifests, which are for clusters without Helm: a field that only one of
// them has was forgotten in the other.
func TestChartIsLikeManifests(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "kubernetes", "deployment.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest map[string]any
	if err := yaml.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	objects, _ := mustRender(t)
	chart := objects["Deployment/files-holdfast"]
	for _, path := range [][]any{
		{"spec", "replicas"}, {"spec", "strategy"}, {"spec", "minReadySeconds"},
		{"spec", "template", "spec", "securityContext"}, {"spec", "template", "spec", "enableServiceLinks"},
		{"spec", "template", "spec", "automountServiceAccountToken"}, {"spec", "template", "spec",
			"terminationGracePeriodSeconds"},
		{"spec", "template", "spec", "containers", 0, "securityContext"}, {"spec", "template", "spec", "containers", 0,
			"ports"},
		{"spec", "template", "spec", "containers", 0, "startupProbe"}, {"spec", "template", "spec", "containers", 0,
			"readinessProbe"},
		{"spec", "template", "spec", "containers", 0, "livenessProbe"}, {"spec", "template", "spec", "containers", 0,
			"resources"},
		{"spec", "template", "spec", "containers", 0, "args"},
	} {
		if want, got := at(manifest, path...), at(chart, path...); want == nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v: the chart has %v, the manifest %v", path, got, want)
		}
	}
}

// The Prometheus operator knows every field of the ServiceMonitor, which selects the Service of the metrics.
func TestServiceMonitor(t *testing.T) {
	objects, _ := mustRender(t, everything)
	b, err := json.Marshal(objects["ServiceMonitor/files-holdfast"])
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var m monitoring.ServiceMonitor
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	selected := 0
	for name, object := range objects {
		if !strings.HasPrefix(name, "Service/") {
			continue
		}
		matches := true
		for label, value := range m.Spec.Selector.MatchLabels {
			matches = matches && at(object, "metadata", "labels", label) == value
		}
		if matches {
			selected++
			if at(object, "spec", "ports", 0, "name") != m.Spec.Endpoints[0].Port {
				t.Errorf("%s has no port %s", name, m.Spec.Endpoints[0].Port)
			}
		}
	}
	if selected != 1 {
		t.Errorf("%d Services are selected", selected)
	}
}
