package s3test

import (
	"crypto/rand"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Program is an S3 server that people run, or test with.
type Program struct {
	Name string // as in docs/STORES.md
	Kind string // S3_KIND
	// Variable is the variable of the environment that has the program's path. Without it the program is looked for in
	// PATH, if it has a Command.
	Variable, Command string

	path    func() (string, error) // in place of Variable and Command: builds it
	version func(path string) (string, error)
	command func(s *Server) (*exec.Cmd, error)
	ready   []string // pages that answer 200, one after the other, when the server can be used: "port/path"
}

// Programs are all that the tests can start. Only versitygw is always there.
func Programs() []Program {
	return []Program{
		{
			Name: "SeaweedFS", Kind: "seaweedfs", Variable: "SEAWEEDFS_BIN", Command: "weed",
			version: printed(`version \S+ (\S+)`, "version"), command: seaweedFS,
			ready: []string{"master/cluster/healthz", "master/dir/assign", "s3/status"},
		},
		{
			Name: "MinIO", Kind: "minio", Variable: "MINIO_BIN",
			version: moduleVersion, command: minIO, ready: []string{"s3/minio/health/ready"},
		},
		versitygw(),
		{
			Name: "S3Mock", Kind: "", Variable: "S3MOCK_JAR", version: versionInName, command: s3Mock,
			ready: []string{"s3/favicon.ico"},
		},
		{
			Name: "moto", Variable: "MOTO_SERVER", version: pythonPackage("moto"), command: moto,
			ready: []string{"s3/moto-api/"},
		},
	}
}

func versitygw() Program {
	healthy := strings.ToLower(rand.Text())
	return Program{
		Name: "versitygw", Kind: "versitygw", path: build, version: versionInName,
		command: func(s *Server) (*exec.Cmd, error) { return versityGW(s, "/"+healthy) },
		// No other test's server answers this if it has taken the port.
		ready: []string{"s3/" + healthy},
	}
}

// Find returns the path of the program, or "" and why it is not there.
func (p Program) Find() (path, missing string) {
	if p.path != nil {
		path, err := p.path()
		if err != nil {
			return "", err.Error()
		}
		return path, ""
	}
	if path := os.Getenv(p.Variable); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Sprintf("%s: %v", p.Variable, err)
		}
		return path, ""
	}
	missing = p.Variable + " is not set"
	if p.Command == "" {
		return "", missing
	}
	path, err := exec.LookPath(p.Command)
	if err != nil {
		return "", missing + ", and there is no " + p.Command + " in PATH"
	}
	return path, ""
}

// Version returns the version of the program.
func (p Program) Version() (string, error) {
	path, missing := p.Find()
	if path == "" {
		return "", fmt.Errorf("%s: %s", p.Name, missing)
	}
	return p.version(path)
}

// printed finds the version in what the program prints.
func printed(pattern string, args ...string) func(string) (string, error) {
	return func(path string) (string, error) {
		out, err := exec.Command(path, args...).Output()
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		found := regexp.MustCompile(pattern).FindSubmatch(out)
		if found == nil {
			return "", fmt.Errorf("%s prints no version: %q", path, out)
		}
		return string(found[1]), nil
	}
}

// moduleVersion is the version of the Go module that the program was built from.
func moduleVersion(path string) (string, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "", err
	}
	return info.Main.Version, nil
}

// versionInName finds the version in the name of the file.
func versionInName(path string) (string, error) {
	found := regexp.MustCompile(`-v?(\d+\.\d+[0-9.]*\d)`).FindStringSubmatch(filepath.Base(path))
	if found == nil {
		return "", fmt.Errorf("%s has no version in its name", path)
	}
	return found[1], nil
}

// pythonPackage asks the Python that the program runs in.
func pythonPackage(name string) func(string) (string, error) {
	return func(path string) (string, error) {
		return printed(`(\S+)`, "-c", "import importlib.metadata as m; print(m.version('"+name+"'))")(
			filepath.Join(filepath.Dir(path), "python"))
	}
}

// seaweedFS is master, volume server, filer and S3 in one process, as in docker-compose.yml.
func seaweedFS(s *Server) (*exec.Cmd, error) {
	who, err := json.Marshal(map[string]any{"identities": []any{map[string]any{
		"name":        "holdfast",
		"credentials": []any{map[string]string{"accessKey": s.AccessKey, "secretKey": s.SecretKey}},
		"actions":     []string{"Admin", "Read", "Write", "List", "Tagging"},
	}}})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(s.folder, "s3.json")
	if err := os.WriteFile(file, who, 0o600); err != nil {
		return nil, err
	}
	args := []string{"server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir=" + filepath.Join(s.folder, "objects"),
		// Each bucket takes volumes of its own, seven at first.
		"-volume.max=500", "-master.volumeSizeLimitMB=64", "-master.telemetry=false",
		"-s3", "-s3.config=" + file, "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false"}
	for flag, name := range map[string]string{"master.port": "master", "master.port.grpc": "master grpc",
		"volume.port": "volume", "volume.port.grpc": "volume grpc", "filer.port": "filer",
		"filer.port.grpc": "filer grpc", "s3.port": "s3", "s3.port.grpc": "s3 grpc"} {
		args = append(args, "-"+flag+"="+s.port(name))
	}
	return exec.Command(s.path, args...), nil
}

func minIO(s *Server) (*exec.Cmd, error) {
	cmd := exec.Command(s.path, "server", "--quiet", "--address", s.address("s3"), "--console-address",
		s.address("console"),
		filepath.Join(s.folder, "objects"))
	cmd.Env = []string{"MINIO_ROOT_USER=" + s.AccessKey, "MINIO_ROOT_PASSWORD=" + s.SecretKey, "MINIO_UPDATE=off"}
	return cmd, nil
}

func versityGW(s *Server, healthy string) (*exec.Cmd, error) {
	// Metadata goes to files of its own (sidecar): some file systems, such as tmpfs and overlays, have no extended
	// attributes.
	cmd := exec.Command(s.path, "--port", s.address("s3"), "--region", s.Region, "--health", healthy, "--quiet",
		"posix", "--sidecar", filepath.Join(s.folder, "metadata"), filepath.Join(s.folder, "objects"))
	// The secret is passed in the environment since everybody can read command lines.
	cmd.Env = []string{"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.SecretKey}
	return cmd, nil
}

func s3Mock(s *Server) (*exec.Cmd, error) {
	cmd := exec.Command("java", "-Xmx512m", "-jar", s.path, "--server.port=0", "--server.address=127.0.0.1")
	cmd.Env = []string{"COM_ADOBE_TESTING_S3MOCK_HTTPPORT=" + s.port("s3"),
		"COM_ADOBE_TESTING_S3MOCK_STORE_ROOT=" + filepath.Join(s.folder, "objects"),
		"COM_ADOBE_TESTING_S3MOCK_STORE_REGION=" + s.Region}
	return cmd, nil
}

func moto(s *Server) (*exec.Cmd, error) {
	return exec.Command(s.path, "-H", "127.0.0.1", "-p", s.port("s3")), nil
}
