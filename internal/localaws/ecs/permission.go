package ecs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// refusal is why the agent may not do something for a task. The agent acts as a session of the execution role,
// named after the task. "" if it may, and if the role does not exist, which RegisterTaskDefinition has
// made sure is not needed.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html
func (s *Service) refusal(t *task, action, resource string) string {
	role := or(t.definition.ExecutionRoleArn, "")
	if role == "" {
		return ""
	}
	d := s.deps.IAM.Decide(s.acct.ARN("sts", "assumed-role/"+role[strings.LastIndex(role, "/")+1:]+"/"+t.id), action, resource, nil)
	if d.Allowed {
		return ""
	}
	return "AccessDeniedException: " + d.Refusal() + "\n\tstatus code: 400, request id: " + uuid()
}

// streamName is the log stream that a container writes to.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
func (s *Service) streamName(t *task, c *running) string {
	return c.LogConfiguration.Options["awslogs-stream-prefix"] + "/" + c.Name + "/" + t.id
}

// stream is its ARN.
func (s *Service) stream(t *task, c *running) string {
	return s.acct.ARN("logs", "log-group:"+c.LogConfiguration.Options["awslogs-group"]+":log-stream:"+s.streamName(t, c))
}

// parameter is the ARN of a parameter that is given by name or ARN.
func (s *Service) parameter(nameOrARN string) string {
	if strings.HasPrefix(nameOrARN, "arn:") {
		return nameOrARN
	}
	return s.acct.ARN("ssm", "parameter/"+strings.TrimPrefix(nameOrARN, "/"))
}

var ecr = regexp.MustCompile(`^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^:@]+)`)

// PullThrough adds a pull-through cache rule to the registry: images of repositories with the prefix come from upstream. Every pull
// counts as the first one, which creates the repository and imports the image.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html
func (s *Service) PullThrough(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.upstream = append(s.upstream, prefix+"/")
}

func (s *Service) pullsThrough(repository string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.upstream, func(prefix string) bool { return strings.HasPrefix(repository, prefix) })
}

// pull checks the permissions that pulling the image needs; the image itself is not pulled.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_cannot_pull_image.html
func (s *Service) pull(t *task, c *running) error {
	const auth = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
	if r := c.RepositoryCredentials; r != nil {
		if reason := s.refusal(t, "secretsmanager:GetSecretValue", r.CredentialsParameter); reason != "" {
			return fmt.Errorf(auth+"unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret %s from secrets manager: %s", r.CredentialsParameter, reason)
		}
	}
	m := ecr.FindStringSubmatch(c.Image)
	if m == nil {
		return nil
	}
	if reason := s.refusal(t, "ecr:GetAuthorizationToken", "*"); reason != "" {
		return fmt.Errorf(auth+"unable to retrieve ecr registry auth: service call has been retried 1 time(s): %s", reason)
	}
	repository := fmt.Sprintf("arn:aws:ecr:%s:%s:repository/%s", m[2], m[1], m[3])
	actions := []string{"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
	if s.pullsThrough(m[3]) {
		actions = append(actions, "ecr:CreateRepository", "ecr:BatchImportUpstreamImage")
	}
	for _, action := range actions {
		if reason := s.refusal(t, action, repository); reason != "" {
			return fmt.Errorf("CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref %s: %s", c.Image, reason)
		}
	}
	return nil
}
