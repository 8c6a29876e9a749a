package zonename

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestValid(t *testing.T) {
	for name, want := range map[string]bool{
		"web": true, "w": true, "0": true, "Web-1.example_x": true, strings.Repeat("x", 63): true,
		"": false, "-web": false, ".web": false, "_w": false, "a b": false, "a/b": false, "a\n": false, "é": false, "a\x1b": false, strings.Repeat("x", 64): false,
	} {
		if got := Valid(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func TestFromFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zonename")
	if name, ok := fromFile(path); ok {
		t.Errorf("no file: %q", name)
	}
	for text, want := range map[string]string{
		"web\n": "web", "web": "", "": "", "\n": "", "web\nx\n": "", "\x1b[2J\n": "", strings.Repeat("x", 64) + "\n": "", strings.Repeat("x", 100): "",
		strings.Repeat("x", 63) + "\n": strings.Repeat("x", 63),
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if name, ok := fromFile(path); ok != (want != "") || ok && name != want {
			t.Errorf("%q: %q, %v", text, name, ok)
		}
	}
}

func TestAtBoot(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for env, want := range map[string]string{"web": "web", "": host, "no name": host} {
		t.Setenv(Env, env)
		if got, err := AtBoot(); err != nil || got != want {
			t.Errorf("%q: %q, %v", env, got, err)
		}
	}
}
