//! The state machine of a run and the proofs it mints, no I/O.
