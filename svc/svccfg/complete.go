package svccfg

import (
	"os"
	"path"
	"slices"
	"strings"

	"github.com/linuxzones/zones/svc/manifest"
	"github.com/linuxzones/zones/svc/prop"
	"github.com/linuxzones/zones/svc/repo/door"
)

// Complete offers the words that can stand at the end of a line. keep is what of the line stays
// before any of them; a word that ends in a blank or a slash asks for more.
func (s *Session) Complete(line string) (keep string, words []string) {
	if strings.Count(line, "\"")%2 != 0 { // within quotes anything goes
		return line, nil
	}
	at := strings.LastIndexAny(line, " \t=>(") + 1
	keep, part := line[:at], line[at:]
	before := strings.Fields(strings.NewReplacer("=", " = ", ">", " > ", "(", " ( ").Replace(keep))
	for _, w := range s.offers(before, part) {
		if strings.HasPrefix(w, part) {
			words = append(words, w)
		}
	}
	slices.Sort(words)
	return keep, slices.Compact(words)
}

// offers are all words that can follow those before.
func (s *Session) offers(before []string, part string) []string {
	if len(before) == 0 {
		return commandNames(" ")
	}
	name, rest := before[0], before[1:]
	if len(rest) > 0 && rest[len(rest)-1] == ">" {
		return paths(part)
	}
	switch name {
	case "setnotify", "listnotify", "delnotify":
		return notifyWords(name, rest, part)
	}
	if len(rest) > 0 && len(rest[0]) > 1 && rest[0][0] == '-' && name != "setenv" && name != "unsetenv" {
		rest = rest[1:]
	}
	switch name {
	case "help":
		return commandNames("")
	case "setprop", "addpropvalue":
		return s.assignments(name, rest)
	}
	if len(rest) > 0 && name != "import" {
		return nil
	}
	switch name {
	case "select", "delete", "list", "export":
		return s.entities(part, name)
	case "listpg", "delpg":
		return s.names(true, false)
	case "listprop", "describe", "delprop":
		return s.names(true, true)
	case "delpropvalue":
		return s.names(false, true)
	case "selectsnap", "revert":
		return s.snapshots()
	case "import", "apply", "restore", "inventory", "validate", "repository", "delhash":
		return paths(part)
	case "setenv", "unsetenv":
		return []string{"-s ", "-i ", "-m "}
	case "set":
		return []string{"-v", "-V"}
	}
	return nil
}

func commandNames(behind string) (list []string) {
	for i := range commands {
		list = append(list, commands[i].name+behind)
	}
	return list
}

// assignments are the words of setprop and addpropvalue.
func (s *Session) assignments(name string, rest []string) (list []string) {
	typed := 1
	if name == "setprop" {
		typed = 2
	}
	switch {
	case len(rest) == 0:
		return s.names(false, true)
	case name == "setprop" && len(rest) == 1:
		return []string{"= "}
	case len(rest) == typed:
		for t := prop.Boolean; t.Valid(); t++ {
			list = append(list, t.String()+": ")
		}
	}
	return list
}

// notifyWords are the words of the commands about notifications. Events go on after a comma.
func notifyWords(name string, rest []string, part string) (list []string) {
	global := len(rest) > 0 && rest[0] == "-g"
	if global {
		rest = rest[1:]
	}
	switch {
	case len(rest) > 0 && name == "setnotify":
		return []string{"mailto:", "snmp:active", "snmp:inactive", "syslog:active", "syslog:inactive"}
	case len(rest) > 0:
		return nil
	case !global:
		list = append(list, "-g ")
	}
	before := part[:strings.LastIndexByte(part, ',')+1]
	for _, event := range manifest.EventNames() {
		if !global || !strings.HasPrefix(event, "problem-") {
			list = append(list, before+event)
		}
	}
	return list
}

// entities are what is below the selection, and FMRIs for who has begun one.
func (s *Session) entities(part, command string) (list []string) {
	store, err := s.open()
	if err != nil || s.snapshot != "" {
		return nil
	}
	r, err := store.Scan(door.Query{Levels: door.Services | door.Instances, View: door.Direct, Names: true})
	if err != nil {
		return nil
	}
	for i := range r.Entries {
		e := r.Entries[i].On
		switch {
		case strings.HasPrefix(part, "svc:"):
			if command != "export" || e.Instance == "" {
				list = append(list, e.String())
			}
		case s.at.Service == "" && e.Instance == "", command == "export" && e.Instance == "":
			list = append(list, e.Service)
		case s.at.Instance == "" && e.Service == s.at.Service && e.Instance != "" && command != "export":
			list = append(list, e.Instance)
		}
	}
	return list
}

// names are those of groups and properties of the selection.
func (s *Session) names(groups, properties bool) (list []string) {
	if s.at.Service == "" {
		return nil
	}
	rows, err := s.rows("", true, false)
	if err != nil {
		return nil
	}
	for _, r := range rows {
		if r.prop == nil && groups || r.prop != nil && properties {
			list = append(list, r.name)
		}
	}
	return list
}

func (s *Session) snapshots() []string {
	store, err := s.instance()
	if err != nil {
		return nil
	}
	names, err := store.Snapshots(s.at)
	if err != nil {
		return nil
	}
	return names
}

// pathsMax is how many names of a directory are looked at.
const pathsMax = 4096

// paths are the files and directories with the beginning.
func paths(part string) (list []string) {
	dir, _ := path.Split(part)
	f, err := os.Open(path.Clean(dir)) // of nothing that is the present one
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.ReadDir(pathsMax) // what was read until an error can be offered
	for _, e := range entries {
		name := dir + e.Name()
		if e.IsDir() {
			name += "/"
		}
		list = append(list, name)
	}
	return list
}
