#![no_main]
selvedge_fuzz::fuzz!(json);
