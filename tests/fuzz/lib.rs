//! The targets of the tests, for the fuzzer.

#[path = "../it/hostile/mod.rs"]
pub mod hostile;
#[path = "../it/support.rs"]
pub mod support;

/// Makes a program that fuzzes one target.
#[macro_export]
macro_rules! fuzz {
    ($target:ident) => {
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $crate::hostile::$target::check(bytes));
    };
}
