package trampoline

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	for text, want := range map[string]Boot{
		`{"path":"/sbin/init","args":["init","-s"],"env":["PATH=/bin"]}`: {"/sbin/init", []string{"init", "-s"}, []string{"PATH=/bin"}},
		" {\n\t\"env\" : [ ] , \"path\":\"\" }\r\n":                      {},
		`{}`:                         {},
		`{"args":null,"env": null }`: {},
		`{"path":"\/a\u0041\ud83d\ude00\n\t\"\\é"}`: {Path: "/aA😀\n\t\"\\é"},
	} {
		got, err := decode([]byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v", text, got, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, text := range []string{
		``, ` `, `null`, `[]`, `"x"`, `{`, `{"path"`, `{"path":`, `{"path":"x"`, `{"path":"x",}`, `{,}`,
		`{"path":"x"}{}`, `{"path":"x"} x`, `{"path":1}`, `{"path":null}`, `{"path":["x"]}`,
		`{"args":"x"}`, `{"args":[1]}`, `{"args":nul}`, `{"args":nulll}`, `{"args":[null]}`, `{"args":[,]}`, `{"args":["x",]}`, `{"args":["x" "y"]}`, `{"args":["x"`,
		`{"path":"x","path":"y"}`, `{"user":"root"}`, `{"Path":"x"}`,
		`{"path":"\x"}`, `{"path":"\u12"}`, `{"path":"\u00zz"}`, `{"path":"\ud83d"}`, `{"path":"\ude00"}`, `{"path":"\ud83dA"}`,
		"{\"path\":\"a\nb\"}", "{\"path\":\"\xff\"}", `{"path":"a\u0000b"}`, "{\"path\":\"a\x00b\"}", `{"path":"\`,
		`{"args":[` + strings.Repeat(`"",`, stringsMax) + `""]}`,
		strings.Repeat("[", MessageBytesMax), "\x00",
	} {
		if b, err := decode([]byte(text)); !errors.Is(err, errMessage) {
			t.Errorf("%.60q: %#v, %v", text, b, err)
		}
	}
}

// FuzzDecode holds the decoder against encoding/json: what it accepts, that one accepts too
// and understands the same way; what the sender's library writes is accepted.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"path":"/sbin/init","args":["init"],"env":["A=b"]}`, `{"path":"\u0041\ud83d\ude00"}`, `{"args":[]}`, `{`, `{"path":"\ud83d\u0041"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decode(data)
		if err != nil {
			return
		}
		var want struct {
			Path      string
			Args, Env []string
		}
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("accepted %q: %v", data, err)
		}
		if got.Path != want.Path || len(got.Args) != len(want.Args) || len(got.Env) != len(want.Env) {
			t.Fatalf("%q: %#v, want %#v", data, got, want)
		}
		for i := range got.Args {
			if got.Args[i] != want.Args[i] {
				t.Fatalf("%q: argument %d is %q", data, i, got.Args[i])
			}
		}
		again, err := json.Marshal(map[string]any{"path": got.Path, "args": got.Args, "env": got.Env})
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decode(again); err != nil || back.Path != got.Path {
			t.Fatalf("%s: %v", again, err)
		}
	})
}
