package zonecfg

import (
	"fmt"
	"slices"
	"strings"

	"github.com/linuxzones/zones/configs/zonecfg/lang"
)

// where says in which scope a command makes sense.
type where uint8

const (
	anywhere where = iota
	inGlobal
	inResource
)

// command is a subcommand.
type command struct {
	usage string
	help  string
	scope where
	// writes: not in read-only mode.
	writes bool
	// options are those of one letter; a colon says that a word follows.
	options string
	run     func(s *Session, a args) error
}

// commands is filled by init, because help runs through it.
var commands map[string]command

func init() {
	commands = map[string]command{
		"add": {usage: "add <resource-type>\n\t(global scope)\nadd <property-name> <property-value>\n\t(resource scope)",
			help: "Begins a new resource, or adds a value to a property that is a list.", writes: true, run: (*Session).add},
		"cancel": {usage: "cancel", help: "Leaves the resource scope and forgets what was changed in it.",
			scope: inResource, run: (*Session).cancel},
		"clear": {usage: "clear <property-name>", help: "Takes the value of a property away.", writes: true, run: (*Session).clear},
		"commit": {usage: "commit", help: "Verifies the configuration and writes it to the disk. Leaving zonecfg does it, too.",
			writes: true, run: (*Session).runCommit},
		"create": {usage: "create [-F] [ -a <path> | -b | -t <template> ]",
			help: "Begins a new configuration: from SUNWdefault, with -t from another template or zone, with -b from\n" +
				"\tSUNWblank, with -a from a detached zone. -F overwrites an existing configuration without asking.",
			scope: inGlobal, writes: true, options: "Fba:t:", run: (*Session).create},
		"delete": {usage: "delete [-F]", help: "Removes the configuration, at once and from the disk. -F does not ask.",
			scope: inGlobal, writes: true, options: "F", run: (*Session).delete},
		"end": {usage: "end", help: "Checks the resource and leaves its scope.", scope: inResource, writes: true, run: (*Session).end},
		"exit": {usage: "exit [-F]", help: "Leaves zonecfg after a commit. -F does not ask when a resource is incomplete.",
			options: "F", run: (*Session).exit},
		"export": {usage: "export [-f output-file]", help: "Prints the configuration as commands that make it again.",
			scope: inGlobal, options: "f:", run: (*Session).export},
		"help": {usage: "help [commands] [syntax] [usage] [<command-name>]", help: "Explains.", run: (*Session).help},
		"info": {usage: "info [<resource-type> [property-name=property-value]*]",
			help: "Shows the configuration, a property, or the resources that match. Values may hold the wildcards * ? [].",
			run:  (*Session).info},
		"remove": {usage: "remove [-F] <resource-type> [ <property-name>=<property-value> ]*\n\t(global scope)\n" +
			"remove <property-name> <property-value>\n\t(resource scope)",
			help:   "Removes the resources that match, or a value from a list. -F does not ask when several match.",
			writes: true, options: "F", run: (*Session).remove},
		"revert": {usage: "revert [-F]", help: "Returns to what is on the disk. -F does not ask.",
			writes: true, options: "F", run: (*Session).revert},
		"select": {usage: "select <resource-type> { <property-name>=<property-value> }",
			help: "Edits the one resource that matches.", scope: inGlobal, writes: true, run: (*Session).selectResource},
		"set": {usage: "set <property-name>=<property-value>", help: "Gives a property a value.",
			writes: true, options: "F", run: (*Session).set},
		"verify": {usage: "verify", help: "Checks the configuration.", run: (*Session).verify},
	}
}

// verbs lists the subcommands.
func verbs() []string {
	names := make([]string, 0, len(commands))
	for n := range commands {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// args are a command's options and what follows them.
type args struct {
	verb  string
	flags map[byte]string
	rest  []lang.Item
	help  bool
}

func (a args) has(flag byte) bool {
	_, ok := a.flags[flag]
	return ok
}

// bad makes a usage error.
func (a args) bad(format string, v ...any) error {
	return incomplete{a.verb, a.verb + ": " + fmt.Sprintf(format, v...)}
}

// none refuses words behind the options.
func (a args) none() error {
	if len(a.rest) > 0 {
		return a.bad("unexpected '%.40s'", itemText(a.rest[0]))
	}
	return nil
}

func itemText(i lang.Item) string {
	if i.Name != "" {
		return i.Name + "=" + i.Value.String()
	}
	return i.Value.String()
}

// parseArgs takes the options from the front of a command, as getopt would.
func parseArgs(verb string, c *lang.Command, options string) (args, error) {
	a := args{verb: verb, flags: map[byte]string{}, rest: c.Items}
	for len(a.rest) > 0 && a.rest[0].Option() {
		word := a.rest[0].Value.Text
		a.rest = a.rest[1:]
		for i := 1; i < len(word); i++ {
			at := strings.IndexByte(options, word[i])
			switch {
			case word[i] == '?':
				a.help = true
				return a, nil
			case word[i] == ':' || at < 0:
				return a, a.bad("unknown option '-%c'", word[i])
			case !strings.HasPrefix(options[at+1:], ":"):
				a.flags[word[i]] = ""
				continue
			}
			value := word[i+1:]
			if value == "" {
				if len(a.rest) == 0 || a.rest[0].Name != "" || a.rest[0].Value.Kind != lang.Simple || a.rest[0].Value.Text == "" {
					return a, a.bad("option '-%c' wants a word", word[i])
				}
				value = a.rest[0].Value.Text
				a.rest = a.rest[1:]
			}
			a.flags[word[i]] = value
			break
		}
	}
	return a, nil
}

// word takes the first item, which must be a simple word.
func (a *args) word(want string) (string, error) {
	if len(a.rest) == 0 {
		return "", a.bad("want %s", want)
	}
	i := a.rest[0]
	if i.Name != "" || i.Value.Kind != lang.Simple {
		return "", a.bad("want %s, found '%.40s'", want, itemText(i))
	}
	a.rest = a.rest[1:]
	return i.Value.Text, nil
}

// conditions takes the rest as name=value pairs for a resource.
func (a *args) conditions(k *resource) ([]condition, error) {
	var out []condition
	for _, i := range a.rest {
		if i.Name == "" {
			return nil, a.bad("want <property-name>=<property-value>, found '%.40s'", itemText(i))
		}
		p := k.property(i.Name)
		if p == nil || p.shape != simple {
			return nil, noProperty(k, i.Name)
		}
		if i.Value.Kind != lang.Simple {
			return nil, fmt.Errorf("%s: A simple value was expected here.", i.Name)
		}
		out = append(out, condition{i.Name, i.Value.Text})
	}
	a.rest = nil
	return out, nil
}

func noProperty(k *resource, name string) error {
	return fmt.Errorf("%.40s: No such property type, %s has %s", name, k.name, strings.Join(k.propertyNames(), ", "))
}

func noGlobal(name string) error {
	if k := resourceOf(name); k != "" {
		return fmt.Errorf("%.40s: Cannot set a resource-specific property from the global scope, it belongs to %s", name, k)
	}
	return fmt.Errorf("%.40s: No such property type, allowed are %s", name, strings.Join(globalNames(), ", "))
}

// resourceOf names the resources that have a property.
func resourceOf(name string) string {
	var in []string
	for _, k := range schema {
		if k.property(name) != nil {
			in = append(in, k.name)
		}
	}
	return strings.Join(in, ", ")
}

func noResource(name string) error {
	return fmt.Errorf("%.40s: No such resource type, allowed are %s", name, strings.Join(resourceNames(), ", "))
}
