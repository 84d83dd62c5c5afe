//! The program `selvedge`.

fn main() -> std::process::ExitCode {
    selvedge::cli::run()
}
