//! Showing a recording without obeying it.

mod files;
pub mod filter;
pub mod proof;
mod screen;
pub mod timing;
pub mod transcript;

pub use screen::Screen;
