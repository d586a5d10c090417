package loadgen

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// command is one --command: what is sent, how often in its turn, and how its keys are chosen.
type command struct {
	name    string
	words   []word
	ratio   int
	pattern byte
}

// word is an argument of a command: before and after a key, the value, or what it says.
type word struct {
	text, after string
	is          byte // k(ey), d(ata) or 0
}

const keyPlace, dataPlace = "__key__", "__data__"

func addCommand(c *config, v string) error {
	args, err := splitWords(v)
	if err != nil || len(args) == 0 {
		return errors.New("failed to parse arbitrary command.")
	}
	cmd := command{name: strings.ToUpper(args[0]), ratio: 1, pattern: 'R'}
	for i, arg := range args {
		w := word{text: arg}
		if before, after, ok := strings.Cut(arg, keyPlace); ok {
			w = word{text: before, after: after, is: 'k'}
		} else if arg == dataPlace {
			w = word{is: 'd'}
		} else if strings.Contains(arg, dataPlace) {
			return errors.New("data placeholder can't combined with other data")
		}
		if w.is != 0 && i == 0 {
			return errors.New("failed to parse arbitrary command.")
		}
		cmd.words = append(cmd.words, w)
	}
	c.commands = append(c.commands, cmd)
	return nil
}

func setCommandRatio(c *config, v string) error {
	if len(c.commands) == 0 {
		return errors.New("no arbitrary command found.")
	}
	last := &c.commands[len(c.commands)-1]
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil || n == 0 {
		return fmt.Errorf("failed to set ratio for command %s.", last.name)
	}
	last.ratio = int(n)
	return nil
}

func setCommandPattern(c *config, v string) error {
	if len(c.commands) == 0 {
		return errors.New("no arbitrary command found.")
	}
	last := &c.commands[len(c.commands)-1]
	if len(v) != 1 || !strings.Contains("SRZGP", v) {
		return fmt.Errorf("key-pattern for command %s must be in the format of [S/R/Z/G/P].", last.name)
	}
	last.pattern = v[0]
	return nil
}

// splitWords splits a command line as redis-cli does: blanks, and quotes with escapes.
func splitWords(line string) (words []string, err error) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " \t\r\n") {
		quote := line[0]
		if quote != '"' && quote != '\'' {
			i := strings.IndexAny(line, " \t\r\n")
			if i < 0 {
				i = len(line)
			}
			words, line = append(words, line[:i]), line[i:]
			continue
		}
		end := 1
		for end < len(line) && line[end] != quote {
			if line[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(line) || end+1 < len(line) && !strings.ContainsRune(" \t\r\n", rune(line[end+1])) {
			return nil, errors.New("unbalanced quotes")
		}
		text := line[1:end]
		if quote == '"' {
			if text, err = strconv.Unquote(`"` + text + `"`); err != nil {
				return nil, err
			}
		} else {
			text = strings.ReplaceAll(text, `\'`, "'")
		}
		words, line = append(words, text), line[end+1:]
	}
	return words, nil
}

// append writes the command for a key. slotKey is the first argument that has the key in it, by which a cluster chooses the shard; nil: none has.
func (cmd *command) append(b, key, value []byte) (out, slotKey []byte) {
	b = append(b, '*')
	b = strconv.AppendInt(b, int64(len(cmd.words)), 10)
	b = append(b, "\r\n"...)
	for i := range cmd.words {
		w := &cmd.words[i]
		n := len(w.text) + len(w.after)
		switch w.is {
		case 'k':
			n += len(key)
		case 'd':
			n = len(value)
		}
		b = append(strconv.AppendInt(append(b, '$'), int64(n), 10), "\r\n"...)
		from := len(b)
		b = append(b, w.text...)
		switch w.is {
		case 'k':
			b = append(b, key...)
		case 'd':
			b = append(b, value...)
		}
		b = append(b, w.after...)
		if w.is == 'k' && slotKey == nil {
			slotKey = b[from:]
		}
		b = append(b, "\r\n"...)
	}
	return b, slotKey
}
