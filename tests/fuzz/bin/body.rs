#![no_main]
selvedge_fuzz::fuzz!(body);
