package prompt

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/linuxzones/zones/internal/printable"
)

const (
	// historyMax is how many lines are remembered.
	historyMax = 1024
	// lineMax is x/term's own limit: it drops what is typed beyond.
	lineMax = 4096
	// listMax is how many completions are listed.
	listMax = 200

	keyTab       = '\t'
	keyInterrupt = 3
	// giveUp is what ^C becomes: to the end of the line, erase it, enter.
	giveUp = "\x05\x15\r"
)

// ErrInterrupted: the line was given up with ^C.
var ErrInterrupted = errors.New("interrupted")

// ErrHangup: the terminal is gone.
var ErrHangup = errors.New("the terminal is gone")

// Terminal reads lines from a terminal.
type Terminal struct {
	in, out *os.File
	term    *term.Terminal
	keys    *keys
	history *history
	// complete is offered the line up to the cursor.
	complete func(line string) (keep string, words []string)

	signals chan os.Signal
	done    chan struct{}
	ended   sync.WaitGroup

	mu sync.Mutex
	// cooked is the mode to return to; nil while the terminal is not raw.
	cooked *term.State
}

// New takes over a terminal; in and out are the same one. complete may be nil.
func New(in, out *os.File, complete func(line string) (keep string, words []string)) *Terminal {
	t := &Terminal{in: in, out: out, complete: complete, keys: &keys{in: in}, history: &history{},
		signals: make(chan os.Signal, 8), done: make(chan struct{})}
	t.term = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{t.keys, out}, "")
	t.term.History = t.history
	t.resize()
	signal.Notify(t.signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGWINCH, unix.SIGCONT)
	t.ended.Go(t.watch)
	return t
}

// Close puts the terminal back and stops watching signals.
func (t *Terminal) Close() error {
	signal.Stop(t.signals)
	close(t.done)
	t.ended.Wait()
	return t.restore()
}

// watch acts on signals until Close.
func (t *Terminal) watch() {
	for {
		select {
		case <-t.done:
			return
		case s := <-t.signals:
			switch s {
			case unix.SIGWINCH:
				t.resize()
			case unix.SIGCONT:
				t.again()
			default:
				_ = t.restore()
				if s == unix.SIGQUIT {
					s = unix.SIGTERM // of SIGQUIT a Go program dies with a page of its stacks
				}
				signal.Reset(s)
				if self, err := os.FindProcess(os.Getpid()); err == nil {
					_ = self.Signal(s)
				}
				<-t.done // the signal ends the program, unless it was blocked from outside
				return
			}
		}
	}
}

func (t *Terminal) resize() {
	if w, h, err := term.GetSize(int(t.out.Fd())); err == nil && w > 0 && h > 0 {
		_ = t.term.SetSize(w, h)
	}
}

// raw begins the reading of a line.
func (t *Terminal) raw() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	cooked, err := term.MakeRaw(int(t.in.Fd()))
	if err != nil {
		return fmt.Errorf("prepare the terminal: %w", err)
	}
	t.cooked = cooked
	return nil
}

// again makes the terminal raw after a stop in the middle of a line: the shell has put
// its own mode in place.
func (t *Terminal) again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cooked != nil {
		_, _ = term.MakeRaw(int(t.in.Fd()))
	}
}

func (t *Terminal) restore() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cooked == nil {
		return nil
	}
	err := term.Restore(int(t.in.Fd()), t.cooked)
	t.cooked = nil
	return err
}

// ReadLine shows the prompt and reads a command line. Errors: io.EOF for ^D,
// ErrInterrupted for ^C, ErrHangup.
func (t *Terminal) ReadLine(prompt string) (string, error) {
	t.term.AutoCompleteCallback = t.key
	t.history.paused = false
	return t.read(prompt)
}

// Ask is ReadLine without completion and history, for answers.
func (t *Terminal) Ask(question string) (string, error) {
	t.term.AutoCompleteCallback = nil
	t.history.paused = true
	return t.read(question)
}

