package prompt

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

// Plain reads lines from a terminal that cannot move its cursor, or whose output goes
// elsewhere: the terminal's own line editing has to do.
type Plain struct {
	in  *bufio.Reader
	out io.Writer
}

// NewPlain reads from in and shows prompts on out.
func NewPlain(in, out *os.File) *Plain {
	return &Plain{in: bufio.NewReader(in), out: out}
}

// ReadLine shows the prompt and reads a line; io.EOF at the end.
func (p *Plain) ReadLine(prompt string) (string, error) {
	fmt.Fprint(p.out, prompt)
	line, err := p.in.ReadString('\n')
	if err != nil && line == "" {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// Ask is ReadLine.
func (p *Plain) Ask(question string) (string, error) { return p.ReadLine(question) }

// Close has nothing to put back.
func (p *Plain) Close() error { return nil }
