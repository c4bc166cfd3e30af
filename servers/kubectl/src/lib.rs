//! The Kubernetes server: its actions and their effects.
