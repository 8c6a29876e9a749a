package graph

// What tests of this room show of the original: see hack/conformance.
//
//shows:3.1/exit-spares-error by TestChanges/running/stops otherwise/require_all error
//shows:3.5/nobody-restarts by TestRecovered
//shows:3.6/maintenance-optional by TestOptionalIsFreed
//shows:3.6/stop-while-starting by TestStopWhileStarting
//shows:3.6/file-looked-at by TestFiles
//shows:3.6/deleted by TestRemoveInUse
//shows:3.6/restarter by TestRestarterIsADependency
//shows:3.6/cycle 3.6/cycle-path by TestCycles
//shows:3.6/cycle by TestCycleHoldsOthers
//shows:3.6/exclusion-no-cycle by TestExclusionIsNoCycle
//shows:3.6/invalid 3.6/invalid-restarter by TestInvalid
//shows:3.6/override by TestOverride
//shows:3.6/milestone-inside 3.6/milestone-outside 3.6/milestone-order 3.6/milestone-all 3.6/milestone-none by TestMilestoneStory
//shows:3.6/milestone-order by TestMilestones
//shows:3.6/disable-leaves-first by TestSimulationLeaves
//shows:3.6/explain by TestExplainChain
