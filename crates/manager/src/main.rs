//! The `p2ppool` program.

fn main() -> std::process::ExitCode {
    p2ppool::cli::main()
}
