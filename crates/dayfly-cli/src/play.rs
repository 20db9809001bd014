//! Showing a recording without obeying it.

pub mod filter;
pub mod proof;
mod screen;
pub mod timing;
pub mod transcript;

pub use screen::Screen;
