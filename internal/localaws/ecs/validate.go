package ecs

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fargate is CPU units -> lowest and highest memory and its step, in MiB.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
var fargate = map[int][3]int{
	512: {1024, 4096, 1024}, 1024: {2048, 8192, 1024}, 2048: {4096, 16384, 1024}, 4096: {8192, 30720, 1024},
	8192: {16384, 61440, 4096}, 16384: {32768, 122880, 8192},
}

func fits(cpu, memory int) bool {
	switch cpu {
	case 256:
		return memory == 512 || memory == 1024 || memory == 2048
	case 32768:
		return memory == 61440 || memory == 122880 || memory == 249856
	}
	m, ok := fargate[cpu]
	return ok && memory >= m[0] && memory <= m[1] && (memory-m[0])%m[2] == 0
}

var size = regexp.MustCompile(`^\s*(\d+(?:\.\d+)?)\s*(vcpu|gb)?\s*$`)

// units reads "1024", "1 vCPU" and "2 GB" as CPU units or MiB, as a Describe shows them; "" if it is neither.
func units(v string) string {
	m := size.FindStringSubmatch(strings.ToLower(v))
	if m == nil {
		return ""
	}
	n, _ := strconv.ParseFloat(m[1], 64) // the pattern is a number
	if m[2] != "" {
		n *= 1024
	}
	return strconv.Itoa(int(n))
}

// number of what units gave.
func number(v string) int {
	n, _ := strconv.Atoi(v) // units wrote it
	return n
}

// image is [registry[:port]/]path[:tag][@digest]: https://pkg.go.dev/github.com/distribution/reference
var image = regexp.MustCompile(`^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::\w[\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`)

var role = regexp.MustCompile(`^arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]+$`)

// check checks a task definition by Fargate's rules, with AWS's error messages where they are known.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html
func (in *registerIn) check() error {
	if raw, err := json.Marshal(in.ContainerDefinitions); err != nil || len(raw) > 65536 {
		return client("Actual length: '%d'. Max allowed length is '65536' bytes.", len(raw))
	}
	if !nameForm.MatchString(in.Family) {
		return client("Family contains invalid characters: %q must have 1 to 255 letters, digits, hyphens and underscores", in.Family)
	}
	if !slices.Contains(in.RequiresCompatibilities, "FARGATE") {
		return invalid("localaws serves task definitions that require FARGATE only")
	}
	if or(in.NetworkMode, "") != "awsvpc" {
		return client("Fargate only supports network mode ‘awsvpc’.")
	}
	if in.Cpu == nil || in.Memory == nil {
		return client("Fargate requires that 'cpu' and 'memory' be defined at the task level.")
	}
	cpu, memory := number(units(*in.Cpu)), number(units(*in.Memory))
	if !fits(cpu, memory) {
		return client("No Fargate configuration exists for given values: %s CPU, %s memory. See the Amazon ECS documentation for the valid values.", *in.Cpu, *in.Memory)
	}
	for _, arn := range []*string{in.TaskRoleArn, in.ExecutionRoleArn} {
		if arn != nil && !role.MatchString(*arn) {
			return client("Role is not valid: %s", *arn)
		}
	}
	if p := in.RuntimePlatform; p != nil {
		if or(p.OperatingSystemFamily, "LINUX") != "LINUX" {
			return invalid("localaws does not serve operatingSystemFamily %s", *p.OperatingSystemFamily)
		}
		if !slices.Contains([]string{"X86_64", "ARM64"}, or(p.CpuArchitecture, "X86_64")) {
			return client("cpuArchitecture %s must be X86_64 or ARM64", *p.CpuArchitecture)
		}
	}
	if e := in.EphemeralStorage; e != nil && (e.SizeInGiB < 21 || e.SizeInGiB > 200) {
		return client("The specified ephemeral storage size %d must be between 21 and 200 GiB.", e.SizeInGiB)
	}
	if or(in.EnableFaultInjection, false) {
		return unserved("enableFaultInjection", 1)
	}
	for what, n := range map[string]int{"volumes": len(in.Volumes), "placementConstraints": len(in.PlacementConstraints), "inferenceAccelerators": len(in.InferenceAccelerators)} {
		if err := unserved(what, n); err != nil {
			return err
		}
	}
	return in.checkContainers(cpu, memory)
}

func (in *registerIn) checkContainers(cpu, memory int) error {
	if n := len(in.ContainerDefinitions); n < 1 || n > 10 {
		return client("A task definition must have 1 to 10 containers, not %d.", n)
	}
	names, essential := map[string]bool{}, false
	for i := range in.ContainerDefinitions {
		c := &in.ContainerDefinitions[i]
		if err := c.check(in.ExecutionRoleArn != nil, memory); err != nil {
			return err
		}
		if names[c.Name] {
			return client("Container names must be unique: %s", c.Name)
		}
		names[c.Name] = true
		essential = essential || or(c.Essential, true)
		if cpu -= c.Cpu; cpu < 0 {
			return client("Invalid 'cpu' setting for container '%s': the containers' sum is greater than the task's cpu.", c.Name)
		}
	}
	if !essential {
		return client("A task definition must have at least one essential container.")
	}
	return nil
}

