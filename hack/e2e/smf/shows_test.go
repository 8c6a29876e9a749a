package smf

// What tests of this room show of the original: see hack/conformance.
//
//shows:3.1/cause-signal 3.1/refresh 3.1/restart 3.1/disable 3.1/maintenance 3.1/clear 3.4/temporary by TestServiceLife
//shows:3.3/exit-96 3.3/exit-other 3.3/killed 3.3/retry 3.3/timeout 3.3/rate 3.3/contract-after-failed-start by TestMethodsThatFail
//shows:3.5/adopts 3.5/nobody-restarts by TestServicesComeUp
//shows:3.5/adopts 3.5/child 3.5/in-flight by TestStartdKilledAtWork
//shows:3.5/configd by TestStartdKilled
//shows:3.5/configd-fails by TestDamagedRepository
//shows:3.6/restart-on 3.6/disable-leaves-first 3.6/disable-leaves-others 3.6/missing 3.6/cycle 3.6/cycle-path by TestDependents
