package initd

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// screen is a console that may stand still.
type screen struct {
	mu    sync.Mutex
	text  strings.Builder
	block chan struct{} // not nil: write waits for it
	fail  bool
}

func (s *screen) write(text string) bool {
	s.mu.Lock()
	block, fail := s.block, s.fail
	s.mu.Unlock()
	if block != nil {
		<-block
	}
	if fail {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.WriteString(text)
	return true
}

func (s *screen) set(block chan struct{}, fail bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.block, s.fail = block, fail
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func startScribe(t *testing.T) (*scribe, *screen) {
	console := &screen{}
	s := newScribe(console.write)
	done := make(chan struct{})
	go func() { s.run(); close(done) }()
	t.Cleanup(func() { close(s.queue); <-done })
	return s, console
}

func TestScribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, console := startScribe(t)
		s.say("one")
		s.say("two")
		s.flush()
		if got := console.String(); got != "one\ntwo\n" {
			t.Errorf("%q", got)
		}
	})
}

// A console that stands still costs its lines, and flush its limit, and nobody more.
func TestScribeStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, console := startScribe(t)
		block := make(chan struct{})
		console.set(block, false)
		begin := time.Now()
		s.say("first")
		synctest.Wait()
		for range queuedMax + 5 {
			s.say("x")
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("saying took %v", d)
		}
		s.flush() // there is not even room for the question
		if d := time.Since(begin); d != flushLimit {
			t.Errorf("flush took %v", d)
		}
		console.set(nil, false)
		close(block)
		s.flush()
		if got := console.String(); !strings.Contains(got, "init: 5 messages were lost") {
			t.Errorf("the loss is not told: %q", got)
		}
	})
}

func TestScribeCountsWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, console := startScribe(t)
		console.set(nil, true)
		s.say("a")
		s.say("b")
		s.flush()
		console.set(nil, false)
		s.say("c")
		s.flush()
		if got := console.String(); got != "init: 2 messages were lost: the console stood still\nc\n" {
			t.Errorf("%q", got)
		}
	})
}
