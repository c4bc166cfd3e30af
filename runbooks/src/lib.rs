//! Parses and checks runbook files (pure).
