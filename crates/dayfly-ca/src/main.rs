//! The program `dayfly-ca`.

fn main() -> std::process::ExitCode {
    dayfly_ca::commands::run()
}
