package deploytest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// instruction is an instruction of a Dockerfile: continued lines are joined, comments are dropped.
type instruction struct{ name, args string }

// stages returns the Dockerfile's instructions by build stage; each begins with its FROM.
func stages(t *testing.T) (all [][]instruction) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(string(b), "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	for _, line := range strings.Split(text, "\n") {
		name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "":
			continue
		case "FROM":
			all = append(all, nil)
		}
		if len(all) == 0 {
			t.Fatalf("%s before the first FROM", name)
		}
		last := len(all) - 1
		all[last] = append(all[last], instruction{name, strings.Join(strings.Fields(args), " ")})
	}
	return all
}

// find returns the arguments of the instructions of this name.
func find(stage []instruction, name string) (args []string) {
	for _, i := range stage {
		if i.name == name {
			args = append(args, i.args)
		}
	}
	return args
}

func TestDockerfileStages(t *testing.T) {
	all := stages(t)
	if len(all) != 3 {
		t.Fatalf("%d stages", len(all))
	}
	for i, want := range []string{`^node:\d+\.\S+ AS page$`, `^golang:1\.26\S* AS build$`, `^scratch$`} {
		if from := all[i][0].args; !regexp.MustCompile(want).MatchString(from) {
			t.Errorf("stage %d is from %q, want %s", i, from, want)
		}
	}
	build := strings.Join(find(all[1], "RUN"), "\n")
	for _, want := range []string{"CGO_ENABLED=0", "-trimpath", `-ldflags="-s -w"`} {
		if !strings.Contains(build, want) {
			t.Errorf("the program is built without %s", want)
		}
	}
}

// The last stage is the image: it does not run as root, has a health check, and the files that a static program lacks.
func TestDockerfileImage(t *testing.T) {
	all := stages(t)
	image := all[len(all)-1]
	for name, want := range map[string]string{
		"USER":        `^[1-9]\d*:[1-9]\d*$`,
		"HEALTHCHECK": `CMD \["/holdfast", "healthcheck"\]$`,
		"ENTRYPOINT":  `^\["/holdfast"\]$`,
		"CMD":         `^\["serve"\]$`,
		"EXPOSE":      `^8000$`,
		"VOLUME":      `^/data$`,
		"ENV":         `^HOST=0\.0\.0\.0 PORT=8000 DATA_DIR=/data$`,
	} {
		if got := find(image, name); len(got) != 1 || !regexp.MustCompile(want).MatchString(got[0]) {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
	if len(find(image, "RUN")) != 0 {
		t.Error("RUN can't work in scratch: there is no shell")
	}
	copied := strings.Join(find(image, "COPY"), "\n")
	user := find(image, "USER")[0]
	for _, want := range []string{"--from=build --chown=" + user + " /out/data /data", " /holdfast", " /example",
		"/etc/ssl/certs/"} {
		if !strings.Contains(copied, want) {
			t.Errorf("the image lacks %q", want)
		}
	}
}

// Files that the Dockerfile copies must exist and must not be excluded from the build context.
func TestDockerfileSources(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	ignored := strings.Fields(string(b))
	for _, stage := range stages(t) {
		for _, args := range find(stage, "COPY") {
			words := strings.Fields(args)
			if strings.HasPrefix(words[0], "--from=") {
				continue
			}
			for _, source := range words[:len(words)-1] {
				if _, err := os.Stat(filepath.Join(root, source)); err != nil {
					t.Error(err)
				}
				for _, pattern := range ignored {
					if strings.TrimSuffix(source, "/") == pattern {
						t.Errorf("%s is kept from the builder by .dockerignore", source)
					}
				}
			}
		}
	}
	for _, secret := range []string{"data", ".git", "**/.env*"} {
		if !strings.Contains("\n"+string(b), "\n"+secret+"\n") {
			t.Errorf("%s would be sent to the builder", secret)
		}
	}
}
