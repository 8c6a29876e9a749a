package telinit

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/linuxzones/zones/svc/request"
)

func TestParse(t *testing.T) {
	const boot = noBootArguments
	minute := wait{after: time.Minute}
	for line, want := range map[string]order{
		"init 0":    {request: request.Halt},
		"init 5":    {request: request.Poweroff},
		"init 6":    {request: request.Reboot},
		"telinit q": {request: request.Reexamine},
		"telinit S": {request: request.Single},
		"init 2":    {request: request.Multi},
		"init 3":    {request: request.Server},

		"halt":                     {request: request.Halt},
		"halt --":                  {request: request.Halt},
		"halt -p":                  {request: request.Poweroff},
		"halt -fn":                 {request: request.Halt, force: true},
		"halt -q":                  {request: request.Halt, force: true},
		"halt -ydln":               {request: request.Halt},
		"halt -w":                  {request: request.Halt, nothing: true},
		"halt --force --poweroff":  {request: request.Poweroff, force: true},
		"poweroff -f --no-wall":    {request: request.Poweroff, force: true},
		"poweroff --halt":          {request: request.Halt},
		"reboot":                   {request: request.Reboot},
		"reboot --":                {request: request.Reboot},
		"reboot -f -- -s":          {request: request.Reboot, force: true, note: boot},
		"reboot -- -m verbose":     {request: request.Reboot, note: boot},
		"reboot disk -s":           {request: request.Reboot, note: boot},
		"shutdown":                 {request: request.Poweroff, wait: minute},
		"shutdown now":             {request: request.Poweroff},
		"shutdown -h now":          {request: request.Poweroff},
		"shutdown -r now":          {request: request.Reboot},
		"shutdown -H +0":           {request: request.Halt},
		"shutdown -P +90":          {request: request.Poweroff, wait: wait{after: 90 * time.Minute}},
		"shutdown -rk 23:59":       {request: request.Reboot, pretend: true, wait: wait{clock: true, hour: 23, minutes: 59}},
		"shutdown -r now we  move": {request: request.Reboot, message: "we move"},
		"shutdown -c":              {request: request.Poweroff, cancel: true, wait: minute},
		"shutdown --reboot -- now": {request: request.Reboot},

		"shutdown -y":                {request: request.Single, wait: minute},
		"shutdown -y -i0 -g0":        {request: request.Halt},
		"shutdown -yg 30 -i 6 hello": {request: request.Reboot, wait: wait{after: 30 * time.Second}, message: "hello"},
		"shutdown -i5":               {request: request.Poweroff, confirm: true, wait: minute},
		"shutdown -g 0 -i S now":     {request: request.Single, confirm: true, message: "now"},
	} {
		words := strings.Fields(line)
		got, err := parse(words[0], words[1:])
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", line, got, err)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, line := range []string{
		"init", "init 4", "init 0 6", "telinit -t", "init halt", "init ''",
		"halt now", "halt -x", "halt -- -s", "poweroff 0", "poweroff --reload", "halt --x", "reboot -z", "halt -f now",
		"shutdown -x", "shutdown later", "shutdown +", "shutdown +-1", "shutdown +x", "shutdown 24:00", "shutdown 1:60", "shutdown 1:5",
		"shutdown -1", "shutdown +99999999", "shutdown --explode", "shutdown :30", "shutdown 12",
		"shutdown -y -r now", "shutdown -i 6 -h", "shutdown -i 2", "shutdown -iq", "shutdown -i", "shutdown -g", "shutdown -g -1", "shutdown -g 1m", "shutdown -g 99999999999",
		"shutdown -g 99999999", "shutdown now " + strings.Repeat("x", messageBytesMax+1),
	} {
		words := strings.Fields(line)
		o, err := parse(words[0], words[1:])
		var usage usageError
		if !errors.As(err, &usage) {
			t.Errorf("%s: %+v, %v", line, o, err)
		}
	}
}

func TestUntil(t *testing.T) {
	now := time.Date(2026, 3, 31, 23, 30, 15, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"now": 0, "+5": 5 * time.Minute, "23:31": 45 * time.Second, "23:30": 23*time.Hour + 59*time.Minute + 45*time.Second, "00:00": 29*time.Minute + 45*time.Second,
	} {
		w, ok := parseTime(text)
		if got := w.until(now); !ok || got != want {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "1 second", 61 * time.Second: "1 minute 1 second", 2 * time.Hour: "2 hours",
		time.Hour + 30*time.Minute + 7*time.Second: "1 hour 30 minutes", 90 * time.Minute: "1 hour 30 minutes",
	} {
		if got := words(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain", "grün": "grün", "\x1b[2J": "?[2J", "a\u009bb": "a?b", "a\x9bb": "a?b", "a\nb\x7f": "a?b?",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
