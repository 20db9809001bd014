//! The program `dayfly`.

fn main() -> std::process::ExitCode {
    dayfly_cli::main()
}
