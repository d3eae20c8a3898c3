//! The archive against storage that fails, answers late, or is written by others.

mod memory;
mod prune;

mod manifest;

mod rows;

mod damage;
