package manifest

import (
	"errors"
	"strings"
	"testing"

	"github.com/linuxzones/zones/svc/prop"
)

// What the original's import dies of, element by element.
func TestRefusals(t *testing.T) {
	group := func(content string) string {
		return "<property_group name='g' type='t'>" + content + "</property_group>"
	}
	method := func(attrs, content string) string {
		return "<exec_method type='method' name='m' exec='e' " + attrs + ">" + content + "</exec_method>"
	}
	template := func(content string) string {
		return "<template><common_name><loctext xml:lang='C'>n</loctext></common_name>" + content + "</template>"
	}
	pattern := func(content string) string {
		return template("<pg_pattern name='g' type='t'><prop_pattern name='p' type='count'>" + content + "</prop_pattern></pg_pattern>")
	}
	notify := func(event, content string) string {
		return "<notification_parameters><event value='" + event + "'/><type name='smtp'>" + content + "</type></notification_parameters>"
	}
	dependent := func(name string) string {
		return "<dependent name='" + name + "' grouping='require_all' restart_on='none'><service_fmri value='svc:/o'/></dependent>"
	}
	for name, c := range map[string]struct{ content, says string }{
		"count":                   {group("<propval name='p' type='count' value='many'/>"), `<propval>: illegal value "many" for count: no decimal number`},
		"count too large":         {group("<propval name='p' type='count' value='18446744073709551616'/>"), "out of range"},
		"integer":                 {group("<propval name='p' type='integer' value='0x10'/>"), "no decimal number"},
		"boolean":                 {group("<propval name='p' type='boolean' value='1'/>"), "neither true nor false"},
		"address":                 {group("<propval name='p' type='net_address_v4' value='::1'/>"), "<propval>: illegal value"},
		"value too long":          {group("<propval name='p' type='astring' value='" + strings.Repeat("x", prop.ValueBytesMax+1) + "'/>"), "value too long"},
		"one of a list":           {group("<property name='p' type='count'><count_list><value_node value='1'/><value_node value='x'/></count_list></property>"), "<value_node>: illegal value"},
		"list of another type":    {group("<property name='p' type='count'><astring_list><value_node value='1'/></astring_list></property>"), `property "p" of type count has a astring_list`},
		"type":                    {group("<propval name='p' type='string' value='1'/>"), `type cannot be "string", only boolean, count`},
		"type of a group":         {"<property_group name='g' type=''/>", "has no type"},
		"name of a property":      {group("<propval name='a b' type='count' value='1'/>"), "name of a property"},
		"no name of a property":   {group("<propval name='' type='count' value='1'/>"), "name of a property"},
		"name of a group":         {"<property_group name='1g' type='t'/>", "name of a property group"},
		"long name":               {"<property_group name='" + strings.Repeat("g", 120) + "' type='t'/>", "too long"},
		"name of an instance":     {"<instance name='a:b' enabled='true'/>", "name of an instance"},
		"property twice":          {group("<propval name='p' type='count' value='1'/>") + group("<propval name='p' type='count' value='1'/>"), `property "p" of group "g" is defined twice`},
		"group of two types":      {group("") + "<property_group name='g' type='u'/>", `property group "g" is defined with type "t" and with type "u"`},
		"method and group":        {method("timeout_seconds='0'", "") + "<property_group name='m' type='application'/>", "is defined with type"},
		"instance twice":          {"<instance name='a' enabled='true'/><instance name='a' enabled='true'/>", `instance "a" is defined twice`},
		"default twice":           {"<create_default_instance enabled='true'/><instance name='default' enabled='true'/>", `instance "default" is defined twice`},
		"enabled twice":           {"<instance name='a' enabled='true'><property_group name='general' type='framework'><propval name='enabled' type='boolean' value='true'/></property_group></instance>", "general/enabled is defined twice"},
		"method twice":            {method("timeout_seconds='0'", "") + method("timeout_seconds='0'", ""), `property "type" of group "m" is defined twice`},
		"timeout":                 {method("timeout_seconds='soon'", ""), `<exec_method>: illegal value "soon" for timeout_seconds`},
		"variable without a name": {method("timeout_seconds='0'", "<method_context><method_environment><envvar name='' value='x'/></method_environment></method_context>"), "<envvar>: invalid environment variable"},
		"variable with =":         {method("timeout_seconds='0'", "<method_context><method_environment><envvar name='a=' value='x'/></method_environment></method_context>"), "'=' in its name"},
		"reserved variable":       {method("timeout_seconds='0'", "<method_context><method_environment><envvar name='SMF_X' value='x'/></method_environment></method_context>"), `invalid environment variable "SMF_X"; "SMF_" prefix is reserved`},
		"profile and credential":  {"<method_context><method_profile name='a'/><method_credential user='a'/></method_context>", "<method_context> may have only one"},
		"environment first":       {"<method_context><method_environment><envvar name='a' value='b'/></method_environment><method_profile name='a'/></method_context>", "belongs before <method_environment>"},
		"FMRI of a dependency":    {"<dependency name='d' type='service' grouping='require_all' restart_on='none'><service_fmri value='network'/></dependency>", "illegal value"},
		"grouping":                {"<dependency name='d' type='service' grouping='some' restart_on='none'/>", `grouping cannot be "some", only require_all, require_any, exclude_all, optional_all`},
		"restart_on":              {"<dependency name='d' type='service' grouping='require_any' restart_on='always'/>", "restart_on cannot be"},
		"no restarter":            {"<restarter/>", "<restarter>: lacks a <service_fmri>"},
		"two restarters":          {"<restarter><service_fmri value='svc:/a'/><service_fmri value='svc:/b'/></restarter>", "<restarter> may have only one"},
		"stability":               {"<stability value='Solid'/>", "value cannot be"},
		"dependent and group":     {"<dependency name='d' type='service' grouping='require_all' restart_on='none'/>" + dependent("d"), `property group and dependent of svc:/s have same name "d"`},
		"dependent twice":         {dependent("d") + dependent("d"), `dependent "d" is defined twice`},
		"dependent of nothing":    {"<dependent name='d' grouping='require_all' restart_on='none'/>", "<dependent>: lacks a <service_fmri>"},
		"whom a dependent names":  {"<dependent name='d' grouping='require_all' restart_on='none' delete='true'><service_fmri value='x y'/></dependent>", "<service_fmri>: illegal value"},
		"name of a dependent":     {dependent("a.b"), "name of a dependent"},
		"event":                   {notify("to-heaven", ""), `<event>: "to-heaven" is no event`},
		"no event":                {notify("", ""), `"" is no event`},
		"events of two kinds":     {notify("to-online,list.suspect", ""), "can't mix SMF and FMA event definitions"},
		"problems elsewhere":      {notify("problem-diagnosed", ""), "non-SMF transition events must go to svc:/system/fm/notify-params:default"},
		"empty parameter":         {notify("all", "<paramval name='to' value=''/>"), `property value missing for property "`},
		"no type to notify":       {"<notification_parameters><event value='all'/></notification_parameters>", "lacks a <type>"},
		"template without a name": {"<template/>", "<template>: lacks a <common_name>"},
		"empty text":              {"<template><common_name><loctext xml:lang='C'> \n</loctext></common_name></template>", "<loctext>: loctext element has no content"},
		"text within a text":      {"<template><common_name><loctext xml:lang='C'><b>x</b></loctext></common_name></template>", "<b>: there is no such element"},
		"a language twice":        {"<template><common_name><loctext xml:lang='de-DE'>a</loctext><loctext xml:lang='de_DE'>b</loctext></common_name></template>", `property "de_DE"`},
		"pattern twice":           {template("<pg_pattern name='a'/><pg_pattern name='a'/>"), "<pg_pattern>: is not unique in svc:/s"},
		"pattern's name":          {template("<pg_pattern name='a/b'/>"), "is no name of a property group"},
		"property pattern twice":  {template("<pg_pattern name='a'><prop_pattern name='p'/><prop_pattern name='p'/></pg_pattern>"), "<prop_pattern>: is not unique"},
		"property pattern's name": {template("<pg_pattern name='a'><prop_pattern name='*'/></pg_pattern>"), "is no name of a property"},
		"delegate":                {template("<pg_pattern name='a' target='delegate'/>"), `target cannot be "delegate": it is not in a restarter service`},
		"all":                     {template("<pg_pattern name='a' target='all'/>"), "only svc:/system/svc/global may be about all services"},
		"instance's instance":     {"<instance name='i' enabled='true'>" + template("<pg_pattern name='a' target='instance'/>") + "</instance>", "only a service's pattern"},
		"cardinality":             {pattern("<cardinality min='-1'/>"), `<cardinality>: "-1" is not a legal number for min`},
		"cardinality inverted":    {pattern("<cardinality min='2' max='1'/>"), "max is less than min"},
		"separators":              {pattern("<internal_separators/>"), "an empty list of separators"},
		"range":                   {pattern("<constraints><range min='a' max='1'/></constraints>"), "<range>: min and max are not both numbers"},
		"range inverted":          {pattern("<constraints><range min='2' max='1'/></constraints>"), "maximum less than minimum"},
		"signed range inverted":   {pattern("<choices><range min='-1' max='-2'/></choices>"), "maximum less than minimum"},
		"value described twice":   {pattern("<values><value name='1'><common_name><loctext xml:lang='C'>a</loctext></common_name></value><value name='1'><common_name><loctext xml:lang='C'>b</loctext></common_name></value></values>"), "is defined twice"},
		"value with a long name":  {pattern("<values><value name='" + strings.Repeat("v", 80) + "'><common_name><loctext xml:lang='C'>a</loctext></common_name></value></values>"), "name of a property"},
	} {
		list := wrong(t, name, doc(c.content), Options{})
		if !errors.Is(list, ErrInvalid) || !strings.Contains(list.Error(), c.says) || list.List[0].Line < 3 {
			t.Errorf("%s: %v", name, list)
		}
	}
}

