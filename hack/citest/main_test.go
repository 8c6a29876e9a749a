package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inModule writes a module of one package and makes it the working directory.
func inModule(t *testing.T, test string) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"go.mod": "module planted\n\ngo 1.26\n", "planted_test.go": test}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

func goStage() stage {
	return stage{name: "go", command: []string{"go", "test", "-json", "./..."}, read: readEvents}
}

// TestGoStage holds citest against the real go command, not against recorded output.
func TestGoStage(t *testing.T) {
	const head = "package planted\nimport (\"os\"; \"testing\"; \"fmt\")\nvar _ = os.Exit\nvar _ = fmt.Sprint\n"
	tests := []struct {
		name, source string
		strict       bool
		last         string
		status       int
		shows        []string
	}{
		{"pass", head + `func TestA(t *testing.T) {}`, true, "1 passed, 0 failed, 0 skipped", 0, []string{"ok  \tplanted", "PASS"}},
		{"subtests are leaves", head + `func TestA(t *testing.T) { t.Run("x", func(*testing.T){}); t.Run("y", func(*testing.T){}) }`,
			true, "2 passed, 0 failed, 0 skipped", 0, nil},
		{"fail", head + `func TestA(t *testing.T) { t.Fatal("planted fault") }; func TestB(t *testing.T) { t.Log("quiet") }`,
			false, "1 passed, 1 failed, 0 skipped", 1, []string{"--- FAIL: planted.TestA", "planted fault", "failed: planted.TestA"}},
		{"parent fails by itself", head + `func TestA(t *testing.T) { t.Run("x", func(*testing.T){}); t.Fatal("own fault") }`,
			false, "1 passed, 1 failed, 0 skipped", 1, []string{"own fault"}},
		{"subtest fails", head + `func TestA(t *testing.T) { t.Run("x", func(t *testing.T){ t.Fatal("deep fault") }) }`,
			false, "0 passed, 1 failed, 0 skipped", 1, []string{"planted.TestA/x", "deep fault"}},
		{"skip by hand", head + `func TestA(t *testing.T) { t.Skip("no kernel") }; func TestB(*testing.T) {}`,
			false, "1 passed, 0 failed, 1 skipped", 0, []string{"--- SKIP: planted.TestA", "no kernel"}},
		{"skip in CI", head + `func TestA(t *testing.T) { t.Skip("no kernel") }; func TestB(*testing.T) {}`,
			true, "1 passed, 0 failed, 1 skipped", 1, []string{"a skipped test is a failure in CI"}},
		{"panic", head + `func TestA(t *testing.T) { panic("planted panic") }`,
			false, "0 passed, 1 failed, 0 skipped", 1, []string{"planted panic"}},
		{"no build", head + `func TestA(t *testing.T) { undefined() }`,
			false, "0 passed, 1 failed, 0 skipped", 1, []string{"does not build", "undefined: undefined"}},
		{"leak after the tests", head + `func TestA(t *testing.T) {}; func TestMain(m *testing.M) { m.Run(); fmt.Println("leaked: fd 7"); os.Exit(1) }`,
			false, "1 passed, 1 failed, 0 skipped", 1, []string{"leaked: fd 7"}},
		{"exit without a word", head + `func TestA(t *testing.T) { os.Exit(0) }`,
			false, "0 passed, 1 failed, 0 skipped", 1, nil},
		{"nothing", "package planted\n", true, "0 passed, 0 failed, 0 skipped", 1, []string{"no test ran"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inModule(t, tt.source)
			checkRun(t, goStage(), tt.strict, tt.last, tt.status, tt.shows)
		})
	}
}

func TestScriptStage(t *testing.T) {
	tests := []struct {
		name, script string
		last         string
		status       int
	}{
		{"pass", "echo '--- PASS: boot (1.0s)'; echo '    --- PASS: halt'", "2 passed, 0 failed, 0 skipped", 0},
		{"fail", "echo '--- FAIL: boot (1.0s)'; exit 1", "0 passed, 1 failed, 0 skipped", 1},
		{"crash", "echo '--- PASS: boot (1.0s)'; exit 3", "1 passed, 1 failed, 0 skipped", 1},
		{"silence", "true", "0 passed, 0 failed, 0 skipped", 1},
		{"skip", "echo '--- PASS: a'; echo '--- SKIP: b'", "1 passed, 0 failed, 1 skipped", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stage{name: "vm", command: []string{"bash", "-c", tt.script}, read: readScript}
			checkRun(t, s, true, tt.last, tt.status, nil)
		})
	}
	t.Run("shown again", func(t *testing.T) {
		const words = "=== RUN   boot\nthe zone boots\n--- PASS: boot\n=== RUN   halt\nno answer\n--- FAIL: halt\n" +
			"=== server: 3s, exit status 1\n| === RUN   TestA\n|     a_test.go:1: of A\n| --- PASS: TestA\n| === RUN   TestB\n|     b_test.go:1: of B\n" +
			"| === CONT  TestA\n|     a_test.go:2: more of A\n| --- FAIL: TestB\n| FAIL\n--- PASS: server.TestA\n--- FAIL: server.TestB (1s)\n"
		s := stage{name: "vm", command: []string{"printf", "%b", words}, read: readScript}
		checkRun(t, s, true, "2 passed, 2 failed, 0 skipped", 1,
			[]string{"failed: vm/halt\n    no answer\nfailed: vm/server.TestB\n        b_test.go:1: of B\nFAIL\n"})
	})
	t.Run("missing", func(t *testing.T) {
		s := stage{name: "vm", command: []string{"/nonexistent"}, read: readScript}
		checkRun(t, s, true, "0 passed, 1 failed, 0 skipped", 1, nil)
	})
}

func checkRun(t *testing.T, s stage, strict bool, last string, status int, shows []string) {
	t.Helper()
	var out bytes.Buffer
	tally := &tally{out: &out, strict: strict}
	runStage(tally, s)
	if got := tally.finish(); got != status {
		t.Errorf("exit status %d, want %d\n%s", got, status, &out)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if got := lines[len(lines)-1]; got != last {
		t.Errorf("last line %q, want %q\n%s", got, last, &out)
	}
	for _, want := range shows {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not shown in\n%s", want, &out)
		}
	}
}
