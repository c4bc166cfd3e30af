//! Canonical JSON, digests and signatures; keys are passed in.
