package api

import "os"

// Locale is the language that messages are wanted in, by the rules of setlocale(3).
func Locale() string {
	for _, v := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if s := os.Getenv(v); s != "" {
			return s
		}
	}
	return "C"
}
