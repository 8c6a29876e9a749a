// Package lang is the language of svccfg(8): it takes text apart into commands.
//
//	# a comment
//	select network/ssh
//	setprop config/port = count: 22
//	setprop config/hosts = astring: ("a" "b c"
//	    "d")
//	export network/ssh > /tmp/ssh.xml
//
// A command ends with its line, unless a parenthesis or a quote is open; a backslash before the
// end of a line joins the next. A word is anything without blanks, quotes, parentheses, "=" and
// ">"; in quotes a backslash takes the next character as it is. What the commands are, and which
// words each takes, is not known here.
//
// A Parser reads by pieces, so that a person can be asked for more (More). Text has limits, each
// an error. Pure: no goroutines, no locks.
package lang