func TestRefusedServices(t *testing.T) {
	bundle := func(kind, content string) string {
		return doctype + "<service_bundle type='" + kind + "' name='n'>\n" + content + "</service_bundle>"
	}
	service := "<service name='a' type='service' version='1'/>"
	for name, c := range map[string]struct{ text, says string }{
		"twice":                 {bundle("manifest", service+service), `service "a" is defined twice`},
		"twice in an archive":   {bundle("archive", service+service), `service "a" is defined twice`},
		"twice in a profile":    {bundle("profile", service+service), `service "a" is defined twice`},
		"an FMRI":               {bundle("manifest", "<service name='svc:/a' type='service' version='1'/>"), "name of a service"},
		"an instance":           {bundle("manifest", "<service name='a:default' type='service' version='1'/>"), "name of a service"},
		"empty":                 {bundle("manifest", "<service name='' type='service' version='1'/>"), "name of a service"},
		"an empty component":    {bundle("manifest", "<service name='a//b' type='service' version='1'/>"), "name of a service"},
		"without a version":     {bundle("manifest", "<service name='a' type='service'/>"), "<service>: lacks attribute version"},
		"without a type":        {bundle("archive", "<service name='a' version='1'/>"), "<service>: lacks attribute type"},
		"of an unknown type":    {bundle("profile", "<service name='a' type='daemon' version='1'/>"), `type cannot be "daemon"`},
		"an instance alone":     {bundle("manifest", "<instance name='a' enabled='true'/>"), "does not belong into <service_bundle>"},
		"enabled unsaid":        {bundle("manifest", "<service name='a' type='service' version='1'><instance name='i'/></service>"), "<instance>: lacks attribute enabled"},
		"template in a profile": {bundle("profile", "<service name='a'><template><common_name><loctext xml:lang='C'>n</loctext></common_name></template></service>"), "a profile may not modify template data"},
		"global events": {bundle("manifest", "<service name='system/svc/global' type='service' version='1'><notification_parameters><event value='to-online'/><type name='smtp'/></notification_parameters></service>"),
			"can't set events for global service"},
	} {
		list := wrong(t, name, c.text, Options{})
		if !strings.Contains(list.Error(), c.says) || list.List[0].Line != 3 {
			t.Errorf("%s: %v", name, list)
		}
	}
}

