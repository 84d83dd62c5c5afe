#![no_main]
selvedge_fuzz::fuzz!(accept);
