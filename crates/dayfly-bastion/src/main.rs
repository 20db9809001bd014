//! The program `dayfly-bastion`.

fn main() -> std::process::ExitCode {
    dayfly_bastion::commands::run()
}
