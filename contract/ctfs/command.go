package ctfs

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/fuse"
)

// verb is what a line written to a template or to a ctl file asks for.
type verb uint8

const (
	noVerb verb = iota
	// Of a template.
	vTerms    // the text is lines of terms
	vActivate // make a contract that waits for its first member; text is terms that are set before; see within
	vClear    // forget it
	vBorn     // number: its first member
	vCreate   // ctmpl_create, which process contracts do not have
	// Of a contract.
	vAbandon
	vAck  // number: the event
	vQAck // number: the event
	vNAck // number: the event
	vAdopt
	vNewCT // number: the template's contract
)

// form is how a verb is written.
type form struct {
	word   string
	verb   verb
	number bool   // a number follows
	option string // this word may follow: then the number is 1
	within bool   // words may follow that say what a contract counts in
}

var templateForms = []form{
	{word: "activate", verb: vActivate, option: "move", within: true},
	{word: "clear", verb: vClear},
	{word: "born", verb: vBorn, number: true},
	{word: "create", verb: vCreate},
}

var ctlForms = []form{
	{word: "abandon", verb: vAbandon},
	{word: "ack", verb: vAck, number: true},
	{word: "qack", verb: vQAck, number: true},
	{word: "nack", verb: vNAck, number: true},
	{word: "adopt", verb: vAdopt},
	{word: "newct", verb: vNewCT, number: true},
}

// parseCtls understands what was written to the ctl file of all contracts: the number of one, and what
// is written to its own.
func parseCtls(text []byte) (id contract.ID, c command, ok bool) {
	number, rest, _ := strings.Cut(string(text), " ")
	id, ok = parseID(number)
	if !ok {
		return 0, command{}, false
	}
	c, ok = parseCtl([]byte(rest))
	return id, c, ok
}

// command is one thing asked for.
type command struct {
	verb   verb
	number uint64
	text   []byte // vTerms, vActivate
	within contract.Within
}

// textMax is the longest text that can be written to a template or a ctl file at once. The
// kernel takes a longer write apart, and terms are taken all or none, so that one of
// fuse.WriteMax bytes may have more to come.
const textMax = fuse.WriteMax - 1

// parseTemplate understands what was written to a template: one command alone, or terms, which
// activate may follow.
func parseTemplate(text []byte) (command, bool) {
	line, rest, _ := strings.Cut(string(text), "\n")
	c, known, ok := parseForm(templateForms, line)
	if known {
		return c, ok && strings.TrimSpace(rest) == ""
	}
	end := bytes.LastIndexByte(bytes.TrimSuffix(text, []byte("\n")), '\n') + 1
	c, known, ok = parseForm(templateForms, strings.TrimSuffix(string(text[end:]), "\n"))
	if known && c.verb == vActivate {
		c.text = text[:end]
		return c, ok
	}
	return command{verb: vTerms, text: text}, true
}

// parseCtl understands what was written to a ctl file: one line.
func parseCtl(text []byte) (command, bool) {
	line, rest, _ := strings.Cut(string(text), "\n")
	c, known, ok := parseForm(ctlForms, line)
	return c, known && ok && strings.TrimSpace(rest) == ""
}

// parseForm says whether a line begins with a word of the list, and whether the rest is as it
// must be.
func parseForm(forms []form, line string) (c command, known, ok bool) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return command{}, false, false
	}
	for _, f := range forms {
		if f.word != words[0] {
			continue
		}
		c := command{verb: f.verb}
		if f.option != "" && len(words) > 1 && words[1] == f.option {
			c.number, words = 1, words[1:]
		}
		if f.within {
			w, err := contract.ParseWithin(words[1:])
			c.within = w
			return c, true, err == nil
		}
		if !f.number {
			return c, true, len(words) == 1
		}
		if len(words) != 2 {
			return c, true, false
		}
		n, err := parseNumber(words[1])
		c.number = n
		return c, true, err == nil
	}
	return command{}, false, false
}

// parseNumber understands decimal, 0x and a leading 0 for octal, as all numbers here.
func parseNumber(s string) (uint64, error) {
	if strings.ContainsAny(s, "_+") {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseUint(s, 0, 64)
}

// pid is the number as a process's.
func (c command) pid() (int32, bool) {
	if c.number == 0 || c.number > 1<<31-1 {
		return 0, false
	}
	return int32(c.number), true
}

// event is the number as an event's.
func (c command) event() contract.EventID { return contract.EventID(c.number) }