func (t *Terminal) read(prompt string) (string, error) {
	if err := t.raw(); err != nil {
		return "", err
	}
	t.keys.interrupted = false
	t.term.SetPrompt(prompt)
	line, err := t.term.ReadLine()
	rerr := t.restore()
	switch {
	case t.keys.hungUp:
		return "", ErrHangup
	case err == io.EOF:
		fmt.Fprintln(t.out)
		return "", io.EOF
	case err != nil && !errors.Is(err, term.ErrPasteIndicator):
		return "", fmt.Errorf("read the terminal: %w", err)
	case rerr != nil:
		return "", fmt.Errorf("restore the terminal: %w", rerr)
	case t.keys.interrupted:
		return "", ErrInterrupted
	case len([]rune(line)) >= lineMax:
		return "", fmt.Errorf("a line of %d characters or more cannot be typed, put it in a file for -f", lineMax)
	}
	return line, nil
}

// key completes on a tab.
func (t *Terminal) key(line string, pos int, key rune) (string, int, bool) {
	if key != keyTab || t.complete == nil {
		return "", 0, false
	}
	keep, words := t.complete(line[:pos])
	// Some are others' words. One that cannot be shown cannot be typed either.
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return printable.Text(w) != w })
	if len(words) == 0 {
		return line, pos, true
	}
	head := keep + commonPrefix(words)
	if head == line[:pos] && len(words) > 1 {
		_, _ = io.WriteString(t.term, columns(words, t.width()))
	}
	if len(head) < pos {
		return line, pos, true
	}
	return head + line[pos:], len(head), true
}

func (t *Terminal) width() int {
	if w, _, err := term.GetSize(int(t.out.Fd())); err == nil && w > 0 {
		return w
	}
	return 80
}

func commonPrefix(words []string) string {
	p := words[0]
	for _, w := range words {
		for !strings.HasPrefix(w, p) {
			p = p[:len(p)-1]
		}
	}
	return p
}

// columns lays words out in lines.
func columns(words []string, width int) string {
	more := ""
	if len(words) > listMax {
		more = fmt.Sprintf("... and %d more\n", len(words)-listMax)
		words = words[:listMax]
	}
	cell := 0
	for _, w := range words {
		cell = max(cell, len([]rune(w))+2)
	}
	across := max(1, width/cell)
	var b strings.Builder
	for i, w := range words {
		b.WriteString(w)
		if i%across == across-1 || i == len(words)-1 {
			b.WriteByte('\n')
		} else {
			b.WriteString(strings.Repeat(" ", cell-len([]rune(w))))
		}
	}
	return b.String() + more
}

// keys is the terminal's input, with ^C turned into keys that give up the line: x/term
// would report it as the end of the input.
type keys struct {
	in      io.Reader
	pending []byte
	// interrupted is set when the keys of a ^C are handed out. They are handed out
	// alone, and x/term asks for more only when it used up what it had, so the flag
	// always belongs to the line being read.
	interrupted bool
	hungUp      bool
}

// Read gives keys up to a ^C, or those that stand for one.
func (k *keys) Read(p []byte) (int, error) {
	if len(p) < len(giveUp) {
		return 0, io.ErrShortBuffer
	}
	if len(k.pending) == 0 {
		var b [256]byte
		n, err := k.in.Read(b[:])
		if err != nil || n == 0 {
			k.hungUp = true
			return 0, io.EOF
		}
		k.pending = b[:n]
	}
	if k.pending[0] == keyInterrupt {
		k.pending = k.pending[1:]
		k.interrupted = true
		return copy(p, giveUp), nil
	}
	n := 0
	for n < len(p) && n < len(k.pending) && k.pending[n] != keyInterrupt {
		p[n] = k.pending[n]
		n++
	}
	k.pending = k.pending[n:]
	return n, nil
}

// history remembers commands, the newest first, without blank and repeated ones.
type history struct {
	lines []string
	// paused while a question is answered.
	paused bool
}

// Add remembers a line.
func (h *history) Add(line string) {
	if h.paused || strings.TrimSpace(line) == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if len(h.lines) > historyMax {
		h.lines = h.lines[1:]
	}
}

// Len is how many lines can be recalled: none while a question is answered.
func (h *history) Len() int {
	if h.paused {
		return 0
	}
	return len(h.lines)
}

// At gives the line that is i lines back.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }
