//! The program `dayfly-ca`.

fn main() {}
