//! The built command, as a person and a script use it.

#[cfg(test)]
mod approval;
#[cfg(test)]
mod command;
#[cfg(test)]
mod home;
#[cfg(test)]
mod sample;
