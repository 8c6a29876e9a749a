package manifest

import (
	"errors"
	"slices"
	"strings"

	"github.com/linuxzones/zones/internal/printable"
)

// include puts what xi:include elements name in their place. within are the documents that this
// element stands in, the outermost first.
func (p *parser) include(n *node, within []string) {
	kids := make([]*node, 0, len(n.kids))
	for _, kid := range n.kids {
		switch kid.name {
		case "xi:include":
			kids = append(kids, p.included(kid, within)...)
		case root:
			p.nested(kid)
			p.include(kid, within)
			kids = append(kids, kid)
		default:
			kids = append(kids, kid)
		}
	}
	n.kids = kids
}

// nested holds a bundle within a bundle to the type of the outer one.
func (p *parser) nested(n *node) {
	if n.attr("type") != p.bundleType.String() {
		p.faults.add(n.fault(ErrInvalid, "included bundle of different type"))
	}
}

// included is what an xi:include stands for.
func (p *parser) included(n *node, within []string) []*node {
	if p.includes++; p.includes > includesMax {
		if p.includes == includesMax+1 {
			p.faults.add(n.fault(ErrLimit, "more than %d documents are included", includesMax))
		}
		return nil
	}
	href := n.attr("href")
	if n.attr("parse") != "xml" {
		p.faults.add(n.fault(ErrInclude, "text cannot be included"))
		return nil
	}
	if _, ok := n.lookup("xpointer"); ok {
		p.faults.add(n.fault(ErrInclude, "parts of documents cannot be included"))
		return nil
	}
	doc, err := p.find(n.File, href)
	if err != nil {
		return p.fallback(n, err, within)
	}
	if i := slices.Index(within, doc.Name); i >= 0 {
		circle := append(slices.Clone(within[i:]), doc.Name)
		p.faults.add(n.fault(ErrInclude, "documents include each other: %s", printable.Cut(strings.Join(circle, " > "), 400)))
		return nil
	}
	if len(within) > includeDepthMax {
		p.faults.add(n.fault(ErrLimit, "documents include each other more than %d deep", includeDepthMax))
		return nil
	}
	top, err := p.document(doc.Name, doc.Data, false)
	if err != nil {
		return nil // it is among the faults
	}
	p.include(top, append(slices.Clone(within), doc.Name))
	return []*node{top}
}

var errNoIncludes = errors.New("includes are not followed here")

func (p *parser) find(from, href string) (Document, error) {
	if p.options.Include == nil {
		return Document{}, errNoIncludes
	}
	return p.options.Include(from, href)
}

// fallback is what serves where a document was not found.
func (p *parser) fallback(n *node, err error, within []string) []*node {
	if len(n.kids) == 0 {
		p.faults.add(n.fault(ErrInclude, "%s: %s", quote(n.attr("href")), printable.Cut(err.Error(), 200)))
		return nil
	}
	kept := &node{Position: n.Position, name: root}
	for _, kid := range n.kids[0].kids {
		if !elements()[root].has(kid.name) {
			p.faults.invalid(kid, "does not belong into <xi:fallback> of a <%s>", root)
			continue
		}
		kept.kids = append(kept.kids, kid)
	}
	p.include(kept, within)
	return kept.kids
}