func TestValue(t *testing.T) {
	for _, c := range []struct {
		t          prop.Type
		text, want string
	}{
		{prop.Count, "0", "0"}, {prop.Count, "007", "7"}, {prop.Count, "+1", "1"}, {prop.Count, " 1", "1"},
		{prop.Count, "-1", "18446744073709551615"}, {prop.Count, "-18446744073709551615", "1"}, {prop.Count, "-0", "0"},
		{prop.Integer, "-1", "-1"}, {prop.Integer, "+9223372036854775807", "9223372036854775807"}, {prop.Integer, "010", "10"},
		{prop.Boolean, "true", "true"}, {prop.Boolean, "false", "false"}, {prop.Opaque, "AbCd", "abcd"}, {prop.AString, " a ", " a "},
	} {
		got, err := Value(c.t, c.text)
		if err != nil || got != c.want {
			t.Errorf("%v %q: %q, %v", c.t, c.text, got, err)
		}
		if again, err := Value(c.t, got); err != nil || again != got {
			t.Errorf("%v %q is not canonical: %q, %v", c.t, got, again, err)
		}
	}
	for _, c := range []struct {
		t    prop.Type
		text string
	}{
		{prop.Count, ""}, {prop.Count, "-"}, {prop.Count, "--1"}, {prop.Count, "+-1"}, {prop.Count, "-+1"}, {prop.Count, "1 "}, {prop.Count, "1_0"}, {prop.Count, "0x1"},
		{prop.Count, "-18446744073709551616"}, {prop.Integer, ""}, {prop.Integer, "9223372036854775808"}, {prop.Integer, "++1"}, {prop.Boolean, "TRUE"}, {prop.Boolean, ""},
		{prop.Opaque, "a"}, {prop.FMRI, "x"}, {prop.Invalid, "x"},
	} {
		if got, err := Value(c.t, c.text); err == nil {
			t.Errorf("%v %q: %q", c.t, c.text, got)
		}
	}
}

