package svccfg

import (
	"errors"
	"io"
	"strings"

	"github.com/linuxzones/zones/svc/svccfg/lang"
)

// Terminal is where an interactive session reads lines. Editing and history are its own.
type Terminal interface {
	// ReadLine shows a prompt and gives a line without its end; io.EOF at the end of the input,
	// ErrInterrupted when the line was given up.
	ReadLine(prompt string) (string, error)
	Close() error
}

// ErrInterrupted: the line was given up with ^C.
var ErrInterrupted = errors.New("interrupted")

// morePrompt asks for the rest of a command.
const morePrompt = "> "

// interact runs what a person types. Mistakes are told, and do not end it.
func (s *Session) interact(t Terminal) int {
	s.interactive = true
	p := lang.NewParser()
	for !s.done {
		prompt := morePrompt
		if !p.More() {
			s.still()
			prompt = s.Selection() + "> "
		}
		line, err := t.ReadLine(prompt)
		switch {
		case errors.Is(err, ErrInterrupted): // and with it what was begun
			p = lang.NewParser()
			continue
		case errors.Is(err, io.EOF):
			return exitOK
		case err != nil:
			return s.fail(err)
		}
		p.Feed(line + "\n")
		s.typed(p)
	}
	return exitOK
}

// typed runs the commands that are complete.
func (s *Session) typed(p *lang.Parser) {
	for !s.done {
		c, err := p.Next(false)
		switch {
		case err != nil:
			s.say(s.language(err).Error())
			continue
		case c == nil:
			return
		}
		if err := s.run(c); err != nil {
			s.mistake(c, err)
		}
	}
}

// mistake tells what went wrong. Of a command that is not written as it should be, its help says
// more.
func (s *Session) mistake(c *lang.Command, err error) {
	text := s.explain(err).Error()
	if help, has := helps[c.Name()]; has && errors.Is(err, errSyntax) {
		text += "\n" + help
	}
	s.say(strings.TrimRight(text, "\n"))
}

// still goes up, when what is selected has been deleted meanwhile.
func (s *Session) still() {
	if s.store == nil || s.at.Service == "" {
		return
	}
	if is, err := s.store.Exists(s.at); err == nil && !is {
		s.say(s.deleted().Error())
	}
}
