package svccfg

import (
	"os"
)

func (s *Session) end(*args) error {
	s.done = true
	return nil
}

// set shows or sets options.
func (s *Session) set(a *args) error {
	if len(a.words) == 0 {
		if s.verbose {
			s.print("verbose\n")
		} else {
			s.print("noverbose\n")
		}
		return nil
	}
	verbose := s.verbose
	for _, word := range a.words {
		if len(word) < 2 || word[0] != '-' {
			return errSyntax
		}
		for i := 1; i < len(word); i++ {
			switch word[i] {
			case 'v':
				verbose = true
			case 'V':
				verbose = false
			default:
				return problem("Unknown option \"" + word[i:i+1] + "\".")
			}
		}
	}
	s.verbose = verbose
	return nil
}

// repository takes another repository, a file. -f: one that is not there is made.
func (s *Session) repository(a *args) error {
	path := a.word(0)
	if !a.option {
		f, err := os.Open(path)
		if err != nil {
			return problem("Cannot access \"" + path + "\": " + reason(err))
		}
		_ = f.Close() // it was read by nobody
	}
	s.close()
	s.file = path
	s.at.Service, s.at.Instance, s.snapshot = "", "", ""
	_, err := s.open()
	return err
}

func (s *Session) help(a *args) error {
	if name := a.word(0); name != "" {
		text, ok := helps[name]
		if !ok {
			return errSyntax
		}
		s.print(text)
		return nil
	}
	kind := ""
	for i := range commands {
		c := &commands[i]
		if c.kind != kind {
			if kind != "" {
				s.print("\n")
			}
			kind = c.kind
			s.print((kind + ":                         ")[:25])
		}
		s.print(" " + c.name)
	}
	s.print("\n")
	return nil
}

// helps is what help says of each command.
var helps = map[string]string{
	"help":         "help [command]\n\nShow all commands, or what one takes and does.\n",
	"set":          "set [-vV]\n\nShow the options, or set them: -v says more, -V no longer.\n",
	"repository":   "repository [-f] file\n\nWork on a repository that nobody serves. With -f it is made when it is missing.\n",
	"end":          "end\n\nLeave.\n",
	"exit":         "exit\n\nLeave.\n",
	"quit":         "quit\n\nLeave.\n",
	"inventory":    "inventory file\n\nShow which services and instances a manifest has.\n",
	"validate":     "validate [file | fmri]\n\nCheck a manifest, or an instance against its templates. Nothing is changed.\n",
	"import":       "import [-V] [-p file] path...\n\nImport manifests. With -V, what breaks a template is an error.\n",
	"cleanup":      "cleanup [-a]\n\nTake away what only files describe that are gone.\n",
	"export":       "export [-a] {service | pattern} [> file]\n\nWrite a manifest of a service. With -a, also values that are protected.\n",
	"archive":      "archive [-a] [> file]\n\nWrite an archive of all services. With -a, also values that are protected.\n",
	"restore":      "restore file\n\nTake over what an archive has.\n",
	"delhash":      "delhash [-d] manifest\n\nForget that a manifest was imported. With -d, it need not be there.\n",
	"apply":        "apply [-n] file\n\nApply a profile. With -n, show what would be done.\n",
	"extract":      "extract [> file]\n\nWrite a profile of which instances are enabled.\n",
	"list":         "list [glob_pattern]\n\nShow what is below the selection.\n",
	"select":       "select {name | fmri | pattern}\n\nSelect something below the selection, or anything.\n",
	"unselect":     "unselect\n\nSelect what is above the selection.\n",
	"add":          "add name\n\nMake a service, or an instance of the one that is selected.\n",
	"delete":       "delete [-f] {name | fmri | pattern}\n\nDelete a service or an instance. With -f, also one that runs.\n",
	"describe":     "describe [-v] [-t] [propertygroup/property]\n\nShow properties with what templates say of them; -v: all of it; -t: that alone.\n",
	"listsnap":     "listsnap\n\nShow the snapshots of the instance.\n",
	"selectsnap":   "selectsnap [snapshot]\n\nLook at a snapshot of the instance, or no longer at one.\n",
	"revert":       "revert [snapshot]\n\nMake the configuration what a snapshot holds, but for whether it is enabled.\n",
	"refresh":      "refresh\n\nMake the present configuration of the instance the one that it runs with.\n",
	"setnotify":    "setnotify [-g] event[,event...] uri...\n\nSet who is told of events, by mailto:address[?header=value[&...]], or mailto:, snmp:, syslog: with active\nor inactive. Events are to-STATE, from-STATE, STATE for both, or all; or classes of problems. With -g, of all\ninstances that have none of their own.\n",
	"listnotify":   "listnotify [-g] [event[,event...]]\n\nShow who is told of events, all transitions if none are named. With -g, what is set for all instances.\n",
	"delnotify":    "delnotify [-g] event[,event...]\n\nTake away what setnotify has set.\n",
	"listpg":       "listpg [glob_pattern]\n\nShow the property groups of the selection.\n",
	"addpg":        "addpg name type [P]\n\nMake a property group; P: it ends with the boot.\n",
	"delpg":        "delpg name\n\nDelete a property group.\n",
	"listprop":     "listprop [glob_pattern]\n\nShow property groups and properties of the selection.\n",
	"setprop":      "setprop pg/name = [type:] value\nsetprop pg/name = [type:] ([value...])\n\nSet a property. Values may be in double quotes, and lists go over several lines.\n",
	"delprop":      "delprop pg[/name]\n\nDelete a property, or a whole group.\n",
	"editprop":     "editprop\n\nEdit the properties of the selection with $EDITOR.\n",
	"addpropvalue": "addpropvalue pg/name [type:] value\n\nAdd a value to a property, which is made when it is missing.\n",
	"delpropvalue": "delpropvalue pg/name glob_pattern\n\nTake away the values that match.\n",
	"setenv":       "setenv [-s | -i | -m method] NAME value\n\nSet a variable of the environment of a method, the instance (-i), or the service (-s).\n",
	"unsetenv":     "unsetenv [-s | -i | -m method] NAME\n\nTake a variable away again.\n",
}