func TestEvents(t *testing.T) {
	for event, want := range map[string]string{
		"to-online": "to-online", "from-online": "from-online", "online": "from-online to-online", "online,to-online": "from-online to-online",
		"to-all":             "to-degraded to-disabled to-maintenance to-offline to-online to-uninitialized",
		"disabled,to-online": "from-disabled to-disabled to-online",
	} {
		b, err := Parse("f", []byte(doc("<notification_parameters><event value='"+event+"'/><type name='smtp'/></notification_parameters>")), Options{})
		if err != nil {
			t.Errorf("%s: %v", event, err)
			continue
		}
		var names []string
		for _, g := range b.Services[0].Config.Groups {
			names = append(names, g.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s", event, got)
		}
	}
}

// TestEventNames: events are known by their names, once each, and told apart from what is none.
func TestEventNames(t *testing.T) {
	for text, want := range map[string]string{
		"online,to-online":                "to-online=to-online from-online=from-online",
		"problem-diagnosed,list.suspect":  "problem-diagnosed=list.suspect,fmnotify",
		"list.repaired.*":                 "problem-repaired=list.repaired,fmnotify",
		"list.suspect.disk,ireport.os.x*": "list.suspect.disk=list.suspect.disk,fmnotify ireport.os.x*=ireport.os.x,fmnotify",
		"list.*,ireport.":                 "list.*=list,fmnotify ireport.=ireport,fmnotify",
	} {
		events, problems, err := Events(text)
		var got []string
		for _, e := range events {
			got = append(got, e.Name+"="+e.Group)
		}
		if strings.Join(got, " ") != want || err != nil || problems != strings.Contains(want, notifyPostfix) {
			t.Errorf("%s: %s %v %v", text, got, problems, err)
		}
	}
	for _, text := range []string{"", ",", "online,", "x", "to-", "to-to-online", "listing.x", "list.a b", "list.a/b", "ereport.x", "*", "problem-", "list." + strings.Repeat("x", 120)} {
		if events, _, err := Events(text); !errors.Is(err, ErrEvent) {
			t.Errorf("%s: %v %v", text, events, err)
		}
	}
	if _, _, err := Events("online,list.x"); err != ErrMixedEvents {
		t.Error(err)
	}
	for _, name := range EventNames() {
		if _, _, err := Events(name); err != nil {
			t.Error(err)
		}
	}
}

// A label that is too long for a name keeps its ends.
func TestLabels(t *testing.T) {
	name := labelled(prefixDoc, "Begin "+strings.Repeat("x", 300)+" End.")
	if len(name) > 119 || !strings.HasPrefix(name, "tm_doc_Begin_x") || !strings.HasSuffix(name, "x_End_") {
		t.Errorf("%s", name)
	}
	if got := labelled(prefixMan, "a.b-c8"); got != "tm_man_a_b-c8" {
		t.Errorf("%s", got)
	}
}
