package manifest

import (
	"sync"

	"github.com/linuxzones/zones/svc/prop"
)

// The document type.
const (
	dtdPath = "/usr/share/lib/xml/dtd/service_bundle.dtd.1"
	root    = "service_bundle"
)

// need is how much an attribute is needed.
type need uint8

const (
	implied need = iota
	required
	defaulted
)

// attribute is one of an element.
type attribute struct {
	name     string
	words    []string // what it may be; nil for any text
	need     need
	fallback string // of one that is defaulted
	// untyped ones may be missing in a profile: it changes what exists.
	untyped bool
	// lax ones may be missing wherever the DTD does not bind.
	lax bool
}

// particle is a step in the sequence of an element's children: any of names, min to max times.
type particle struct {
	names    []string
	min, max int
}

const unbounded = 1 << 30

// element is what an element may have.
type element struct {
	attrs []attribute
	// kids is the sequence of children; nil means that it has none.
	kids []particle
	// either means that children of one particle only may be there.
	either bool
	text   bool // it holds text
	any    bool // it holds anything
	// strict elements are held to the DTD in profiles, too.
	strict bool
}

func must(name string, words ...string) attribute {
	return attribute{name: name, words: words, need: required}
}

func may(name string) attribute { return attribute{name: name} }

func standard(name, value string, words ...string) attribute {
	return attribute{name: name, need: defaulted, fallback: value, words: words}
}

func truth(name string) attribute { return standard(name, "false", "true", "false") }

func one(names ...string) particle  { return particle{names, 1, 1} }
func opt(names ...string) particle  { return particle{names, 0, 1} }
func many(names ...string) particle { return particle{names, 0, unbounded} }
func some(names ...string) particle { return particle{names, 1, unbounded} }

var (
	propertyTypes = typeWords("")
	propertyLists = typeWords("_list")

	typed     = attribute{name: "type", words: propertyTypes, need: required, untyped: true}
	groupings = []string{"require_all", "require_any", "exclude_all", "optional_all"}
	restarts  = []string{"error", "restart", "refresh", "none"}
	// properties of a group that is an element of its own.
	properties = []particle{opt("stability"), many("propval", "property")}
	// texts are those that a person reads.
	texts = []particle{some("loctext")}
)

// typeWords are the types of properties, each with a suffix.
func typeWords(suffix string) []string {
	var words []string
	for t := prop.Boolean; t.Valid(); t++ {
		words = append(words, t.String()+suffix)
	}
	return words
}

func then(first []particle, more ...particle) []particle {
	return append(append([]particle{}, first...), more...)
}

// elements are those of service_bundle.dtd.1. They are made when they are first asked for: the
// programs of a zone are one file, and those that stay need no table of this.
var elements = sync.OnceValue(makeElements)

func makeElements() map[string]*element {
	all := map[string]*element{
		root: {
			attrs:  []attribute{must("type"), must("name")},
			kids:   []particle{many(root), many("service"), many("xi:include")},
			either: true,
		},
		"xi:include": {
			attrs: []attribute{must("href"), standard("parse", "xml", "xml", "text"), may("encoding")},
			kids:  []particle{opt("xi:fallback")},
		},
		"xi:fallback": {any: true},

		"service": {
			attrs: []attribute{
				must("name"),
				{name: "version", need: required, lax: true},
				{name: "type", need: required, lax: true, words: []string{"service", "restarter", "milestone"}},
			},
			kids: []particle{
				opt("create_default_instance"), opt("single_instance"), opt("restarter"), many("dependency"), many("dependent"),
				opt("method_context"), many("exec_method"), many("notification_parameters"), many("property_group"),
				many("instance"), opt("stability"), opt("template"),
			},
		},
		"instance": {
			attrs: []attribute{must("name"), {name: "enabled", need: required, lax: true, words: []string{"true", "false"}}},
			kids: []particle{
				opt("restarter"), many("dependency"), many("dependent"), opt("method_context"), many("exec_method"),
				many("notification_parameters"), many("property_group"), opt("template"),
			},
		},
		"create_default_instance": {attrs: []attribute{must("enabled", "true", "false")}},
		"single_instance":         {},
		"restarter":               {kids: []particle{one("service_fmri")}},
		"service_fmri":            {attrs: []attribute{must("value")}},
		"stability":               {attrs: []attribute{must("value", stabilities...)}},
	}
	addProperties(all)
	addMethods(all)
	addTemplates(all)
	return all
}

var stabilities = []string{"Standard", "Stable", "Evolving", "Unstable", "External", "Obsolete"}

