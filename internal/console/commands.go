package console

import "fmt"

// AWS is a command of the AWS CLI for a person to run, with the stack's Region: the person's own default may be another one. Messages write such
// commands, and those of `go tool mage`, in backquotes or on a line of their own that starts with blanks: in the embedded AWS they are made to act
// on it alone.
func AWS(region, command string, args ...any) string {
	return fmt.Sprintf(command, args...) + " --region " + region
}
