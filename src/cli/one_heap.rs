//! One heap for all threads, where the addresses of the process are limited.

use crate::monitor::AddressSpace;
use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// How many heaps the allocator of glibc has at most.
const VARIABLE: &str = "MALLOC_ARENA_MAX";

/// Where addresses are limited (`ulimit -v`), begins again with one heap, if nobody has said how many.
///
/// Otherwise the allocator takes 64 MiB of addresses whenever threads have to wait for each other, whether it ever needs them or
/// not. A thread that finds nothing left then ends the process, though other heaps are nearly empty. How many there may be can only
/// be said before the process begins.
pub(super) fn keep_to_one_heap() {
    if AddressSpace::limited().is_none() || env::var_os(VARIABLE).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut arguments = env::args_os();
    let mut again = Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // It returns only where that was not possible; then the server lives with what there is.
    let _ = again.args(arguments).env(VARIABLE, "1").exec();
}
