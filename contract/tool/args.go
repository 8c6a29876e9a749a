package tool

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/printable"
)

// option is one option as it was given.
type option struct {
	letter byte
	arg    string
}

// parseOptions takes a command line apart as getopt(3) does for POSIX utilities: options may
// share a dash, an argument may be attached, and the first operand or -- ends them. spec has
// the letters, with a colon behind those that take an argument.
func parseOptions(args []string, spec string) (options []option, operands []string, problem string) {
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		word := args[0]
		args = args[1:]
		if word == "--" {
			break
		}
		for i := 1; i < len(word); i++ {
			at := strings.IndexByte(spec, word[i])
			if at < 0 || word[i] == ':' {
				return nil, nil, "unknown option -" + printable.Text(word[i:i+runeLen(word[i:])])
			}
			o := option{letter: word[i]}
			if at+1 == len(spec) || spec[at+1] != ':' {
				options = append(options, o)
				continue
			}
			if o.arg = word[i+1:]; o.arg == "" {
				if len(args) == 0 {
					return nil, nil, "option -" + word[i:i+1] + " needs an argument"
				}
				o.arg, args = args[0], args[1:]
			}
			options = append(options, o)
			break
		}
	}
	return options, args, ""
}

func runeLen(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// splitList takes a list apart: commas or blanks between its words.
func splitList(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}

// parseIDs understands a list of contracts' numbers.
func parseIDs(s string) ([]contract.ID, bool) {
	var ids []contract.ID
	for _, word := range splitList(s) {
		id, ok := parseID(word)
		if !ok {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, len(ids) > 0
}

func parseID(s string) (contract.ID, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return contract.ID(n), err == nil && n > 0
}
