package lang

import "fmt"

const (
	// textBytesMax bounds a whole input; itemsMax a command, depthMax a value's nesting.
	textBytesMax = 4 << 20
	itemsMax     = 4096
	depthMax     = 2
)

// Kind is a kind of value.
type Kind uint8

const (
	// Simple is one word.
	Simple Kind = iota
	// Complex is pairs of names and values in parentheses.
	Complex
	// List is values in square brackets.
	List
)

// String names the kind as the original's messages do.
func (k Kind) String() string { return [...]string{"simple", "complex", "list"}[k] }

// Value is a property's value.
type Value struct {
	Kind Kind
	// Text is a simple value.
	Text string
	// Pairs is a complex value.
	Pairs []Pair
	// List is a list's elements, simple or complex.
	List []Value
}

// Pair is a name and a value in a complex value.
type Pair struct{ Name, Value string }

// Elements gives a list's elements, and any other value as a list of one: foo is [foo].
func (v Value) Elements() []Value {
	if v.Kind == List {
		return v.List
	}
	return []Value{v}
}

// String writes a value so that it is read back as it is.
func (v Value) String() string {
	switch v.Kind {
	case Complex:
		s := "("
		for i, p := range v.Pairs {
			if i > 0 {
				s += ","
			}
			s += Quote(p.Name) + "=" + Quote(p.Value)
		}
		return s + ")"
	case List:
		s := "["
		for i, e := range v.List {
			if i > 0 {
				s += ","
			}
			s += e.String()
		}
		return s + "]"
	}
	return Quote(v.Text)
}

// Item is one part of a command after its verb.
type Item struct {
	// Name is the word before an equals sign; empty for a value that stands alone.
	Name string
	// Value is what follows the equals sign, or what stands alone.
	Value Value
	// Quoted: a value that stands alone was in quotes, and so is no option.
	Quoted bool
}

// Option says whether the item is an option like -F.
func (i Item) Option() bool {
	return i.Name == "" && i.Value.Kind == Simple && !i.Quoted && len(i.Value.Text) > 1 && i.Value.Text[0] == '-'
}

// Command is one command.
type Command struct {
	Line  int
	Verb  string
	Items []Item
}

// SyntaxError says where text is not of the language.
type SyntaxError struct {
	Line int
	Why  string
}

// Error is one line.
func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Why) }

// Parser gives the commands of a text one by one.
type Parser struct {
	lex  *lexer
	tok  token
	err  error
	over bool
}

// NewParser reads text. Lines count from 1.
func NewParser(text string) *Parser {
	p := &Parser{lex: newLexer(text)}
	if len(text) > textBytesMax {
		p.over = true
		p.err = &SyntaxError{1, fmt.Sprintf("more than %d bytes of commands", textBytesMax)}
		return p
	}
	p.advance()
	return p
}

func (p *Parser) advance() {
	if p.err == nil {
		p.tok, p.err = p.lex.next()
	}
}

// Next gives the next command, nil at the end of the text. After a SyntaxError the rest
// of its line is passed over, and the next call goes on behind it.
func (p *Parser) Next() (*Command, error) {
	if p.over {
		err := p.err
		p.err = nil
		return nil, err
	}
	for p.err == nil && (p.tok.kind == tokNewline || p.tok.kind == ';') {
		p.advance()
	}
	if p.err == nil && p.tok.kind == tokEnd {
		return nil, nil
	}
	c, err := p.command()
	if err != nil {
		p.recover()
		return nil, err
	}
	return c, nil
}

// recover passes over the rest of the line, and over further mistakes in it.
func (p *Parser) recover() {
	for {
		if p.err == nil && (p.tok.kind == tokNewline || p.tok.kind == tokEnd) {
			return
		}
		p.err = nil
		p.tok, p.err = p.lex.next()
	}
}

func (p *Parser) command() (*Command, error) {
	if p.err != nil {
		return nil, p.err
	}
	if p.tok.kind != tokWord || p.tok.quoted {
		return nil, p.unexpected("a subcommand")
	}
	c := &Command{Line: p.tok.line, Verb: p.tok.text}
	for p.advance(); ; {
		switch {
		case p.err != nil:
			return nil, p.err
		case p.tok.kind == tokNewline || p.tok.kind == ';' || p.tok.kind == tokEnd:
			return c, nil
		case len(c.Items) == itemsMax:
			return nil, &SyntaxError{p.tok.line, fmt.Sprintf("more than %d words in a command", itemsMax)}
		}
		item, err := p.item()
		if err != nil {
			return nil, err
		}
		c.Items = append(c.Items, item)
	}
}

func (p *Parser) item() (Item, error) {
	if p.tok.kind != tokWord {
		v, err := p.value(0)
		return Item{Value: v}, err
	}
	word := p.tok
	p.advance()
	if p.err != nil || p.tok.kind != '=' {
		return Item{Value: Value{Text: word.text}, Quoted: word.quoted}, p.err
	}
	p.advance()
	v, err := p.value(0)
	return Item{Name: word.text, Value: v}, err
}

// value reads one value; depth says how many brackets are around it.
func (p *Parser) value(depth int) (Value, error) {
	if p.err != nil {
		return Value{}, p.err
	}
	switch {
	case p.tok.kind == tokWord:
		v := Value{Text: p.tok.text}
		p.advance()
		return v, p.err
	case p.tok.kind == '(' && depth < depthMax:
		return p.complex()
	case p.tok.kind == '[' && depth == 0:
		return p.list()
	}
	return Value{}, p.unexpected("a value")
}

func (p *Parser) list() (Value, error) {
	v := Value{Kind: List}
	p.advance()
	if p.err == nil && p.tok.kind == ']' {
		p.advance()
		return v, p.err
	}
	for {
		e, err := p.value(1)
		if err != nil {
			return v, err
		}
		v.List = append(v.List, e)
		if len(v.List) > itemsMax {
			return v, &SyntaxError{p.tok.line, fmt.Sprintf("more than %d values in a list", itemsMax)}
		}
		switch p.tok.kind {
		case ',':
			p.advance()
		case ']':
			p.advance()
			return v, p.err
		default:
			return v, p.unexpected("',' or ']'")
		}
	}
}

func (p *Parser) complex() (Value, error) {
	v := Value{Kind: Complex}
	p.advance()
	for {
		name, err := p.word("a property name")
		if err != nil {
			return v, err
		}
		if p.err == nil && p.tok.kind != '=' {
			return v, p.unexpected("'='")
		}
		p.advance()
		val, err := p.word("a simple value")
		if err != nil {
			return v, err
		}
		v.Pairs = append(v.Pairs, Pair{name, val})
		if len(v.Pairs) > itemsMax {
			return v, &SyntaxError{p.tok.line, fmt.Sprintf("more than %d pairs in a value", itemsMax)}
		}
		switch p.tok.kind {
		case ',':
			p.advance()
		case ')':
			p.advance()
			return v, p.err
		default:
			return v, p.unexpected("',' or ')'")
		}
	}
}

func (p *Parser) word(want string) (string, error) {
	if p.err != nil {
		return "", p.err
	}
	if p.tok.kind != tokWord {
		return "", p.unexpected(want)
	}
	text := p.tok.text
	p.advance()
	return text, p.err
}

func (p *Parser) unexpected(want string) error {
	if p.err != nil {
		return p.err
	}
	return &SyntaxError{p.tok.line, fmt.Sprintf("want %s, found %v", want, p.tok)}
}
