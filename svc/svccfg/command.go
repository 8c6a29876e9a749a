package svccfg

import (
	"strings"

	"github.com/linuxzones/zones/svc/svccfg/lang"
)

// command is one of svccfg's.
type command struct {
	name string
	kind string // for help
	// shape is what follows the name:
	//
	//	-x  that option, or nothing     w   a word      w?  a word, or nothing
	//	>   "> file", or nothing        w*  words       v   whatever follows
	shape string
	run   func(s *Session, a *args) error
}

// commands is filled by init, since help runs through it.
var commands []command

func init() {
	commands = []command{
		{"help", "General commands", "w?", (*Session).help},
		{"set", "General commands", "w*", (*Session).set},
		{"repository", "General commands", "-f w", (*Session).repository},
		{"end", "General commands", "", (*Session).end},
		{"exit", "General commands", "", (*Session).end},
		{"quit", "General commands", "", (*Session).end},

		{"inventory", "Manifest commands", "w", (*Session).inventory},
		{"validate", "Manifest commands", "w?", (*Session).validate},
		{"import", "Manifest commands", "w*", (*Session).importFiles},
		{"cleanup", "Manifest commands", "-a", (*Session).cleanup},
		{"export", "Manifest commands", "-a w >", (*Session).export},
		{"archive", "Manifest commands", "-a >", (*Session).archive},
		{"restore", "Manifest commands", "w", (*Session).restore},
		{"delhash", "Manifest commands", "-d w", (*Session).delhash},
		{"apply", "Profile commands", "-n w", (*Session).apply},
		{"extract", "Profile commands", ">", (*Session).extract},

		{"list", "Entity commands", "w?", (*Session).list},
		{"select", "Entity commands", "w", (*Session).selectCommand},
		{"unselect", "Entity commands", "", (*Session).unselect},
		{"add", "Entity commands", "w", (*Session).add},
		{"delete", "Entity commands", "-f w", (*Session).delete},
		{"describe", "Entity commands", "w*", (*Session).describe},

		{"listsnap", "Snapshot commands", "", (*Session).listsnap},
		{"selectsnap", "Snapshot commands", "w?", (*Session).selectsnap},
		{"revert", "Snapshot commands", "w?", (*Session).revert},
		{"refresh", "Instance commands", "", (*Session).refresh},

		{"setnotify", "Notification commands", "-g w w w*", (*Session).setnotify},
		{"listnotify", "Notification commands", "-g w?", (*Session).listnotify},
		{"delnotify", "Notification commands", "-g w", (*Session).delnotify},

		{"listpg", "Property group commands", "w?", (*Session).listpg},
		{"addpg", "Property group commands", "w w w?", (*Session).addpg},
		{"delpg", "Property group commands", "w", (*Session).delpg},
		{"listprop", "Property commands", "w?", (*Session).listprop},
		{"setprop", "Property commands", "w v", (*Session).setprop},
		{"delprop", "Property commands", "w", (*Session).delprop},
		{"editprop", "Property commands", "", (*Session).editprop},
		{"addpropvalue", "Property value commands", "w v", (*Session).addpropvalue},
		{"delpropvalue", "Property value commands", "w w", (*Session).delpropvalue},
		{"setenv", "Property value commands", "w*", (*Session).setenv},
		{"unsetenv", "Property value commands", "w*", (*Session).unsetenv},
	}
}

func find(name string) *command {
	for i := range commands {
		if commands[i].name == name {
			return &commands[i]
		}
	}
	return nil
}

// args is what follows a command's name.
type args struct {
	option bool     // the one that the shape has
	words  []string // of all w
	to     string   // the file of >
	values []lang.Token
}

// word is the one at a place; empty when it was left out.
func (a *args) word(i int) string {
	if i < len(a.words) {
		return a.words[i]
	}
	return ""
}

// resolve finds the command that a text names, and its arguments.
func resolve(c *lang.Command) (*command, *args, error) {
	name := c.Name()
	if name == "" {
		return nil, nil, errSyntax
	}
	cmd := find(name)
	if cmd == nil {
		return nil, nil, problem("Unknown command \"" + name + "\".")
	}
	a, ok := cmd.parse(c.Tokens[1:])
	if !ok {
		return nil, nil, errSyntax
	}
	return cmd, a, nil
}

func isWord(tokens []lang.Token) bool {
	return len(tokens) > 0 && (tokens[0].Kind == lang.Word || tokens[0].Kind == lang.String)
}

// parse holds arguments against the shape.
func (c *command) parse(tokens []lang.Token) (*args, bool) {
	a := &args{}
	for part := range strings.FieldsSeq(c.shape) {
		switch {
		case part[0] == '-':
			if isWord(tokens) && tokens[0].Text == part && tokens[0].Kind == lang.Word {
				a.option, tokens = true, tokens[1:]
			}
		case part == ">":
			if len(tokens) == 0 {
				continue
			}
			if tokens[0].Kind != lang.Redirect || !isWord(tokens[1:]) {
				return nil, false
			}
			a.to, tokens = tokens[1].Text, tokens[2:]
		case part == "v":
			a.values, tokens = tokens, nil
		case part == "w*":
			for isWord(tokens) {
				a.words, tokens = append(a.words, tokens[0].Text), tokens[1:]
			}
		case isWord(tokens):
			a.words, tokens = append(a.words, tokens[0].Text), tokens[1:]
		case part == "w":
			return nil, false
		}
	}
	return a, len(tokens) == 0
}
