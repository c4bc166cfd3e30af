//! The durable store of plans, approvals, runs and records.
