//! The harness of the end-to-end tests: a real control plane on loopback, a bed with everything that a server needs,
//! and an MCP session with the built binaries. Nothing here ever reads the kubeconfig that happens to be there.

pub mod bed;
pub mod binaries;
pub mod cluster;
pub mod control_plane;
pub mod corpus;
pub mod cost;
pub mod fake_state_server;
pub mod fleet;
pub mod ground;
pub mod hunt;
pub mod installation;
pub mod objects;
pub mod play_bed;
pub mod processes;
pub mod python;
pub mod session;
pub mod starts;
pub mod story;
pub mod transcript;

mod bed_name;

pub use bed::Bed;
pub use bed_name::BedName;
pub use cluster::Cluster;
pub use control_plane::ControlPlane;
pub use fake_state_server::FakeStateServer;
pub use fleet::Fleet;
pub use ground::Ground;
pub use installation::Installation;
pub use play_bed::PlayBed;
pub use session::Session;
pub use transcript::Transcript;
