package auth

import "strings"

// The words that have a meaning of their own.
const (
	wildcard    = "*"
	grant       = "grant"
	stopProfile = "Stop"
)

// Set is authorizations that somebody has. The zero Set is none.
type Set struct{ words []string }

// Of is a set of these words.
func Of(words ...string) Set { return Set{words: words} }

// Has says whether the authorization is among them.
func (s Set) Has(authorization string) bool {
	for _, w := range s.words {
		if match(w, authorization) {
			return true
		}
	}
	return false
}

// match says whether the word of a user stands for an authorization.
func match(word, authorization string) bool {
	if authorization == "" {
		return false
	}
	prefix, open := strings.CutSuffix(word, wildcard)
	if !open {
		return word == authorization
	}
	last := authorization[strings.LastIndexByte(authorization, '.')+1:]
	return strings.HasPrefix(authorization, prefix) && last != grant
}
