//! The policy engine: Cedar, people, approvers and targets (pure).