func addProperties(all map[string]*element) {
	all["property_group"] = &element{
		attrs: []attribute{must("name"), {name: "type", need: required, untyped: true}, truth("delete")},
		kids:  properties,
	}
	all["property"] = &element{attrs: []attribute{must("name"), typed, truth("override")}, kids: []particle{opt(propertyLists...)}}
	all["propval"] = &element{attrs: []attribute{must("name"), typed, must("value"), truth("override")}}
	for _, list := range propertyLists {
		all[list] = &element{kids: []particle{some("value_node")}}
	}
	all["value_node"] = &element{attrs: []attribute{must("value")}}
	all["dependency"] = &element{
		attrs: []attribute{
			must("name"), must("grouping", groupings...), must("restart_on", restarts...), must("type"), truth("delete"),
		},
		kids:   then([]particle{many("service_fmri")}, properties...),
		strict: true,
	}
	all["dependent"] = &element{
		attrs: []attribute{
			must("name"), must("grouping", groupings...), must("restart_on", restarts...), truth("delete"), truth("override"),
		},
		kids:   then([]particle{one("service_fmri")}, properties...),
		strict: true,
	}
	all["notification_parameters"] = &element{kids: []particle{one("event"), some("type")}}
	all["event"] = &element{attrs: []attribute{must("value")}}
	all["type"] = &element{
		attrs:  []attribute{must("name"), standard("active", "true", "true", "false")},
		kids:   []particle{many("parameter", "paramval")},
		strict: true,
	}
	all["parameter"] = &element{attrs: []attribute{must("name")}, kids: []particle{many("value_node")}}
	all["paramval"] = &element{attrs: []attribute{must("name"), must("value")}}
}

func addMethods(all map[string]*element) {
	all["exec_method"] = &element{
		attrs: []attribute{
			must("type", "method", "monitor"), must("name"), must("exec"), must("timeout_seconds"), truth("delete"),
		},
		kids:   then([]particle{opt("method_context")}, properties...),
		strict: true,
	}
	all["method_context"] = &element{
		attrs: []attribute{may("security_flags"), may("working_directory"), may("project"), may("resource_pool")},
		kids:  []particle{opt("method_profile", "method_credential"), opt("method_environment")},
	}
	all["method_profile"] = &element{attrs: []attribute{must("name")}}
	all["method_credential"] = &element{
		attrs: []attribute{must("user"), may("group"), may("supp_groups"), may("privileges"), may("limit_privileges")},
	}
	all["method_environment"] = &element{kids: []particle{some("envvar")}}
	all["envvar"] = &element{attrs: []attribute{must("name"), must("value")}}
}

func addTemplates(all map[string]*element) {
	all["template"] = &element{
		kids: []particle{one("common_name"), opt("description"), opt("documentation"), many("pg_pattern")},
	}
	all["documentation"] = &element{kids: []particle{many("doc_link", "manpage")}}
	all["doc_link"] = &element{attrs: []attribute{must("name"), must("uri")}}
	all["manpage"] = &element{attrs: []attribute{must("title"), must("section"), standard("manpath", ":default")}}
	for _, name := range []string{"common_name", "description", "units"} {
		all[name] = &element{kids: texts}
	}
	all["loctext"] = &element{attrs: []attribute{{name: "xml:lang", need: required, lax: true}}, text: true}
	all["pg_pattern"] = &element{
		attrs: []attribute{
			standard("name", ""), standard("type", ""), truth("required"),
			standard("target", "this", "this", "instance", "delegate", "all"),
		},
		kids: []particle{opt("common_name"), opt("description"), many("prop_pattern")},
	}
	all["prop_pattern"] = &element{
		attrs: []attribute{must("name"), {name: "type", words: propertyTypes}, truth("required")},
		kids: []particle{
			opt("common_name"), opt("description"), opt("units"), opt("visibility"), opt("cardinality"),
			opt("internal_separators"), opt("values"), opt("constraints"), opt("choices"),
		},
	}
	all["visibility"] = &element{attrs: []attribute{must("value", "hidden", "readonly", "readwrite")}}
	all["cardinality"] = &element{attrs: []attribute{standard("min", "0"), standard("max", "18446744073709551615")}}
	all["internal_separators"] = &element{text: true}
	all["value"] = &element{attrs: []attribute{must("name")}, kids: []particle{opt("common_name"), opt("description")}}
	all["values"] = &element{kids: []particle{some("value")}}
	all["range"] = &element{attrs: []attribute{must("min"), must("max")}}
	all["constraints"] = &element{kids: []particle{many("value"), many("range")}}
	all["include_values"] = &element{attrs: []attribute{must("type", "constraints", "values")}}
	all["choices"] = &element{kids: []particle{many("value"), many("range"), many("include_values")}}
}
