package check

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
)

var chartFolder = filepath.Join("..", "helm", "holdfast")

// required are values for the ones without a default, matching the manifests in deploy/kubernetes.
const required = `
publicURL: https://files.example.org/files
postgres: {host: postgres, secret: {name: holdfast-postgres}}
s3: {endpoint: "http://seaweedfs:8333", secret: {name: holdfast-s3}}
`

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render returns the objects of the templates, by "Kind/name", for values in YAML, later ones over earlier ones, as
// helm template does.
func render(c *chart.Chart, values ...string) (map[string]map[string]any, string, error) {
	set := map[string]any{}
	for _, text := range values {
		v, err := chartutil.ReadValues([]byte(text))
		if err != nil {
			return nil, "", err
		}
		set = chartutil.MergeTables(v, set)
	}
	all, err := chartutil.ToRenderValues(c, set, chartutil.ReleaseOptions{Name: "files", Namespace: "prod",
		IsInstall: true},
		chartutil.DefaultCapabilities)
	if err != nil {
		return nil, "", err
	}
	rendered, err := engine.Render(c, all)
	if err != nil {
		return nil, "", err
	}
	objects, text := map[string]map[string]any{}, ""
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for document := range strings.SplitSeq(rendered[name], "\n---\n") {
			var object map[string]any
			if err := yaml.Unmarshal([]byte(document), &object); err != nil {
				return nil, "", fmt.Errorf("%s: %w\n%s", name, err, document)
			}
			if object != nil {
				objects[object["kind"].(string)+"/"+object["metadata"].(map[string]any)["name"].(string)] = object
				text += "---\n" + document + "\n"
			}
		}
	}
	return objects, text, nil
}

func mustRender(t *testing.T, values ...string) (map[string]map[string]any, string) {
	t.Helper()
	objects, text, err := render(loadChart(t), append([]string{required}, values...)...)
	if err != nil {
		t.Fatal(err)
	}
	return objects, text
}

// at returns a value in an object: at(o, "spec", "ports", 0, "port").
func at(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := value.(map[string]any)
			value = m[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}
	return value
}

// everything enables what is off by default.
const everything = `
ingress: {enabled: true, tlsSecret: holdfast-tls}
serviceMonitor: {enabled: true, labels: {release: prometheus}}
imagePullSecrets: [{name: registry}]
settings: {MAX_FILE_SIZE: "1073741824"}
settingsSecrets: [holdfast-django]
allowedOrigins: ["https://app.example.org", "https://www.example.org"]
podLabels: {team: files}
podAnnotations: {note: x}
nodeSelector: {disk: ssd}
tolerations: [{key: a, operator: Exists}]
affinity: {nodeAffinity: {}}
service: {annotations: {a: b}}
`

func TestChartLint(t *testing.T) {
	v, err := chartutil.ReadValues([]byte(required))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range lint.AllWithKubeVersion(chartFolder, v, "prod", nil).Messages {
		if m.Severity > support.InfoSev {
			t.Error(m)
		}
	}
}

// The chart's objects match Kubernetes's schemas; for the Prometheus operator's kind see TestServiceMonitor.
func TestChartObjects(t *testing.T) {
	c := newCluster(t)
	for what, values := range map[string]string{"by default": "{}", "with everything": everything} {
		objects, text := mustRender(t, values)
		kept := ""
		for document := range strings.SplitSeq(text, "---\n") {
			if !strings.Contains(document, "kind: ServiceMonitor") {
				kept += "---\n" + document
			}
		}
		kept = strings.TrimPrefix(kept, "---\n---\n")
		if n, err := c.check([]byte(kept)); err != nil || n < 5 {
			t.Errorf("%s: %d documents are right; %v", what, n, err)
		}
		if _, found := objects["Ingress/files-holdfast"]; found != (what == "with everything") {
			t.Errorf("%s: %v", what, slices.Sorted(maps.Keys(objects)))
		}
	}
}

// Values that are wrong or missing are refused, and the message names them.
func TestChartValuesAreRefused(t *testing.T) {
	for values, named := range map[string]string{
		`replicas: 0`:                              "replicas",
		`replica: 2`:                               "replica",
		`publicURL: files.example.org`:             "publicURL",
		`postgres: {host: ""}`:                     "host",
		`postgres: {secret: {name: ""}}`:           "name",
		`s3: {secret: {name: ""}}`:                 "name",
		`s3: {kind: ceph}`:                         "kind",
		`image: {tag: latest}`:                     "tag",
		`drain: {delay: 0}`:                        "delay",
		`drain: {delay: 10s}`:                      "delay",
		`settings: {MAX_FILE_SIZE: 1000}`:          "MAX_FILE_SIZE",
		`settings: {DRAIN_DELAY: 1s}`:              "DRAIN_DELAY",
		`settings: {max: "1"}`:                     "max",
		`serviceMonitor: {interval: 30}`:           "interval",
		`podDisruptionBudget: {maxUnavailable: 0}`: "maxUnavailable",
	} {
		if _, _, err := render(loadChart(t), required, values); err == nil || !strings.Contains(err.Error(), named) {
			t.Errorf("%s: %v", values, err)
		}
	}
	if _, _, err := render(loadChart(t)); err == nil {
		t.Error("the chart can be installed without any value")
	}
}

// Every value is described in the schema, and nothing else is.
func TestChartValuesAreDescribed(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(chartFolder, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	described(t, "", loadChart(t).Values, schema)
}

func described(t *testing.T, path string, value any, schema map[string]any) {
	t.Helper()
	if path != "" && schema["description"] == nil {
		t.Errorf("%s has no description", path)
	}
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return
	}
	values, _ := value.(map[string]any)
	for name, v := range values {
		below, found := properties[name].(map[string]any)
		if !found {
			t.Errorf("%s.%s is not in the schema", path, name)
			continue
		}
		described(t, path+"."+name, v, below)
	}
	for name := range properties {
		if _, found := values[name]; !found && name != "global" {
			t.Errorf("%s.%s is in the schema alone", path, name)
		}
	}
}
