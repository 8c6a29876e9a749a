package smtpnotify

import (
	"mime"
	"strings"
	"time"

	"github.com/linuxzones/zones/internal/printable"
	"github.com/linuxzones/zones/svc/outbox"
)

// class is that of a transition, of the original's events; the state that was reached follows.
const class = "ireport.os.smf.state-transition."

// subjectUsual and bodyUsual are templates, as an administrator may write one.
const (
	subjectUsual = "%<HOSTNAME>: %<FMRI> is %<TO-STATE>"
	bodyUsual    = `Host:    %<HOSTNAME>
Service: %<FMRI>
Was:     %<FROM-STATE>
Is:      %<TO-STATE>
Since:   %<TIMESTAMP>
Reason:  %<REASON>
`
	bodyDetail = "         %<DETAIL>\n"
	bodyEnd    = "\nMore is said by: svcs -xv %<FMRI>\n"
)

// textBytesMax bounds a header's value.
const textBytesMax = 1024

// letter is what parameters say of one.
type letter struct {
	to, cc, bcc            []string
	from, replyTo, subject string
	template               string // a file
	body                   string // of that
}

// macros are what stands for %<NAME> in a template. What is of faults alone is empty.
func macros(c *outbox.Change, number, host string) map[string]string {
	return map[string]string{
		"HOSTNAME": host, "FMRI": c.FMRI, "FROM-STATE": c.From, "TO-STATE": c.To, "CLASS": class + c.To, "UUID": number,
		"URL": "", "CODE": "", "SEVERITY": "",
		"REASON": c.Reason, "DETAIL": detail(c), "TIMESTAMP": c.At.Format(time.RFC1123Z),
	}
}

func detail(c *outbox.Change) string {
	if c.By == "" {
		return c.Detail
	}
	return strings.TrimSpace(c.Detail + " asked for by " + c.By)
}

// expand puts what they stand for in the place of macros, and a % for %%. What is no macro stays.
func expand(text string, macros map[string]string) string {
	var b strings.Builder
	for {
		at := strings.IndexByte(text, '%')
		if at < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:at])
		text = text[at:]
		if strings.HasPrefix(text, "%%") {
			b.WriteByte('%')
			text = text[2:]
			continue
		}
		if rest, is := strings.CutPrefix(text, "%<"); is {
			name, after, closed := strings.Cut(rest, ">")
			if value, known := macros[name]; closed && known {
				b.WriteString(value)
				text = after
				continue
			}
		}
		b.WriteByte('%')
		text = text[1:]
	}
}

// text is the letter as sendmail -t reads it.
func (l *letter) text(c *outbox.Change, number, host string) string {
	m := macros(c, number, host)
	var b strings.Builder
	header := func(name, value string) {
		if value != "" {
			b.WriteString(name + ": " + value + "\n")
		}
	}
	plain := func(name, value string) {
		header(name, mime.QEncoding.Encode("utf-8", printable.Cut(value, textBytesMax)))
	}
	from, subject := l.from, l.subject
	if from == "" {
		from = "root@" + host
	}
	if subject == "" {
		subject = subjectUsual
	}
	header("From", from)
	header("To", strings.Join(l.to, ",\n "))
	header("Cc", strings.Join(l.cc, ",\n "))
	header("Bcc", strings.Join(l.bcc, ",\n "))
	header("Reply-To", l.replyTo)
	plain("Subject", expand(subject, m))
	header("Date", time.Now().Format(time.RFC1123Z))
	header("Auto-Submitted", "auto-generated")
	for _, name := range []string{"HOSTNAME", "CLASS", "UUID", "FMRI", "FROM-STATE", "TO-STATE"} {
		plain("X-FMEV-"+name, m[name])
	}
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "8bit")
	b.WriteString("\n" + expand(l.bodyOf(c), m))
	return b.String()
}

// bodyOf is the template of the body.
func (l *letter) bodyOf(c *outbox.Change) string {
	switch {
	case l.template != "":
		return l.body
	case detail(c) != "":
		return bodyUsual + bodyDetail + bodyEnd
	}
	return bodyUsual + bodyEnd
}
