package image

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// This file makes the files of /etc whose contents depend on the zone, or on a part of
// the host's file.

// unnamedHost is used when the caller gives no name.
const unnamedHost = "localhost"

func (s *sparse) name() string {
	if s.hostname == "" {
		return unnamedHost
	}
	return s.hostname
}

func (s *sparse) hostnameFile() ([]byte, error) {
	if strings.ContainsFunc(s.name(), func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return nil, fmt.Errorf("%w: %s", ErrName, quote(s.name()))
	}
	return []byte(s.name() + "\n"), nil
}

func (s *sparse) hostsFile() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("127.0.0.1\tlocalhost\n")
	if s.name() != unnamedHost {
		fmt.Fprintf(&b, "127.0.1.1\t%s\n", s.name())
	}
	b.WriteString("::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n")
	return b.Bytes(), nil
}

// resolvConf takes the contents of the host's file, which is often a link into /run. A
// resolver on the host's loopback is out of the zone's reach, so that the servers behind
// it are taken where systemd-resolved writes them down.
func (s *sparse) resolvConf() ([]byte, error) {
	conf, err := s.readHost("etc/resolv.conf")
	if err != nil {
		return nil, err
	}
	if !onlyLoopback(conf) {
		return conf, nil
	}
	behind, err := s.readHost("run/systemd/resolve/resolv.conf")
	if err != nil || behind == nil {
		return conf, err
	}
	return behind, nil
}

func onlyLoopback(resolvConf []byte) bool {
	found := false
	for line := range strings.Lines(string(resolvConf)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != "nameserver" {
			continue
		}
		if !strings.HasPrefix(f[1], "127.") && f[1] != "::1" {
			return false
		}
		found = true
	}
	return found
}

// nsswitchDefault is for hosts without the file.
const nsswitchDefault = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"

// nsswitchConf keeps the host's databases, with sources that work without its daemons.
func (s *sparse) nsswitchConf() ([]byte, error) {
	conf, err := s.readHost("etc/nsswitch.conf")
	if err != nil {
		return nil, err
	}
	if conf == nil {
		return []byte(nsswitchDefault), nil
	}
	var b bytes.Buffer
	for line := range strings.Lines(string(conf)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		if db, sources, ok := strings.Cut(line, ":"); ok {
			fmt.Fprintf(&b, "%s: %s\n", strings.TrimSpace(db), strings.Join(keptSources(sources), " "))
		}
	}
	return b.Bytes(), nil
}

// keptSources drops a source together with the [action] behind it.
func keptSources(sources string) []string {
	var kept []string
	last := false
	inAction := false
	for _, f := range strings.Fields(sources) {
		if inAction || strings.HasPrefix(f, "[") {
			inAction = !strings.HasSuffix(f, "]")
			if last {
				kept = append(kept, f)
			}
			continue
		}
		if last = slices.Contains(nsswitchKept, f) && !slices.Contains(kept, f); last {
			kept = append(kept, f)
		}
	}
	if len(kept) == 0 {
		return []string{"files"}
	}
	return kept
}

// environment keeps the variables that are known to be harmless.
func (s *sparse) environment() ([]byte, error) {
	conf, err := s.readHost("etc/environment")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for line := range strings.Lines(string(conf)) {
		line = strings.TrimSpace(line)
		name, _, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if ok && slices.ContainsFunc(environmentKept, func(p string) bool {
			fits, _ := path.Match(p, strings.TrimSpace(name))
			return fits
		}) {
			b.WriteString(line + "\n")
		}
	}
	return b.Bytes(), nil
}
