// Package manifest reads service bundles (manifests, profiles, archives) and writes them: bytes
// in, the configuration that they describe out, and back. It touches no file and no repository;
// what a document includes, the caller hands in.
//
// The table of elements in dtd.go is service_bundle.dtd.1. Reader, checks and writer use it, and
// a test compares it with the original's file. As with the original, the DTD binds manifests and
// archives, whose documents are wrong as a whole if they break it; profiles are only held to it
// within dependency, dependent, exec_method and type, and everywhere else order, surplus
// elements, stray text and unknown attributes are warnings. What the original's import dies of
// (an element that it does not know, a name that is missing, a property that is defined twice)
// is an error in each.
//
// Two things are stricter than the original: a document type that declares entities is refused,
// since nothing but the five entities of XML is ever expanded, and each size has a limit with a
// name (errors.go).
//
// What becomes of each element:
//
//	exec_method              group NAME of type method: exec, timeout_seconds, type, and its context
//	method_context           group method_context of type framework
//	dependency               group NAME of type dependency: grouping, restart_on, type, entities
//	dependent                a Dependent, and property NAME of group dependents: the importer writes
//	                         the dependency into the other service
//	restarter                general/restarter
//	single_instance          general/single_instance
//	stability                general/entity_stability of a service, stability of a group
//	instance, create_default_instance
//	                         an instance; enabled is a Directive, since import applies it last
//	notification_parameters  a group for each event of type notify_params: TYPE,active and TYPE,PARAMETER
//	template                 groups tm_common_name, tm_description, tm_man_*, tm_doc_* of type template,
//	                         tm_pgpat* of type template_pg_pattern, tm_proppat_* of type
//	                         template_prop_pattern
//	property_group           itself
//
// A group that is marked delete is not in the tree but in Directives.Deletes. A service's version
// and type are not configuration: a repository does not hold them, and an export of one says
// version 0 and type service unless told otherwise.
//
// Export writes an element where one describes the group exactly, which it finds out by reading
// what it is about to write, and a property_group elsewhere: so reading an export gives what was
// exported, whatever that was. A value that XML cannot hold is an error.
//
// Source of behaviour: service_bundle(5), smf(7), smf_template(7), svccfg(8).
//
// Pure: no goroutines, no locks, no kernel. Not for resident programs: it links encoding/xml.
package manifest
