#![no_main]
selvedge_fuzz::fuzz!(cookies);
