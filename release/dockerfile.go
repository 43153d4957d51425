package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// instruction is one of a Dockerfile; continued lines are joined.
type instruction struct{ name, args string }

// lastStage returns the instructions from the last FROM on. It understands what our Dockerfile uses, not all of
// Docker's syntax.
func lastStage(dockerfile string) (stage []instruction) {
	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(dockerfile, "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.SplitSeq(text, "\n") {
		name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "FROM" {
			stage = nil
		}
		if name != "" {
			stage = append(stage, instruction{name, strings.TrimSpace(args)})
		}
	}
	return stage
}

// imageConfig derives the image's configuration from the Dockerfile's last stage, so that it has one source. values
// are those of the ARGs.
func imageConfig(stage []instruction, values map[string]string) (c v1.Config, err error) {
	c.ExposedPorts, c.Volumes, c.Labels = map[string]struct{}{}, map[string]struct{}{}, map[string]string{}
	for _, i := range stage {
		args := os.Expand(i.args, func(name string) string { return values[name] })
		switch i.name {
		case "FROM", "ARG", "COPY":
		case "ENV":
			for _, pair := range pairs(args) {
				c.Env = append(c.Env, pair[0]+"="+pair[1])
			}
		case "LABEL":
			for _, pair := range pairs(args) {
				c.Labels[pair[0]] = pair[1]
			}
		case "USER":
			c.User = args
		case "VOLUME":
			c.Volumes[args] = struct{}{}
		case "EXPOSE":
			c.ExposedPorts[args+"/tcp"] = struct{}{}
		case "HEALTHCHECK":
			c.Healthcheck, err = healthcheck(args)
		case "ENTRYPOINT":
			err = json.Unmarshal([]byte(args), &c.Entrypoint)
		case "CMD":
			err = json.Unmarshal([]byte(args), &c.Cmd)
		default:
			err = fmt.Errorf("not understood")
		}
		if err != nil {
			return c, fmt.Errorf("%s %s: %w", i.name, i.args, err)
		}
	}
	return c, nil
}

var pair = regexp.MustCompile(`([\w.]+)=(?:"([^"]*)"|(\S*))`)

// pairs reads NAME=value NAME="another value".
func pairs(args string) (all [][2]string) {
	for _, m := range pair.FindAllStringSubmatch(args, -1) {
		all = append(all, [2]string{m[1], m[2] + m[3]})
	}
	return all
}

// healthcheck reads the options and the command of HEALTHCHECK.
func healthcheck(args string) (*v1.HealthConfig, error) {
	options, command, found := strings.Cut(args, "CMD ")
	if !found {
		return nil, fmt.Errorf("no CMD")
	}
	h := &v1.HealthConfig{Test: []string{"CMD"}}
	var words []string
	if err := json.Unmarshal([]byte(command), &words); err != nil {
		return nil, err
	}
	h.Test = append(h.Test, words...)
	for option := range strings.FieldsSeq(options) {
		name, value, _ := strings.Cut(option, "=")
		var err error
		switch name {
		case "--interval":
			h.Interval, err = time.ParseDuration(value)
		case "--timeout":
			h.Timeout, err = time.ParseDuration(value)
		case "--start-period":
			h.StartPeriod, err = time.ParseDuration(value)
		case "--retries":
			_, err = fmt.Sscan(value, &h.Retries)
		default:
			err = fmt.Errorf("option %s is not understood", name)
		}
		if err != nil {
			return nil, err
		}
	}
	return h, nil
}
