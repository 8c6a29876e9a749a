package method

// What tests of this room show of the original: see hack/conformance.
//
//shows:3.2/duration-words 3.3/rate-count 3.3/timeout-no-retry by TestStartd
//shows:3.2/restart-on 3.2/ignore-error by TestEvents
//shows:3.3/no-group 3.3/no-exec by TestAbsent
//shows:3.3/kill 3.3/kill-what 3.3/true by TestKinds
//shows:3.3/environment 3.3/environment-refused by TestEnvironment
//shows:3.3/tokens 3.3/tokens-properties 3.3/tokens-escaped 3.3/tokens-bad by TestTokens
//shows:3.3/context-user 3.3/context-unknown-number 3.3/context-dir 3.3/context-replaces by TestIdentity
//shows:3.3/context-unknown-name 3.3/context-project by TestBadContexts
//shows:3.3/context-project by TestWholeProject
//shows:3.3/context-project 3.3/context-core 3.3/context-secflags by TestCounterparts
//shows:3.3/context-privileges by TestPrivileges
//shows:3.3/context-profile by TestProfiles
//shows:3.3/timeout-none by TestTimeout
