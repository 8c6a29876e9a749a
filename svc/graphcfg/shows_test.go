package graphcfg

// What tests of this room show of the original: see hack/conformance.
//
//shows:3.4/temporary 3.6/override 3.6/deathrow 3.6/not-configured by TestWish
//shows:3.4/immediate by TestOfRepository
//shows:3.6/invalid by TestDependencies
