package hostcheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// Form says how a report is printed.
type Form bool

// The forms.
const (
	Table Form = false
	JSON  Form = true
)

// Print writes the report, in one write.
func (r Report) Print(w io.Writer, form Form) error {
	var b bytes.Buffer
	if form == JSON {
		enc := json.NewEncoder(&b)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(struct {
			Enough bool `json:"enough"`
			Report
		}{r.Enough(), r}); err != nil {
			return err
		}
	} else {
		r.table(&b)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (r Report) table(b *bytes.Buffer) {
	const row = "%-9s %-21s %s\n"
	fmt.Fprintf(b, row, "RESULT", "WHAT", "FOUND")
	count := map[Level]int{}
	for _, f := range r.Findings {
		count[f.Level]++
		fmt.Fprintf(b, row, f.Level, f.What, f.Found)
		if f.Follows != "" {
			fmt.Fprintf(b, "%-31s %s\n", "", f.Follows)
		}
	}
	b.WriteByte('\n')
	switch {
	case count[Lacking] > 0:
		fmt.Fprintf(b, "Lacking: %d. Zones do not work fully on this host.\n", count[Lacking])
	case count[CantTell] > 0:
		fmt.Fprintf(b, "Nothing is known to be lacking; checks that could not be made: %d.\n", count[CantTell])
	default:
		b.WriteString("All that zones need is here.\n")
	}
}
