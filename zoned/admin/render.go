package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Form is how a list is printed.
type Form int

// The forms.
const (
	FormNames    Form = iota // one name a line
	FormTable                // -v
	FormParsable             // -p
	FormJSON                 // -o json
)

// Render prints zones in one write, so that a reader sees all of a list or none.
func Render(w io.Writer, zones []Zone, form Form) error {
	var b bytes.Buffer
	switch form {
	case FormNames:
		for _, z := range zones {
			fmt.Fprintln(&b, z.Name)
		}
	case FormTable:
		table(&b, zones)
	case FormParsable:
		for _, z := range zones {
			fmt.Fprintf(&b, "%s:%s:%s:%s:%s:%s:%s\n", z.id(), z.Name, z.State, escape(z.Path), z.UUID, escape(z.Brand), z.ip())
		}
	case FormJSON:
		if err := renderJSON(&b, zones); err != nil {
			return err
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// table has the original's columns and widths. The note is set off behind them, so that
// whoever cuts columns does not meet it.
func table(b *bytes.Buffer, zones []Zone) {
	const row = "%4s %-16s %-10s %-30s %-8s %-6s"
	fmt.Fprintf(b, row+"\n", "ID", "NAME", "STATUS", "PATH", "BRAND", "IP")
	for _, z := range zones {
		fmt.Fprintf(b, row, z.id(), z.Name, z.State, Printable(z.Path), Printable(z.Brand), z.ip())
		if z.Note != "" {
			b.WriteString(" (" + Printable(z.Note) + ")")
		}
		b.WriteByte('\n')
	}
}

// ip is the ip-type as the original's lists have it.
func (z Zone) ip() string {
	if z.IPType == "exclusive" {
		return "excl"
	}
	return z.IPType
}

func (z Zone) id() string {
	if z.ID < 0 {
		return "-"
	}
	return strconv.Itoa(z.ID)
}

// escape keeps a field of the parsable form from being taken for two.
func escape(field string) string {
	return strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace(field)
}

// zoneJSON is a zone in the JSON form. Its names are an interface: add, never rename.
type zoneJSON struct {
	ID     *int   `json:"id"`
	Name   string `json:"name"`
	State  string `json:"state"`
	Path   string `json:"path"`
	UUID   string `json:"uuid,omitempty"`
	Brand  string `json:"brand"`
	IPType string `json:"ip_type"`
	Note   string `json:"note,omitempty"`
}

func renderJSON(b *bytes.Buffer, zones []Zone) error {
	out := make([]zoneJSON, 0, len(zones))
	for i := range zones {
		z := &zones[i]
		j := zoneJSON{Name: z.Name, State: z.State.String(), Path: z.Path, UUID: z.UUID, Brand: z.Brand, IPType: z.IPType, Note: z.Note}
		if z.ID >= 0 {
			j.ID = &z.ID
		}
		out = append(out, j)
	}
	return writeJSON(b, out)
}

// writeJSON prints a document for people and programs.
func writeJSON(w io.Writer, doc any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}
