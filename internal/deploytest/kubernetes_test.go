package deploytest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"holdfast/config"
)

// manifest decodes the fields of a file in deploy/kubernetes that a test uses. deploy/check compares the whole file
// with Kubernetes's schemas.
func manifest[T any](t *testing.T, name string) (m T) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "deploy", "kubernetes", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, &m); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return m
}

// isSetting reports whether the service reads a variable of this name.
func isSetting(name string) bool {
	for _, s := range config.Settings() {
		if s.Name == name {
			return true
		}
	}
	return false
}

// clusterSettings returns the settings of the manifests, as the service reads them.
func clusterSettings(t *testing.T) config.Config {
	t.Helper()
	set := manifest[struct{ Data map[string]string }](t, "configmap.yaml").Data
	for name, value := range manifest[struct {
		StringData map[string]string `yaml:"stringData"`
	}](t, filepath.Join("example", "secret.yaml")).StringData {
		if _, twice := set[name]; twice {
			t.Errorf("%s is set twice", name)
		}
		set[name] = value
	}
	for name := range set {
		if !isSetting(name) {
			t.Errorf("%s is no setting", name)
		}
	}
	c, err := config.Load(func(name string) string { return set[name] })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClusterSettings(t *testing.T) {
	c := clusterSettings(t)
	if c.Mode != config.Production || c.Postgres == nil || c.Storage.Type == config.Embedded {
		t.Errorf("two replicas need a database and a store that they share: %s", c.Redacted())
	}
	ingress := manifest[struct {
		Spec struct {
			Rules []struct {
				Host string
				HTTP struct{ Paths []struct{ Path string } }
			}
		}
	}](t, "ingress.yaml").Spec.Rules[0]
	if want := "https://" + ingress.Host + ingress.HTTP.Paths[0].Path; c.PublicURL != want {
		t.Errorf("PUBLIC_URL is %s, the Ingress leads %s here", c.PublicURL, want)
	}
}

func TestClusterDeployment(t *testing.T) {
	c := clusterSettings(t)
	spec := manifest[struct {
		Spec struct {
			Replicas int
			Template struct {
				Spec struct {
					Grace        int   `yaml:"terminationGracePeriodSeconds"`
					ServiceLinks *bool `yaml:"enableServiceLinks"`
					Containers   []struct {
						Ports []struct {
							Name string
							Port int `yaml:"containerPort"`
						}
						StartupProbe   map[string]any `yaml:"startupProbe"`
						ReadinessProbe map[string]any `yaml:"readinessProbe"`
						LivenessProbe  map[string]any `yaml:"livenessProbe"`
					}
				}
			}
		}
	}](t, "deployment.yaml").Spec
	pod := spec.Template.Spec
	container := pod.Containers[0]
	if spec.Replicas < 2 {
		t.Error("one replica can't be restarted without a gap")
	}
	if pod.ServiceLinks == nil || *pod.ServiceLinks {
		t.Error("a Service's name could overwrite settings: enableServiceLinks must be off")
	}
	if grace, needs := time.Duration(pod.Grace)*time.Second, c.Drain.Delay+c.Drain.Timeout+5*time.Second; grace < needs {
		t.Errorf("the pod is killed after %s, it may need %s", grace, needs)
	}
	if c.Drain.Delay == 0 {
		t.Error("without DRAIN_DELAY requests are sent to a pod that has gone")
	}
	ports := map[string]int{}
	for _, p := range container.Ports {
		ports[p.Name] = p.Port
	}
	// The image sets PORT=8000, see the test of the Dockerfile.
	if ports["http"] != c.Port || !strings.HasSuffix(c.Admin.Addr, ":"+strconv.Itoa(ports["metrics"])) {
		t.Errorf("ports %v, PORT is %d, ADMIN_ADDR %s", ports, c.Port, c.Admin.Addr)
	}
	for _, p := range []struct {
		probe map[string]any
		path  string
	}{{container.StartupProbe, "/healthz"}, {container.ReadinessProbe, "/readyz"}, {container.LivenessProbe, "/healthz"}} {
		if get, _ := p.probe["httpGet"].(map[string]any); get["path"] != p.path || get["port"] != "http" {
			t.Errorf("probe of %v, want %s", p.probe, p.path)
		}
	}
	startup := container.StartupProbe
	n := startup["periodSeconds"].(int) * startup["failureThreshold"].(int)
	if time.Duration(n)*time.Second <= c.StartTimeout {
		t.Errorf("the pod is given up after %d s, the service waits %s for database and store", n, c.StartTimeout)
	}
}
