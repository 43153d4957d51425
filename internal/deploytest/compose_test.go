package deploytest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// project reads docker-compose.yml as `docker compose` does on a machine without .env.
func project(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithInterpolation(true), cli.WithConsistency(true), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestComposeServices(t *testing.T) {
	p := project(t)
	names := p.ServiceNames()
	slices.Sort(names)
	want := []string{"holdfast", "nginx", "postgres", "redis", "seaweedfs"}
	if !slices.Equal(names, want) {
		t.Errorf("services %v, want %v", names, want)
	}
	version := regexp.MustCompile(`:v?\d+(\.\d+)+([-a-z0-9.]*)?$`)
	for _, s := range p.Services {
		if s.Name == "holdfast" {
			if s.Build == nil || filepath.Clean(s.Build.Context) != absolute(t, root) {
				t.Error("holdfast is not built from this folder")
			}
		} else {
			if !version.MatchString(s.Image) {
				t.Errorf("%s: the image %q has no pinned version", s.Name, s.Image)
			}
			// holdfast's own health check is in the Dockerfile.
			if s.HealthCheck == nil || len(s.HealthCheck.Test) < 2 || s.HealthCheck.Disable {
				t.Errorf("%s has no health check", s.Name)
			}
		}
		for other, how := range s.DependsOn {
			if how.Condition != types.ServiceConditionHealthy {
				t.Errorf("%s waits until %s is %s, not until it is healthy", s.Name, other, how.Condition)
			}
		}
		if s.Restart == "" {
			t.Errorf("%s is not started again after a crash", s.Name)
		}
	}
	for _, other := range []string{"postgres", "redis", "seaweedfs"} {
		if _, ok := p.Services["holdfast"].DependsOn[other]; !ok {
			t.Errorf("holdfast does not wait for %s", other)
		}
	}
}

// Every mounted file exists; Docker would create an empty folder for a missing one. Data that must survive is in a
// named volume.
func TestComposeVolumes(t *testing.T) {
	p := project(t)
	kept := map[string]string{"postgres": "/var/lib/postgresql/data", "redis": "/data", "seaweedfs": "/data",
		"holdfast": "/data"}
	for _, s := range p.Services {
		for _, v := range s.Volumes {
			switch v.Type {
			case types.VolumeTypeBind:
				if info, err := os.Stat(v.Source); err != nil || !info.Mode().IsRegular() {
					t.Errorf("%s mounts %s, which is no file here", s.Name, v.Source)
				}
				if !v.ReadOnly {
					t.Errorf("%s could write to %s", s.Name, v.Source)
				}
			case types.VolumeTypeVolume:
				if _, ok := p.Volumes[v.Source]; !ok {
					t.Errorf("%s: the volume %q is not declared", s.Name, v.Source)
				}
				if v.Target == kept[s.Name] {
					delete(kept, s.Name)
				}
			}
		}
	}
	for name, path := range kept {
		t.Errorf("%s: %s is not in a named volume", name, path)
	}
}

// Only nginx can be reached from outside, and by default from this machine only.
func TestComposePorts(t *testing.T) {
	for _, s := range project(t).Services {
		for _, port := range s.Ports {
			if s.Name != "nginx" || port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s:%s", s.Name, port.HostIP, port.Published)
			}
		}
	}
}

// known are the settings that Holdfast reads: those of the Python service, and its own.
var known = strings.Fields(`CONFIG HOST PORT DEBUG DATA_DIR PUBLIC_URL FASTAPI_BASE_URL EXAMPLE_DIR TRUSTED_PROXIES
	FRONTEND_URL FORMS_URL ALLOWED_ORIGINS POSTGRES_USER POSTGRES_PASSWORD POSTGRES_DB POSTGRES_HOST POSTGRES_PORT
	STORAGE_TYPE SEAWEEDFS_S3_ENDPOINT SEAWEEDFS_S3_ACCESS_KEY SEAWEEDFS_S3_SECRET_KEY SEAWEEDFS_S3_REGION
	SEAWEEDFS_S3_USE_SSL BUCKET_PREFIX MAX_FILE_SIZE CHUNK_SIZE AUTH_REDIS_URL KEY_PREFIX_REDIS DJANGO_SECRET_KEY
	AUTH_TOKEN_ITERATIONS BACKEND_PRIVATE_URL READ_TIMEOUT START_TIMEOUT S3_PAYLOAD_SIGNING
	RATE_LIMIT_UPLOAD_REQUESTS RATE_LIMIT_UPLOAD_WINDOW RATE_LIMIT_DOWNLOAD_REQUESTS RATE_LIMIT_DOWNLOAD_WINDOW`)

func TestComposeEnvironment(t *testing.T) {
	p := project(t)
	env := p.Services["holdfast"].Environment
	for name := range env {
		if !slices.Contains(known, name) {
			t.Errorf("Holdfast knows no setting %s", name)
		}
	}
	for name, want := range map[string]string{"POSTGRES_HOST": "postgres", "STORAGE_TYPE": "local",
		"SEAWEEDFS_S3_ENDPOINT": "http://seaweedfs:8333", "TRUSTED_PROXIES": "private",
		"AUTH_REDIS_URL": "redis://redis:6379/1"} {
		if got := value(env, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB"} {
		if a, b := value(env, name), value(p.Services["postgres"].Environment, name); a == "" || a != b {
			t.Errorf("%s: Holdfast has %q, PostgreSQL has %q", name, a, b)
		}
	}
	if published := p.Services["nginx"].Ports; len(published) != 1 ||
		value(env, "PUBLIC_URL") != fmt.Sprintf("http://localhost:%s/files", published[0].Published) {
		t.Errorf("PUBLIC_URL %q is not where nginx is", value(env, "PUBLIC_URL"))
	}
}

// Holdfast's keys are valid in SeaweedFS.
func TestSeaweedIdentity(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "deploy", "seaweedfs-s3.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Identities []struct {
			Credentials []struct{ AccessKey, SecretKey string }
			Actions     []string
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	env := project(t).Services["holdfast"].Environment
	for _, i := range file.Identities {
		for _, c := range i.Credentials {
			if c.AccessKey == value(env, "SEAWEEDFS_S3_ACCESS_KEY") && c.SecretKey == value(env, "SEAWEEDFS_S3_SECRET_KEY") &&
				slices.Contains(i.Actions, "Admin") { // to create buckets
				return
			}
		}
	}
	t.Error("no identity of deploy/seaweedfs-s3.json has the keys of docker-compose.yml and may create buckets")
}

func value(env types.MappingWithEquals, name string) string {
	if v := env[name]; v != nil {
		return *v
	}
	return ""
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}