var ulimits = []string{"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"}

func (c *container) check(execution bool, memory int) error {
	wrong := func(format string, args ...any) error {
		return client("Invalid setting for container '%s'. %s", c.Name, fmt.Sprintf(format, args...))
	}
	if !nameForm.MatchString(c.Name) {
		return client("Container.name contains invalid characters.")
	}
	if c.Image == "" {
		return client("Container.image should not be null or empty.")
	}
	if !image.MatchString(c.Image) {
		return client("Container.image contains invalid characters.")
	}
	for what, m := range map[string]*int{"memory": c.Memory, "memoryReservation": c.MemoryReservation} {
		if m != nil && (*m < 6 || *m > memory) {
			return wrong("'%s' must be between 6 MiB and the task's %d MiB.", what, memory)
		}
	}
	if c.Memory != nil && c.MemoryReservation != nil && *c.Memory < *c.MemoryReservation {
		return wrong("'memory' must not be less than 'memoryReservation'.")
	}
	for what, t := range map[string]*int{"stopTimeout": c.StopTimeout, "startTimeout": c.StartTimeout} {
		if t != nil && (*t < 2 || *t > 120) { // API_ContainerDefinition: "The max value is 120 seconds"
			return wrong("The %s on Fargate must be between 2 and 120 seconds.", what)
		}
	}
	if c.HealthCheck != nil {
		if reason := c.HealthCheck.wrong(); reason != "" {
			return wrong("%s", reason)
		}
	}
	for _, p := range c.PortMappings {
		switch {
		case p.ContainerPort == nil || *p.ContainerPort < 1 || *p.ContainerPort > 65535:
			return wrong("containerPort must be between 1 and 65535.")
		case p.HostPort != nil && *p.HostPort != *p.ContainerPort:
			return client("When networkMode=awsvpc, the host ports and container ports in port mappings must match.")
		}
	}
	for _, u := range c.Ulimits {
		if !slices.Contains(ulimits, u.Name) || u.SoftLimit > u.HardLimit {
			return wrong("The ulimit %s with soft limit %d and hard limit %d is not valid.", u.Name, u.SoftLimit, u.HardLimit)
		}
	}
	for what, n := range map[string]int{"mountPoints": len(c.MountPoints), "volumesFrom": len(c.VolumesFrom), "systemControls": len(c.SystemControls)} {
		if err := unserved(what, n); err != nil {
			return err
		}
	}
	variables := map[string]bool{}
	for _, e := range c.Environment {
		variables[e.Name] = true
	}
	for _, x := range c.Secrets {
		if variables[x.Name] {
			return client("The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '%s'.", x.Name)
		}
		variables[x.Name] = true
		if strings.HasPrefix(x.ValueFrom, "arn:") && !strings.Contains(x.ValueFrom, ":ssm:") {
			return invalid("localaws serves secrets from SSM parameters only, not %s", x.ValueFrom)
		}
	}
	if len(c.Secrets) > 0 && !execution {
		return client("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
	}
	if c.RepositoryCredentials != nil && !execution {
		return client("When you are specifying repositoryCredentials, you must also specify a value for 'executionRoleArn'.")
	}
	return c.checkLog(execution)
}

// awslogs lists the options that are served, and whether Fargate requires them.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LogConfiguration.html
var awslogs = map[string]bool{"awslogs-group": true, "awslogs-region": true, "awslogs-stream-prefix": true, "awslogs-create-group": false, "mode": false, "max-buffer-size": false}

var bufferSize = regexp.MustCompile(`^[1-9]\d*[kmg]?$`)

func (c *container) checkLog(execution bool) error {
	l := c.LogConfiguration
	if l == nil {
		return nil
	}
	if l.LogDriver != "awslogs" {
		return invalid("localaws serves the log driver awslogs only, not %s", l.LogDriver)
	}
	if !execution {
		return client("Fargate requires task definition to have execution role ARN to support log driver awslogs.")
	}
	for name := range l.Options {
		if _, ok := awslogs[name]; !ok {
			return invalid("localaws does not serve the awslogs option %s", name)
		}
	}
	for name, required := range awslogs {
		if required && l.Options[name] == "" {
			return client("Log driver awslogs requires options: %s", name)
		}
	}
	if l.Options["awslogs-create-group"] == "true" {
		return unserved("awslogs-create-group", 1)
	}
	if mode, ok := l.Options["mode"]; ok && mode != "blocking" && mode != "non-blocking" {
		return client("Log driver option mode must be blocking or non-blocking, not %q.", mode)
	}
	if buffer, ok := l.Options["max-buffer-size"]; ok && !bufferSize.MatchString(strings.ToLower(buffer)) {
		return client("Log driver option max-buffer-size %q must be a number with k, m or g.", buffer)
	}
	return nil
}
