// Ct is ctrun, ctstat and ctwatch of the host, by the name that it is called by: see ctrun(1),
// ctstat(1) and ctwatch(1). Their logic is contract/tool; what the host has beside a zone is
// the server of its own contracts, which ctrun and ctwatch start when root needs it.
package main
