package zonecfg

import (
	"fmt"
	"slices"
	"strings"

	"github.com/linuxzones/zones/configs"
)

// Usage is how the program is called.
const Usage = "usage:\tzonecfg help\n" +
	"\tzonecfg [-R <root>] -z <zone>\t\t\t(interactive)\n" +
	"\tzonecfg [-R <root>] -z <zone> <command>\n" +
	"\tzonecfg [-R <root>] -z <zone> -f <command-file>\n"

// help explains the language.
func (s *Session) help(a args) error {
	if len(a.rest) == 0 {
		if s.scope != nil {
			fmt.Fprint(s.Out, scopeHelp(s.scope.kind))
		} else {
			fmt.Fprint(s.Out, commandsHelp())
		}
		return nil
	}
	for len(a.rest) > 0 {
		subject, err := a.word("a subject")
		if err != nil {
			return err
		}
		switch subject {
		case "usage":
			fmt.Fprint(s.Out, Usage)
		case "commands":
			fmt.Fprint(s.Out, commandsHelp())
		case "syntax":
			fmt.Fprint(s.Out, syntaxHelp()+propertiesHelp())
		default:
			if _, ok := commands[subject]; !ok {
				return fmt.Errorf("Unknown help subject %.40s.  Allowed are commands, syntax, usage, %s", subject, strings.Join(verbs(), ", "))
			}
			fmt.Fprint(s.Out, longUsage(subject))
		}
	}
	return nil
}

// longUsage explains one subcommand.
func longUsage(verb string) string {
	c := commands[verb]
	text := fmt.Sprintf("usage:\n%s\n\t%s\n", c.usage, c.help)
	if slices.Contains([]string{"add", "clear", "info", "remove", "select", "set"}, verb) {
		text += "\n" + propertiesHelp()
	}
	return text
}

func commandsHelp() string {
	var b strings.Builder
	b.WriteString("Commands:\n\n")
	for _, v := range verbs() {
		fmt.Fprintf(&b, "%s\n\t%s\n\n", commands[v].usage, commands[v].help)
	}
	return b.String()
}

func syntaxHelp() string {
	return "<zone> := [A-Za-z0-9][A-Za-z0-9_.-]*\n" +
		"\t(except the reserved words 'global' and anything starting with 'SUNW')\n" +
		"\tName must be less than 64 characters.\n" +
		"<property-value> := <simple> | <complex> | <list>\n" +
		"\t<simple>  := a word, or any text in double quotes; \\\" is a quote, \\\\ a backslash\n" +
		"\t<complex> := ( <name>=<simple> [ , <name>=<simple> ]* )\n" +
		"\t<list>    := [ <value> [ , <value> ]* ]\n" +
		"<net-addr> := <IPv4-address>[/<0-32>] | <IPv6-address>/<0-128>\n" +
		"Commands end with a line or with ';'.  A line that starts with '#' is a comment.\n\n"
}

func propertiesHelp() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<resource-type> := %s\n\n", strings.Join(resourceNames(), " | "))
	b.WriteString("For resource type ... there are property types ...:\n")
	for _, n := range globalNames() {
		fmt.Fprintf(&b, "\t%-16s%s\n", "(global)", n)
	}
	for _, k := range schema {
		fmt.Fprintf(&b, "\t%-16s%s\n", k.name, strings.Join(k.propertyNames(), ", "))
	}
	return b.String()
}

// values says what a property's value looks like, for the help of a resource scope.
var values = map[string]string{
	"fs.dir": "<path in the zone>", "fs.special": "<file-system>", "fs.raw": "<raw device>", "fs.type": "lofs | tmpfs | <file-system type>",
	"fs.options": "<option>", "net.address": "<net-addr>", "net.allowed-address": "<net-addr>[,<net-addr>]*",
	"net.physical": "<interface>", "net.defrouter": "<IP address>", "net.global-nic": "<interface or bridge of the host>",
	"net.mac-addr": "<six hexadecimal bytes>", "net.vlan-id": "<1-4094>", "net.property": "(name=<name>,value=<text>)",
	"device.match": "<path below /dev, with * ? []>", "device.property": "(name=<name>,value=<text>)",
	"rctl.name": "<zone.rctl>", "rctl.value": "(priv=privileged,limit=<number>,action=none | deny)",
	"attr.name": "<name>", "attr.type": strings.Join(configs.AttrTypes, " | "), "attr.value": "<value of the type>",
	"dataset.name": "<dataset>", "admin.user": "<single user or role name>", "admin.auths": strings.Join(configs.Auths, ","),
	"dedicated-cpu.ncpus": "<unsigned integer | range>", "dedicated-cpu.importance": "<unsigned integer>",
	"capped-cpu.ncpus": "<unsigned decimal>", "capped-memory.physical": "<number with K, M, G or T>",
	"capped-memory.swap": "<number with K, M, G or T>", "capped-memory.locked": "<number with K, M, G or T>",
	"security-flags.lower": "<list of flags>", "security-flags.default": "<list of flags>", "security-flags.upper": "<list of flags>",
}

// scopeHelp explains a resource scope.
func scopeHelp(k *resource) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The '%s' resource scope.  Valid commands:\n", k.name)
	for _, p := range k.props {
		form := values[k.name+"."+p.name]
		switch {
		case p.shape != simple:
			fmt.Fprintf(&b, "\tadd %s %s\n\tremove %s %s\n", p.name, form, p.name, form)
		default:
			fmt.Fprintf(&b, "\tset %s=%s\n", p.name, form)
		}
		if p.need == optional {
			fmt.Fprintf(&b, "\tclear %s\n", p.name)
		}
	}
	b.WriteString("And from any resource scope, you can:\n\tend\t(to conclude this operation)\n" +
		"\tcancel\t(to cancel this operation)\n\texit\t(to exit the zonecfg utility)\n")
	return b.String()
}
