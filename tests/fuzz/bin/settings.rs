#![no_main]
selvedge_fuzz::fuzz!(settings);
