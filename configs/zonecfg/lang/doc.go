// Package lang reads the language of zonecfg: text in, commands out.
//
// It knows how a command is written, and not what one means: which subcommands,
// resources and properties exist is package zonecfg's to say.
//
//	command   = verb { item } ( newline | ";" | end )
//	item      = word | word "=" value | "(" pairs ")" | "[" values "]"
//	value     = word | "(" pairs ")" | "[" values "]"
//	values    = [ value { "," value } ]
//	pairs     = word "=" word { "," word "=" word }
//
// A word is a run of characters without blanks and without " ; = [ ] ( ), or anything
// in double quotes on one line. Inside quotes \" is a quote and \\ a backslash; any
// other backslash stands for itself. In lists and complex values a comma ends a word,
// elsewhere it belongs to it. A # where a command could start makes the rest of the
// line a comment.
//
// The original has no way to write a quote inside of quotes; everything it can write
// is read here as it reads it, but for a doubled backslash in quotes.
package lang
